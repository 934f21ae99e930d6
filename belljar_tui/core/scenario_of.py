"""A scenario from a recorded session: what somebody did by hand, and what health did. Pure, over the fold.

Commands are not in a journal, their effects are: events that belong together (less than _SETTLED_S apart) are folded,
and what is wanted after them is compared with what was wanted before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.fold import apply
from belljar_tui.core.model import Health, Mode, Seal, Settings
from belljar_tui.core.scenario import ALL, VERSION, Scenario, Step, claim_of
from belljar_tui.core.state import State

_SETTLED_S = 0.15
"""The events of one command come closer together than two commands of a person."""
_LONG_ENOUGH_S = 1.0
"""Health that had lasted a shorter time is not expected: the next run is a little faster, or slower."""


_CLOCKS_DIFFER_S = 0.5
"""The kernel's time limits are in steps of its own, and an expiry is noticed with the next count."""


class _Hand(msgspec.Struct, frozen=True):
    """What was decided by hand at some moment."""

    seal: Seal = Seal.OPEN
    mode: Mode = Mode.REFUSE
    cuts: dict[str, tuple[Mode, Settings]] = {}
    opens: frozenset[str] = frozenset()
    """Restored by hand under a vacuum seal."""


class NothingWasDone(Exception):
    """The session has no cut, restore or seal to repeat."""


def scenario_of(events: Iterable[ev.AnyEvent], name: str = "") -> Scenario:
    """Times count from when the service was first healthy where that was before anything was done, else from its start;
    they are rounded to tenths.

    Raises:
        NothingWasDone
    """
    maker = _Maker()
    for event in events:
        maker.take(event)
    return maker.scenario(name)


class _Maker:
    def __init__(self) -> None:
        self._state = State()
        self._hand = _Hand()
        self._opens: frozenset[str] = frozenset()
        self._pending: float | None = None
        """When the first event of the present group of changes was."""
        self._latest = 0.0
        self._steps: list[tuple[float, list[Step]]] = []

    def take(self, event: ev.AnyEvent) -> None:
        before = self._state
        if self._pending is not None and event.at - self._latest >= _SETTLED_S:
            self._settle()
        self._state = apply(before, event)
        if isinstance(event, ev.CutApplied | ev.CutRestored | ev.SealChanged):
            self._latest = event.at
            self._pending = event.at if self._pending is None else self._pending
            self._note_opens(event)
        elif isinstance(event, ev.NoteAdded):
            self._steps.append((event.at, [Step(at=0.0, note=event.text)]))

    def scenario(self, name: str) -> Scenario:
        if self._pending is not None:
            self._settle()
        if all(step.note is not None for _, steps in self._steps for step in steps):
            raise NothingWasDone
        made = Scenario(
            belljar_scenario=VERSION,
            name=name or self._state.name or "outage",
            clock="start" if self._healthy_first is None else "healthy",
            steps=tuple(self._timed()),
        )
        return msgspec.structs.replace(made, claim=claim_of(made))

    def _note_opens(self, event: ev.CutApplied | ev.CutRestored | ev.SealChanged) -> None:
        """A restore while the vacuum stays is a decision; the restores that the end of a vacuum brings are not."""
        if isinstance(event, ev.SealChanged):
            self._opens = frozenset()
        elif isinstance(event, ev.CutRestored) and self._state.seal is Seal.VACUUM:
            self._opens |= {event.dependency}
        else:
            self._opens -= {event.dependency}

    def _settle(self) -> None:
        at, self._pending = self._pending or 0.0, None
        wanted = self._state.wanted
        cuts = {one: (mode, wanted.settings_of(one)) for one, mode in wanted.cuts.items()}
        now = _Hand(wanted.seal, wanted.seal_mode, cuts, self._opens)
        steps = list(_steps_between(self._hand, now, at))
        self._hand = now
        if steps:
            self._steps.append((at, steps))

    def _timed(self) -> Iterator[Step]:
        """The steps on the scenario's clock, with what health was before each change and at the end."""
        first, end = self._healthy_first, self._state.at
        zero = self._state.service_started_at if first is None else first
        judged = {at: self._expected(at) for at in self._changes[0 if first is None else 1 :]}
        for at, steps in self._steps:
            moment = _tenth(at - zero)
            health = judged.get(at)
            if health is not None:
                yield Step(expect=health, by=moment)
            yield from (msgspec.structs.replace(step, at=moment) for step in steps)
        last = self._expected(end)
        if last is not None:
            yield Step(expect=last, by=_tenth(end - zero))

    @property
    def _changes(self) -> list[float]:
        return [at for at, steps in self._steps if any(step.note is None for step in steps)]

    @property
    def _healthy_first(self) -> float | None:
        """When the service was first healthy, where that was before anything was done."""
        first = next((one.at for one in self._state.health_spans if one.health is Health.HEALTHY), None)
        return None if first is None or first > min(at for at, _ in self._steps) else first

    def _expected(self, at: float) -> Health | None:
        """The health at `at`, where it had lasted, and had had time to follow the change before."""
        changed = max((one for one in self._changes if one < at), default=self._state.service_started_at)
        turns = [changed]
        health = Health.UNKNOWN
        for one in self._state.health_spans:
            if one.at <= at and one.health is not health:
                health = one.health
                turns.append(one.at)
        return health if health is not Health.UNKNOWN and at - max(turns) >= _LONG_ENOUGH_S else None


def _steps_between(before: _Hand, after: _Hand, at: float) -> Iterator[Step]:
    """Steps (their time is set later) that lead from one to the other, at a moment of the session's clock."""
    gone = [one for one, (_, own) in before.cuts.items() if one not in after.cuts and not _has_run_out(own, at)]
    is_all_open = after.seal is Seal.OPEN and not after.cuts
    if is_all_open and (len(gone) > 1 or (gone and before.seal is Seal.VACUUM)):
        yield Step(at=0.0, restore=ALL)
        return
    if (before.seal, before.mode if before.seal is Seal.VACUUM else None) != (
        after.seal,
        after.mode if after.seal is Seal.VACUUM else None,
    ):
        mode = after.mode if after.seal is Seal.VACUUM else None
        yield Step(at=0.0, seal=after.seal, mode=mode, open=tuple(sorted(after.opens)))
        gone = [one for one in gone if after.seal is Seal.OPEN]
        before = _Hand(after.seal, after.mode, before.cuts if after.seal is Seal.OPEN else {}, after.opens)
    for one in gone:
        yield Step(at=0.0, restore=one)
    for one in sorted(after.opens - before.opens - set(gone)):
        yield Step(at=0.0, restore=one)
    for one, (mode, own) in after.cuts.items():
        if before.cuts.get(one) != (mode, own):
            yield Step(at=0.0, cut=one, mode=mode, settings=_parameters(own, at))


def _has_run_out(own: Settings, at: float) -> bool:
    """Whether the cut's own time limit is what ended it at `at`."""
    return own.until is not None and own.until <= at + _CLOCKS_DIFFER_S


def _parameters(own: Settings, at: float) -> dict[str, Any]:
    """A cut's parameters as its command takes them."""
    given: dict[str, Any] = msgspec.to_builtins(own)
    until = given.pop("until", None)
    return given if until is None else {**given, "for_s": max(_tenth(until - at), 0.1)}


def _tenth(seconds: float) -> float:
    return max(round(seconds, 1), 0.0)
