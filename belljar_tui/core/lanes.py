"""The time line drawn: what each column of a window of time shows, lane by lane. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from enum import StrEnum

import msgspec

from belljar_tui.core.model import Health
from belljar_tui.core.time_line import Counts, CutSpan, TimeLine
from belljar_tui.core.trial import TrialVerdict


class Window(msgspec.Struct, frozen=True):
    """A stretch of time, seconds since the session's start, and the columns it is shown in."""

    start: float
    end: float
    columns: int

    @property
    def column_s(self) -> float:
        """Seconds a column stands for."""
        return max(self.end - self.start, 1e-9) / max(1, self.columns)

    def column(self, at: float) -> int:
        """Where a moment is shown; outside 0 … columns - 1 where it is not."""
        column = int((at - self.start) // self.column_s)
        return min(column, self.columns - 1) if at <= self.end else column

    def at(self, column: int) -> float:
        """The first moment of a column."""
        return self.start + column * self.column_s


class Cell(StrEnum):
    """What a column says of a dependency."""

    OPEN = "open"
    CUT = "cut"
    BLOCKED = "cut, calls blocked"


def health_lane(line: TimeLine, window: Window) -> list[Health | None]:
    """The worst health of each column; None where nothing has happened yet."""
    times = [at for at, _ in line.health]
    lane: list[Health | None] = []
    for column in range(window.columns):
        before_end = bisect_right if column == window.columns - 1 else bisect_left
        first, last = bisect_right(times, window.at(column)), before_end(times, window.at(column + 1))
        held = {line.health[first - 1][1]} if first else {Health.UNKNOWN}
        turned = {health for _, health in line.health[first : min(last, first + _TURNS)]}
        is_over = window.at(column) > line.end
        lane.append(None if is_over else next(health for health in _WORST_FIRST if health in held | turned))
    return lane


_WORST_FIRST = (Health.UNHEALTHY, Health.HEALTHY, Health.UNKNOWN)
_TURNS = 64
"""Turns looked at in one column: in more than that both are."""


def blocked_lane(counts: Counts | None, window: Window) -> list[int]:
    """Blocked calls of each column."""
    lane = [0] * window.columns
    if counts is None:
        return lane
    for bucket, count in counts.buckets.items():
        column = window.column(min((bucket + 0.5) * counts.width_s, max(window.end, bucket * counts.width_s)))
        if 0 <= column < window.columns:
            lane[column] += count
    return lane


def cut_lane(line: TimeLine, dependency: str, window: Window) -> list[Cell]:
    """Where a dependency was cut, and where calls met the cut."""
    lane = [Cell.OPEN] * window.columns
    for span in line.cuts.get(dependency, []):
        first, last = _columns(span, line.end, window)
        lane[first : last + 1] = [Cell.CUT] * max(0, last + 1 - first)
    for column, count in enumerate(blocked_lane(line.blocked_by.get(dependency), window)):
        if count and lane[column] is Cell.CUT:
            lane[column] = Cell.BLOCKED
    return lane


def trial_lane(line: TimeLine, window: Window) -> list[TrialVerdict | None]:
    """The last trial that ended in each column."""
    lane: list[TrialVerdict | None] = [None] * window.columns
    for at, verdict in line.trials:
        column = window.column(at)
        if 0 <= column < window.columns:
            lane[column] = verdict
    return lane


def _columns(span: CutSpan, end: float, window: Window) -> tuple[int, int]:
    last = window.column(span.end if span.end is not None else end)
    return max(0, window.column(span.start)), min(window.columns - 1, last)


def ticks(window: Window, room: int = 12) -> list[float]:
    """Round moments to write under the lanes, at least `room` columns apart."""
    least = window.column_s * room
    step = next((step for step in _STEPS if step >= least), None)
    if step is None:
        step = _STEPS[-1]
        while step < least:
            step *= 2
    first = int(window.start // step) + (window.start % step > 0)
    return [number * step for number in range(first, int(window.end // step) + 1)]


_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
