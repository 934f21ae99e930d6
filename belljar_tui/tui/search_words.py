"""How a search is written on the screen: glyphs, styles and sentences, in one place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache

from belljar_tui.core.grid import Cell, Decision, Heading
from belljar_tui.core.model import Dependency, Protocol
from belljar_tui.core.search import Conclusion, Phase
from belljar_tui.core.search_view import SearchView, TrialView
from belljar_tui.core.trial import TrialVerdict
from belljar_tui.errors import BadDependencyId
from belljar_tui.tui import words

CELLS = {Cell.OPEN: ("●", "green"), Cell.CUT: ("┄", "yellow"), Cell.BLOCKED: ("✂", "bold red")}
HEADINGS = {
    Heading.HEALTHY: ("✓", "bold green"),
    Heading.BROKEN: ("✗", "bold red"),
    Heading.INCONCLUSIVE: ("?", "bold yellow"),
    Heading.RUNNING: ("◐", "bold cyan"),
    Heading.ABANDONED: ("–", "dim"),
}
TURNING = "◐◓◑◒"
"""A running trial's heading, as time goes by."""
RECALLED = "↺"
IN_SET = "◆"
DECISIONS = {
    Decision.PINNED_OPEN: "cyan",
    Decision.PINNED_CUT: "cyan",
    Decision.NEEDED: "bold red",
    Decision.FALLBACK: "bold magenta",
    Decision.TOLERATED: "green",
    Decision.NEVER_CALLED: "dim",
    Decision.DOUBTFUL: "bold yellow",
    Decision.UNDECIDED: "dim",
}
VERDICTS = {
    TrialVerdict.HEALTHY: HEADINGS[Heading.HEALTHY],
    TrialVerdict.BROKEN: HEADINGS[Heading.BROKEN],
    TrialVerdict.INCONCLUSIVE: HEADINGS[Heading.INCONCLUSIVE],
}
_PHASES = {
    Phase.BASELINE: "trying it with everything open",
    Phase.VACUUM: "trying it with everything cut",
    Phase.UNFOLD: "opening what it calls in vain",
    Phase.SWEEP: "cutting each by itself",
    Phase.ESSENTIALS: "trying what is needed, alone",
    Phase.SIBLINGS: "cutting look-alikes together",
    Phase.GALLOP: "cutting in blocks",
    Phase.CONFIRM: "confirming the set",
    Phase.MODES: "the same in the other modes",
    Phase.REASONS: "looking for what can stand in",
}


@lru_cache(maxsize=4096)
def split(identity: str) -> tuple[str, str]:
    """Host and port as a row shows them. What an outside trial command calls a dependency is shown as it is."""
    try:
        dependency = Dependency.parse(identity)
    except BadDependencyId:
        return identity, ""
    match dependency.protocol:
        case Protocol.TCP:
            return dependency.host, str(dependency.port)
        case Protocol.UDP:
            return dependency.host, f"{dependency.port}/udp"
        case Protocol.ICMP | Protocol.UNIX:
            return dependency.host, str(dependency.protocol)
        case Protocol.DNS:
            return dependency.label, ""


def named(identity: str) -> str:
    """`auth.lab:9000`, `name service`"""
    host, port = split(identity)
    return f"{host}:{port}" if port else host


def listed(ids: Iterable[str], at_most: int = 12) -> str:
    """`auth.lab:9000, orders-db.lab:5432 and 3 more`"""
    found = [named(one) for one in ids]
    kept = found if len(found) <= at_most + 1 else found[:at_most]
    rest = f" and {len(found) - len(kept)} more" if len(kept) < len(found) else ""
    return ", ".join(kept) + rest


def any_of(ids: Sequence[str]) -> str:
    """`pay-a.lab:443 or pay-b.lab:443`"""
    found = [named(one) for one in ids]
    return " or ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)


def counted(count: int, word: str) -> str:
    """`1 trial`, `2 trials`, `3 dependencies`"""
    if count == 1:
        return f"1 {word}"
    return f"{count} {word[:-1]}ies" if word.endswith("y") else f"{count} {word}s"


def phase(view: SearchView) -> str:
    """What the search is doing."""
    if view.found is not None:
        return _ENDS[view.found.conclusion]
    if view.stopped:
        return f"stopped: {view.stopped}"
    running = [trial for trial in view.trials.values() if trial.is_running]
    if view.is_paused:
        return f"paused, {counted(len(running), 'trial')} still running" if running else "paused"
    first = next((trial.phase for trial in running if trial.phase is not None), None)
    if first is not None:
        return _PHASES[first]
    return "thinking about what came back" if view.trials else "making the first jar"


_ENDS = {
    Conclusion.FOUND: "found",
    Conclusion.NEVER_HEALTHY: "ended: never healthy",
    Conclusion.INCONCLUSIVE: "ended without an answer",
}


def what_for(trial: TrialView) -> str:
    """Why a trial was run: its phase, and the dependency it asks about."""
    if trial.phase is None:
        return "from an earlier search" if trial.is_recalled else ""
    return f"{trial.phase}: {named(trial.about)}" if trial.about else str(trial.phase)


def brief(view: SearchView | None) -> str:
    """The search in the explorer's status line; empty where there is none."""
    if view is None:
        return ""
    if view.found is not None:
        is_found = view.found.conclusion is Conclusion.FOUND
        return f"set of {len(view.found.minimal)} found" if is_found else "search: no answer"
    if view.stopped:
        return "search stopped"
    return f"{'paused' if view.is_paused else 'search'} {view.done}/{view.done + view.expected}"


def progress(view: SearchView, width: int) -> tuple[str, str]:
    """A bar of `width` cells: (done, to come)."""
    total = view.done + view.expected
    filled = width if view.found is not None else round(width * view.done / total) if total else 0
    return "━" * filled, "╌" * (width - filled)


def figures(view: SearchView, now: float) -> list[str]:
    """Everything countable about a search, most wanted first."""
    left = view.time_left_s(now)
    about = f"{view.done} of about {view.done + view.expected}" if view.is_running else counted(view.done, "trial")
    found = [about]
    if not view.is_running:
        found.append(f"in {words.clock((view.ended_at or now) - view.started_at)}")
    elif not view.is_paused:
        found.append("time left not known yet" if left is None else f"{words.clock(left)} left")
    found.append(counted(view.jobs, "job"))
    if view.found is None or view.found.conclusion is Conclusion.FOUND:
        known = "set of" if view.found is not None else "set so far"
        found.append("no set so far" if view.set_so_far is None else f"{known} {len(view.set_so_far)}")
    if view.is_running and view.repeated:
        found.append(f"{view.repeated} repeated")
    return found
