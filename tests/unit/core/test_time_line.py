from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from belljar_tui.core.fold import apply, fold
from belljar_tui.core.lanes import Cell, Window, blocked_lane, cut_lane, health_lane, ticks
from belljar_tui.core.model import Health, Mode
from belljar_tui.core.state import State
from belljar_tui.core.time_line import Counts, Kind, TimeLine
from tests.unit.strategies import events

AUTH, CACHE = "tcp://auth.lab:9000", "tcp://cache.lab:6379"
streams = st.lists(events, max_size=30)
distances = st.integers(1, 12)


def fed(stream: Sequence[ev.AnyEvent], distance: int = 4) -> TimeLine:
    """A time line with a checkpoint every `distance` events."""
    blocks = [stream[start : start + distance] for start in range(0, len(stream), distance)]
    line = TimeLine(blocks.__getitem__)
    for block in blocks:
        line.feed(block)
    return line


@given(streams, distances, st.lists(st.integers(-1, 32), max_size=12))
def test_any_moment_is_a_fold_from_the_start(stream: list[ev.AnyEvent], distance: int, visits: list[int]) -> None:
    line = fed(stream, distance)
    for index in visits:
        assert line.state_at(index) == fold(stream[: max(0, index)])
    assert line.last == fold(stream)


@given(streams, distances, st.lists(st.floats(0, 1.1e5), max_size=8))
def test_a_time_is_the_last_moment_that_is_not_later(
    stream: list[ev.AnyEvent], distance: int, times: list[float]
) -> None:
    line = fed(stream, distance)
    clocks = [state.at for state in accumulate(stream, apply, initial=State())][1:]
    for at in (*times, *clocks):
        index = line.index_at(at)
        assert index == sum(clock <= at for clock in clocks)
        assert line.state_at(index) == fold(event for event, clock in zip(stream, clocks, strict=True) if clock <= at)


@given(streams, distances)
def test_every_event_can_be_asked_for(stream: list[ev.AnyEvent], distance: int) -> None:
    line = fed(stream, distance)
    assert [line.event(index) for index in range(len(stream) + 2)] == [None, *stream, None]


@given(streams, distances, st.sampled_from(list(Kind)))
def test_jumping_on_and_back_meets_the_same_moments(stream: list[ev.AnyEvent], distance: int, kind: Kind) -> None:
    line = fed(stream, distance)
    there, back = [], []
    index: int | None = 0
    while (index := line.next(kind, index or 0)) is not None:
        there.append(index)
    index = line.count + 1
    while (index := line.previous(kind, index)) is not None:
        back.append(index)
    assert there == back[::-1] == sorted(set(there))


def cut(at: float, dependency: str = AUTH, mode: Mode = Mode.REFUSE) -> ev.CutApplied:
    return ev.CutApplied(at=at, dependency=dependency, mode=mode)


def blocked(at: float, dependency: str = AUTH) -> ev.CallBlocked:
    return ev.CallBlocked(at=at, dependency=dependency, mode=Mode.REFUSE, pid=7, process="web", count=2)


def health(at: float, value: Health) -> ev.HealthChanged:
    return ev.HealthChanged(at=at, health=value, check="", detail="")


OUTAGE: list[ev.AnyEvent] = [
    health(1.0, Health.HEALTHY),
    cut(2.0),
    cut(2.0, CACHE),
    blocked(3.0),
    blocked(3.5),
    health(4.0, Health.UNHEALTHY),
    health(4.5, Health.UNHEALTHY),
    ev.NoteAdded(at=5.0, text="here"),
    ev.CutRestored(at=6.0, dependency=AUTH),
    health(8.0, Health.HEALTHY),
    ev.SessionEnded(at=10.0, reason="quit"),
]


def jumps(kind: Kind) -> list[int]:
    line, found = fed(OUTAGE), []
    index: int | None = 0
    while (index := line.next(kind, index or 0)) is not None:
        found.append(index)
    return found


def test_what_can_be_jumped_to() -> None:
    assert jumps(Kind.CUT) == [3, 9], "changes in a row are one moment"
    assert jumps(Kind.HEALTH) == [1, 6, 10], "the same health again is no change"
    assert jumps(Kind.BLOCKED) == [4]
    assert jumps(Kind.NOTE) == [8]


def test_lanes_say_when_what_was_cut_blocked_and_healthy() -> None:
    line, window = fed(OUTAGE), Window(0, 10, 10)
    assert "".join(_LETTERS[cell] for cell in cut_lane(line, AUTH, window)) == "..-#---..."
    assert "".join(_LETTERS[cell] for cell in cut_lane(line, CACHE, window)) == "..--------"
    assert sum(blocked_lane(line.blocked, window)) == 4
    assert "".join((value or "none")[0] for value in health_lane(line, window)) == "uhhhuuuuhh"


_LETTERS = {Cell.OPEN: ".", Cell.CUT: "-", Cell.BLOCKED: "#"}


@given(st.lists(st.tuples(st.floats(0, 1e6), st.integers(1, 9)), max_size=40), st.integers(1, 60))
def test_no_blocked_call_falls_out_of_the_lane(calls: list[tuple[float, int]], columns: int) -> None:
    counts = Counts(16)
    for at, count in calls:
        counts.add(at, count)
    end = max((at for at, _ in calls), default=0.0)
    assert sum(blocked_lane(counts, Window(0, end, columns))) == sum(count for _, count in calls)
    assert len(counts.buckets) <= 16


def test_a_time_that_goes_back_is_told_and_a_jitter_is_not() -> None:
    line = fed([blocked(5.0), blocked(4.9), blocked(1.0), blocked(6.0)])
    assert [(each.index, each.by_s) for each in line.backwards] == [(3, 4.0)]


def test_ticks_are_round_and_have_room() -> None:
    assert ticks(Window(0, 100, 100)) == [0, 15, 30, 45, 60, 75, 90]
    assert len(ticks(Window(0, 1e7, 80))) <= 8
    assert ticks(Window(0, 0, 80)) == [0]
