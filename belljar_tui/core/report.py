"""What a session amounts to, for somebody who reads of it later. Pure: the one fold of its events, and beside it what
only the way there tells: how long each cut lasted and what it did, when calls were blocked, what happened in turn."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.claim import Claim, claim_in
from belljar_tui.core.fold import apply
from belljar_tui.core.model import Health, Mode, Seal
from belljar_tui.core.moments import Moment, moment_of
from belljar_tui.core.profile import Profile, Verdict, verdicts_in
from belljar_tui.core.state import State

TENTHS = 10
"""Blocked calls are kept by tenths of a second: finer than any picture of them."""
_SAME_RESTORE_S = 0.2
"""Cuts that end this close together were restored by one command."""


class Stretch(msgspec.Struct, frozen=True):
    """A time during which health stayed as it was."""

    at: float
    until: float
    health: Health
    detail: str
    """The check's own words at its beginning."""


class CutSpan(msgspec.Struct):
    """One cut, from its beginning to its end."""

    dependency: str
    """Empty for the vacuum seal, which cuts whatever nobody decided about."""
    mode: Mode
    at: float
    until: float | None = None
    """None: in force when the session ended."""
    blocked: int = 0
    effect: Health = Health.UNKNOWN
    """What it did to the service; UNKNOWN: nothing was blocked, or health did not answer."""
    effect_after_s: float | None = None
    recovered_after_s: float | None = None
    """From the restore to healthy, where the cut had broken it."""
    is_stuck: bool = False
    """All was restored, and the service stayed unhealthy."""

    @property
    def is_seal(self) -> bool:
        return not self.dependency


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """All that the pages say."""

    state: State
    """At the end."""
    claim: Claim
    version: str = ""
    """BellJar's, when it was recorded."""
    agent: ev.AgentStarted | None = None
    health: tuple[Stretch, ...] = ()
    cuts: tuple[CutSpan, ...] = ()
    """In the order they were applied."""
    blocked: dict[str, dict[int, int]] = {}
    """Dependency -> tenth of a second -> blocked calls in it."""
    moments: tuple[Moment, ...] = ()
    damage: str = ""
    """What of the journal could not be read; empty when all was."""

    @property
    def until_s(self) -> float:
        """When the last event was."""
        return self.state.at

    @property
    def verdicts(self) -> dict[str, dict[Mode, Verdict]]:
        """Dependency -> mode -> what cutting it showed."""
        return verdicts_in(self.state)

    @property
    def modes(self) -> tuple[Mode, ...]:
        """The modes that something was cut in, in the glossary's order."""
        tried = {mode for verdicts in self.verdicts.values() for mode in verdicts}
        return tuple(mode for mode in Mode if mode in tried)


def report_of(events: Iterable[ev.AnyEvent], *, profile: Profile | None = None, damage: str = "") -> Report:
    """The report of a session.

    Args:
        profile: the contract the session put to the test, or was saved from; else the one it amounts to.
        damage: see Report.
    """
    reporter = _Reporter()
    for event in events:
        reporter.take(event)
    return reporter.report(profile, damage)


class _Reporter:
    """Follows the fold, and writes down what it passes through."""

    def __init__(self) -> None:
        self._state = State()
        self._version = ""
        self._agent: ev.AgentStarted | None = None
        self._stretches: list[Stretch] = []
        self._cuts: list[CutSpan] = []
        self._open: dict[str, CutSpan] = {}
        self._blocked: dict[str, dict[int, int]] = {}
        self._moments: list[Moment] = []

    def take(self, event: ev.AnyEvent) -> None:
        before, after = self._state, apply(self._state, event)
        self._state = after
        match event:
            case ev.SessionStarted(version=version):
                self._version = version
            case ev.AgentStarted():
                self._agent = event
            case ev.CutApplied() if event.by == "user":
                self._note_stuck(before)
                self._begin(event.dependency, event.mode, after)
            case ev.CutRestored(dependency=dependency):
                self._end(dependency, after)
            case ev.SealChanged(seal=seal, mode=mode):
                self._end("", after)
                if seal is Seal.VACUUM:
                    self._begin("", mode, after)
            case ev.CallBlocked():
                self._count(event)
            case ev.HealthChanged():
                self._turn(before, after)
        self._follow(after)
        moment = moment_of(event, before)
        if moment is not None:
            self._moments.append(moment)

    def report(self, profile: Profile | None, damage: str) -> Report:
        """Of all that was taken so far."""
        self._note_stuck(self._state)
        return Report(
            state=self._state,
            claim=claim_in(self._state, profile, self._version),
            version=self._version,
            agent=self._agent,
            health=tuple(self._closed()),
            cuts=tuple(self._cuts),
            blocked=self._blocked,
            moments=tuple(self._moments),
            damage=damage,
        )

    def _closed(self) -> list[Stretch]:
        return [
            msgspec.structs.replace(
                one, until=self._stretches[index + 1].at if index + 1 < len(self._stretches) else self._state.at
            )
            for index, one in enumerate(self._stretches)
        ]

    def _begin(self, dependency: str, mode: Mode, after: State) -> None:
        self._end(dependency, after)
        span = CutSpan(dependency, mode, after.at)
        self._cuts.append(span)
        self._open[dependency] = span

    def _end(self, dependency: str, after: State) -> None:
        span = self._open.pop(dependency, None)
        if span is None:
            return
        span.until = after.at
        self._learn(span, after)
        if span.is_seal and span.effect is Health.UNKNOWN and span.blocked and after.health is Health.HEALTHY:
            span.effect = Health.HEALTHY

    def _follow(self, after: State) -> None:
        """What the fold blames on each cut that is in force."""
        for span in self._open.values():
            self._learn(span, after)

    def _learn(self, span: CutSpan, after: State) -> None:
        view = after.dependencies.get(span.dependency)
        tried = next((one for one in view.tried if one.mode is span.mode), None) if view is not None else None
        if tried is not None:
            span.effect, span.effect_after_s = tried.health, tried.after_s

    def _count(self, event: ev.CallBlocked) -> None:
        tenths = self._blocked.setdefault(event.dependency, {})
        tenth = int(self._state.at * TENTHS)
        tenths[tenth] = tenths.get(tenth, 0) + event.count
        span = self._open.get(event.dependency) or self._open.get("")
        if span is not None:
            span.blocked += event.count

    def _turn(self, before: State, after: State) -> None:
        if after.health is before.health and self._stretches:
            return
        self._stretches.append(Stretch(after.at, after.at, after.health, after.health_detail))
        sealed = self._open.get("")
        if after.health is Health.UNHEALTHY and sealed is not None and sealed.effect is not Health.UNHEALTHY:
            sealed.effect, sealed.effect_after_s = Health.UNHEALTHY, after.at - sealed.at
        if after.recovered_after_s is not None and before.recovered_after_s is None:
            for span in self._ended_with(after.restored_at):
                span.recovered_after_s = after.recovered_after_s

    def _note_stuck(self, state: State) -> None:
        if state.is_stuck_after_restore:
            for span in self._ended_with(state.restored_at):
                span.is_stuck = True

    def _ended_with(self, restored_at: float | None) -> list[CutSpan]:
        """The cuts that broke the service and ended with this restore."""
        if restored_at is None:
            return []
        return [
            span
            for span in self._cuts
            if span.until is not None
            and abs(span.until - restored_at) < _SAME_RESTORE_S
            and span.effect is Health.UNHEALTHY
        ]
