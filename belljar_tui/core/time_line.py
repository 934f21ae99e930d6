"""A recorded session as one line of moments: any of them exactly, quickly, and without keeping a single event.

The line is fed block by block, once. Before each block it keeps the state, so that a moment is a fold over a part of
one block. A moment is an *index*: how many events have happened. Its *clock* is the fold's: it never runs backwards, so
that a time stands for one moment too, the last one that is not later.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Health, Mode
from belljar_tui.core.state import State
from belljar_tui.core.trial import TrialVerdict

Load = Callable[[int], Sequence[ev.AnyEvent]]
"""The events of a block, by its number; the same each time."""

JITTER_S = 1.0
"""What has seen a thing and what writes it down are two processes: so far back, a time is nothing to speak of."""
_FINE, _COARSE = 4096, 512
"""Most buckets that blocked calls are counted in: all of them, and those of one dependency."""


class Kind(StrEnum):
    """What one can jump to."""

    CUT = "cut"
    """A cut or a restore; several in a row, as under a vacuum, are one."""
    HEALTH = "health change"
    NOTE = "note"
    BLOCKED = "first blocked call"
    """The first call that meets a cut."""
    TRIAL = "trial"
    """The end of a search's trial."""


class CutSpan(msgspec.Struct, gc=False):
    """A cut, from its moment to the restore or to a cut in another mode."""

    start: float
    mode: Mode
    end: float | None = None
    """None while it lasts."""


class Backwards(msgspec.Struct, frozen=True, gc=False):
    """A time earlier than one before it."""

    index: int
    """Of the event, from 1."""
    by_s: float


