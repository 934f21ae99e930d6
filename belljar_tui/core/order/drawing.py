"""A plan as rows and lines: pure and deterministic.

One row per service, wave under wave; what others need has a lane, a vertical line right of the names:

    wave 1
      cache      ──●
      orders-db  ──╫─●
    wave 2
      pay-a      ──┤ │        needs cache
      auth       ──╫─┤        needs orders-db
    wave 3
      checkout   ──┴─╯        needs both

How to read it: a row's line is the service itself, and runs right to the last lane it touches. ● begins the lane of
that row's own service; any other join means that the row needs the service whose ● is on that lane. ╫ is a bridge: it
joins nothing. Lanes in one column have at least an empty cell between them, so no lane ever seems to go on as another.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence

import msgspec

from belljar_tui.core.layout import BRIDGE, DOWN, GLYPHS, LEFT, RIGHT, UP
from belljar_tui.core.order.plan import Order

OWN = "●"
"""Where a lane's own service joins it."""


class Line(msgspec.Struct, frozen=True):
    """One line of the drawing: a heading, or a service."""

    heading: str = ""
    service: str = ""


class Lane(msgspec.Struct, frozen=True):
    """A service's vertical line, with everyone who needs it."""

    service: str
    own: int
    """The row of the service itself."""
    rows: tuple[int, ...]
    """Every row that joins it, its own among them, sorted."""
    column: int

    def is_on(self, row: int) -> bool:
        return self.rows[0] <= row <= self.rows[-1]

    def joins(self, row: int) -> bool:
        place = bisect_left(self.rows, row)
        return place < len(self.rows) and self.rows[place] == row


class Cell(msgspec.Struct, frozen=True):
    """One character right of the names, and what it is part of."""

    glyph: str
    lane: Lane | None
    """The lane that passes or joins here; None: only the row's own line, or nothing."""


class Drawing(msgspec.Struct, frozen=True):
    lines: tuple[Line, ...]
    lanes: tuple[Lane, ...]
    width: int
    """Cells right of the names."""

    def cells(self, row: int) -> tuple[Cell, ...]:
        """What stands right of the name on a row. Made when it is looked at: a frame costs what it shows."""
        here = {lane.column: lane for lane in self.lanes if lane.is_on(row)}
        last = max((column for column, lane in here.items() if lane.joins(row)), default=-1)
        return tuple(_cell(row, column, here.get(column), last) for column in range(self.width))


def lines_of(order: Order) -> tuple[Line, ...]:
    """Wave by wave, then what is in a cycle and what waits for one."""
    tangled = {one for pair in order.tangled for one in pair}
    groups: list[tuple[str, Sequence[str]]] = [(f"wave {n}", wave) for n, wave in enumerate(order.waves, 1)]
    groups.append(("in a cycle", [one for one in order.blocked if one in tangled]))
    groups.append(("waits for a cycle", [one for one in order.blocked if one not in tangled]))
    lines: list[Line] = []
    for heading, names in groups:
        if names:
            lines += [Line(heading=heading), *(Line(service=name) for name in names)]
    return tuple(lines)


def pairs_of(order: Order, only: Collection[str] | None = None) -> list[tuple[str, str]]:
    """(service, what it needs): all, or those that touch one of `only`."""
    names = order.services if only is None else only
    pairs = [(name, need.service) for name in names for need in order.services[name].needs]
    if only is not None:
        pairs += [(user, name) for name in only for user in order.services[name].needed_by]
    return sorted(set(pairs))


def draw(lines: Sequence[Line], pairs: Iterable[tuple[str, str]]) -> Drawing:
    """Lay the lanes out, each in the first column that is free where it runs.

    Args:
        pairs: (service, what it needs) of what is to be drawn; both have a line.
    """
    row_of = {line.service: row for row, line in enumerate(lines) if line.service}
    joined: dict[str, set[int]] = {}
    for service, need in pairs:
        joined.setdefault(need, {row_of[need]}).add(row_of[service])
    lanes = _placed(joined, row_of)
    width = 2 * max((lane.column // 2 for lane in lanes), default=-1) + 2
    return Drawing(tuple(lines), tuple(lanes), width if lanes else 0)


def _placed(joined: Mapping[str, Collection[int]], row_of: Mapping[str, int]) -> list[Lane]:
    waiting = sorted(
        ((tuple(sorted(rows)), service) for service, rows in joined.items() if joined),
        key=lambda one: (one[0][0], -one[0][-1], one[1]),
    )
    ends: list[int] = []
    """The last row taken in each column."""
    lanes = []
    for rows, service in waiting:
        place = next((index for index, end in enumerate(ends) if end + 1 < rows[0]), len(ends))
        ends[place:] = [rows[-1], *ends[place + 1 :]]
        lanes.append(Lane(service, row_of[service], rows, 2 * place + 1))
    return lanes


def _cell(row: int, column: int, lane: Lane | None, last: int) -> Cell:
    wire = (LEFT if column <= last else 0) | (RIGHT if column < last else 0)
    if lane is None:
        return Cell(GLYPHS[wire], None)
    arms = (UP if row > lane.rows[0] else 0) | (DOWN if row < lane.rows[-1] else 0)
    if not lane.joins(row):
        return Cell(GLYPHS[arms | wire | BRIDGE] if wire else GLYPHS[arms], lane)
    return Cell(OWN if lane.own == row else GLYPHS[arms | wire], lane)
