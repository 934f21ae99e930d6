"""A session told in sentences: what happened, one line each. Pure."""

from __future__ import annotations

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.host_name import host_name
from belljar_tui.core.model import NAME_SERVICE, Health, Seal
from belljar_tui.core.search_view import TrialView
from belljar_tui.core.state import State

STALLED = {"agent": "cuts hold, and nothing is seen", "way out": "what is open hangs"}
"""What a part of the jar that is stopped means."""


class Moment(msgspec.Struct, frozen=True):
    """Something a reader wants to know the time of."""

    at: float
    kind: str
    """`service`, `seal`, `cut`, `restore`, `blocked`, `health`, `note`, `search`, `saved`, `name` or `trouble`."""
    words: str
    """Without a full stop; of a note its text."""


def shown(identity: str) -> str:
    """A dependency's id as people say it: `orders-db:5432`; whole where it is not TCP."""
    return "name service (dns:)" if identity == NAME_SERVICE else identity.removeprefix("tcp://")


def moment_of(event: ev.AnyEvent, before: State) -> Moment | None:
    """What to tell of `event`, in a session that was at `before`; None where there is nothing to tell."""
    told = _of_cuts(event, before) or _of_health(event, before) or _of_a_search(event, before) or _of_the_rest(event)
    return None if told is None else Moment(max(event.at, before.at), *told)


def _of_cuts(event: ev.AnyEvent, before: State) -> tuple[str, str] | None:
    match event:
        case ev.CutApplied(dependency=dependency, mode=mode, by="user"):
            return "cut", f"cut {shown(dependency)}, {mode}"
        case ev.CutRestored(dependency=dependency):
            view = before.dependencies.get(dependency)
            is_by_hand = view is not None and view.cut_by == "user"
            return ("restore", f"restored {shown(dependency)}") if is_by_hand else None
        case ev.SealChanged(seal=seal, mode=mode):
            if seal is Seal.VACUUM:
                return "seal", f"vacuum: whatever nobody decided about is cut, {mode}"
            return "seal", "the seal is open again"
        case ev.CallBlocked(dependency=dependency, process=process, pid=pid):
            view = before.dependencies.get(dependency)
            if view is None or view.cut_by != "user" or view.blocked_now:
                return None
            caller = f" from {process or 'process'} ({pid})" if pid is not None else ""
            return "blocked", f"the first call to {shown(dependency)} was blocked{caller}"
    return None


def _of_health(event: ev.AnyEvent, before: State) -> tuple[str, str] | None:
    match event:
        case ev.HealthChanged(health=health, detail=detail) if health is not before.health:
            words = f"{health}: {detail}" if detail and health is not Health.UNKNOWN else str(health)
            return "health", words
        case ev.ServiceStarted():
            return "service", "the service was started"
        case ev.ServiceExited(code=code):
            return "service", f"the service ended {by_code(code)}"
    return None


def _of_a_search(event: ev.AnyEvent, before: State) -> tuple[str, str] | None:
    match event:
        case ev.SearchStarted():
            return "search", "the search for the minimal working set began"
        case ev.TrialEnded(number=number, outcome=outcome, is_recalled=False):
            trial = before.search.trials.get(number) if before.search is not None else None
            what = f" ({_what_for(trial)})" if trial is not None and trial.phase is not None else ""
            return "search", f"trial {number}{what}: {outcome.verdict}{f', {outcome.detail}' if outcome.detail else ''}"
        case ev.SearchStopped(reason=reason):
            return "search", f"the search was stopped: {reason}"
        case ev.SearchEnded(found=found):
            return "search", f"the search ended: {found.conclusion}"
    return None


def _what_for(trial: TrialView) -> str:
    """`one cut: auth.lab:9000, refuse`"""
    about = f": {shown(trial.about)}" if trial.about else ""
    return f"{trial.phase}{about}" + (f", {trial.mode}" if trial.open is not None else "")


def _of_the_rest(event: ev.AnyEvent) -> tuple[str, str] | None:
    match event:
        case ev.SealProven(ok=ok, detail=detail):
            return (
                ("seal", f"the seal was proven: {detail}") if ok else ("trouble", f"the seal is not proven: {detail}")
            )
        case ev.NoteAdded(text=text, dependency=dependency):
            return "note", f"{text} ({shown(dependency)})" if dependency else text
        case ev.ProfileSaved(path=path):
            return "saved", f"saved the profile {path}"
        case ev.EventsLost(source="lane", count=count):
            return "trouble", f"{count} datagrams to what is slow were dropped: too many waited"
        case ev.EventsLost(source=source, count=count):
            return "trouble", f"{count} events were lost ({source})"
        case ev.JarStalled(part=part):
            return "trouble", f"the {part} was stopped: {STALLED.get(part, '')}"
        case ev.JarWentOn(part=part, stalled_s=stalled_s):
            return "trouble", f"the {part} went on after {stalled_s:.1f} s"
        case ev.AuditFailed(detail=detail):
            return "trouble", detail
        case ev.LaneBroke(detail=detail):
            return "trouble", f"a lane broke: {detail}"
        case ev.CommandRejected(reason=reason):
            return "trouble", f"a command was rejected: {reason}"
        case ev.GroupsJoined(groups=groups):
            return "name", f"multicast groups joined: {', '.join(groups) or 'none any more'}"
        case ev.NameClaimed(dependency=dependency, name=name) if name == host_name(name) != "":
            return "name", f"calls to {shown(dependency)} said that it is {name}"
        case ev.SessionEnded(reason=reason):
            return "service", f"the session ended: {reason}"
    return None


def by_code(code: int) -> str:
    """How a process ended."""
    return f"by signal {-code}" if code < 0 else f"with exit code {code}"