class Counts:
    """How much happened when, in at most `most` buckets however long it takes: they double as time goes on."""

    def __init__(self, most: int) -> None:
        self._most = most
        self.width_s = 1 / 64
        self.buckets: dict[int, int] = {}

    def add(self, at: float, count: int) -> None:
        bucket = int(at / self.width_s)
        if bucket in self.buckets:
            self.buckets[bucket] += count
            return
        if bucket >= self._most:
            self._widen(at)
            bucket = int(at / self.width_s)
        self.buckets[bucket] = self.buckets.get(bucket, 0) + count

    def _widen(self, at: float) -> None:
        while at / self.width_s >= self._most:
            self.width_s *= 2
            halved: dict[int, int] = {}
            for bucket, count in self.buckets.items():
                halved[bucket // 2] = halved.get(bucket // 2, 0) + count
            self.buckets = halved


class _Block(msgspec.Struct, gc=False):
    """A checkpoint: what held before the block's first event."""

    first: int
    state: State


class TimeLine:
    """Feed it every block in order; ask for any moment so far at any time.

    Args:
        load: gives back a block that was fed.
    """

    def __init__(self, load: Load) -> None:
        self._load = load
        self._blocks: list[_Block] = []
        self._open: tuple[int, Sequence[ev.AnyEvent]] | None = None
        self._near: tuple[int, State] = (0, State())
        self._hit: set[str] = set()
        self._health = Health.UNKNOWN
        self._jumps = {kind: array("Q") for kind in Kind}
        self.count = 0
        """Events so far."""
        self.last = State()
        """The state after all of them."""
        self.health: list[tuple[float, Health]] = []
        """When health turned, and to what."""
        self.cuts: dict[str, list[CutSpan]] = {}
        """By dependency, in the order first cut."""
        self.notes: list[tuple[float, ev.NoteAdded]] = []
        self.blocked = Counts(_FINE)
        self.blocked_by: dict[str, Counts] = {}
        self.backwards: list[Backwards] = []
        self.trials: list[tuple[float, TrialVerdict]] = []
        """When a trial ended, and with what. Not those that were recalled."""

    @property
    def end(self) -> float:
        """The clock after everything so far, seconds since the session's start."""
        return self.last.at

    def feed(self, events: Sequence[ev.AnyEvent]) -> None:
        """The next block."""
        if not events:
            return
        self._blocks.append(_Block(self.count, self.last))
        clock, index = self.last.at, self.count
        for event in events:
            index += 1
            at = event.at
            if at > clock:
                clock = at
            elif at < clock - JITTER_S:
                self.backwards.append(Backwards(index, clock - at))
            kind = type(event)
            if kind in _MARKS:
                _MARKS[kind](self, event, index, clock)
        self.last = fold(events, self.last)
        self.count = index

    def state_at(self, index: int) -> State:
        """The fold of the first `index` events."""
        index = max(0, min(index, self.count))
        if index == self.count:
            return self.last
        number = self._block_of(index)
        first, state = self._blocks[number].first, self._blocks[number].state
        if first <= self._near[0] <= index:
            first, state = self._near
        offset = self._blocks[number].first
        events = self._events(number)[first - offset : index - offset]
        state = fold(events, state) if events else state
        self._near = (index, state)
        return state

    def index_at(self, at: float) -> int:
        """How many events have happened at a time."""
        if not self._blocks or at >= self.end:
            return self.count
        number = max(0, bisect_right(self._blocks, at, key=lambda block: block.state.at) - 1)
        clock, index = self._blocks[number].state.at, self._blocks[number].first
        for event in self._events(number):
            clock = max(clock, event.at)
            if clock > at:
                break
            index += 1
        return index

    def event(self, index: int) -> ev.AnyEvent | None:
        """The last of the first `index` events."""
        if not 0 < index <= self.count:
            return None
        number, place = self.place_of(index)
        return self._events(number)[place]

    def place_of(self, index: int) -> tuple[int, int]:
        """Block, and place in it, of the `index`-th event, from 1; both from 0."""
        number = self._block_of(index - 1)
        return number, index - 1 - self._blocks[number].first

    def next(self, kind: Kind, index: int) -> int | None:
        """The first moment of a kind after `index`."""
        jumps = self._jumps[kind]
        at = bisect_right(jumps, index)
        return jumps[at] if at < len(jumps) else None

    def previous(self, kind: Kind, index: int) -> int | None:
        """The last moment of a kind before `index`."""
        jumps = self._jumps[kind]
        at = bisect_left(jumps, index)
        return jumps[at - 1] if at else None

    def _block_of(self, index: int) -> int:
        """The block that the event after `index` is in."""
        return bisect_right(self._blocks, index, key=lambda block: block.first) - 1

    def _events(self, number: int) -> Sequence[ev.AnyEvent]:
        if self._open is None or self._open[0] != number:
            self._open = (number, self._load(number))
        return self._open[1]

    def _mark(self, kind: Kind, index: int) -> None:
        self._jumps[kind].append(index)

    def _mark_change(self, index: int) -> None:
        """Changes in a row are one moment: the last of them."""
        changes = self._jumps[Kind.CUT]
        if changes and changes[-1] == index - 1:
            changes[-1] = index
        else:
            changes.append(index)

    def _cut(self, event: ev.CutApplied, index: int, clock: float) -> None:
        self._hit.discard(event.dependency)
        spans = self.cuts.setdefault(event.dependency, [])
        _close(spans, clock)
        spans.append(CutSpan(clock, event.mode))
        self._mark_change(index)

    def _restore(self, event: ev.CutRestored, index: int, clock: float) -> None:
        _close(self.cuts.get(event.dependency, []), clock)
        self._mark_change(index)

    def _block(self, event: ev.CallBlocked, index: int, clock: float) -> None:
        if event.dependency not in self._hit:
            self._hit.add(event.dependency)
            self._mark(Kind.BLOCKED, index)
        self.blocked.add(clock, event.count)
        counts = self.blocked_by.get(event.dependency)
        if counts is None:
            counts = self.blocked_by[event.dependency] = Counts(_COARSE)
        counts.add(clock, event.count)

    def _turn(self, event: ev.HealthChanged, index: int, clock: float) -> None:
        if event.health is not self._health:
            self._health = event.health
            self.health.append((clock, event.health))
            self._mark(Kind.HEALTH, index)

    def _note(self, event: ev.NoteAdded, index: int, clock: float) -> None:
        self.notes.append((clock, event))
        self._mark(Kind.NOTE, index)

    def _try(self, event: ev.TrialEnded, index: int, clock: float) -> None:
        if not event.is_recalled:
            self.trials.append((clock, event.outcome.verdict))
            self._mark(Kind.TRIAL, index)


def _close(spans: list[CutSpan], at: float) -> None:
    if spans and spans[-1].end is None:
        spans[-1].end = at


_MARKS: dict[type[ev.Event], Callable[[TimeLine, Any, int, float], None]] = {
    ev.CutApplied: TimeLine._cut,
    ev.CutRestored: TimeLine._restore,
    ev.CallBlocked: TimeLine._block,
    ev.HealthChanged: TimeLine._turn,
    ev.NoteAdded: TimeLine._note,
    ev.TrialEnded: TimeLine._try,
}
