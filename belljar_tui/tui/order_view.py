"""The plan as rows and lines, drawn only where it is looked at."""

from __future__ import annotations

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from belljar_tui.core.order.drawing import Cell, Drawing, draw, lines_of, pairs_of
from belljar_tui.core.order.plan import Order
from belljar_tui.tui.words import fitted

_NAME_LEAST, _NAME_NARROW, _NAME_MOST, _NARROW = 14, 20, 32, 72
"""A heading fits into the least."""
_BEFORE = 4
"""Cells before a name: how it stands to the selected one, and its mark."""
_LANES_AT_FIRST, _LANES_MOST = 40, 400
"""Up to so many, all lines are drawn without being asked for; and at all."""
_RELATED = {(False, False): " ", (True, False): "↑", (False, True): "↓", (True, True): "↕"}
"""(the selected one needs it, it needs the selected one)"""


class ServiceSelected(Message):
    """A service was chosen with keys or mouse."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self.service = service


class ServiceFollowed(Message):
    """A selected service was clicked again."""


class OrderView(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows one plan. Names stand still while lines are panned."""

    def __init__(self, order: Order) -> None:
        super().__init__(id="plan")
        self._order = order
        self._lines = lines_of(order)
        self._rows = {line.service: row for row, line in enumerate(self._lines) if line.service}
        self._names = list(self._rows)
        self._tangled = {one for pair in order.tangled for one in pair}
        self.selected = self._names[0]
        self.is_all = len(order.services) <= _LANES_AT_FIRST
        self._drawing = Drawing(self._lines, (), 0)
        self._knots: dict[str, tuple[int, int]] = {}
        """Rows between which a lane is part of a cycle, by its service."""
        for one, need in order.tangled:
            rows = (self._rows[one], self._rows[need], *self._knots.get(need, ()))
            self._knots[need] = (min(rows), max(rows))

    @property
    def can_show_all(self) -> bool:
        """Whether the lines of all are few enough to be of any use."""
        return sum(1 for service in self._order.services.values() if service.needed_by) <= _LANES_MOST

    def on_mount(self) -> None:
        self.select(self.selected)

    def on_resize(self) -> None:
        self._lay_out()

    def select(self, service: str) -> None:
        """Select it, and keep it and its wave's heading in sight."""
        self.selected = service
        self._lay_out()
        row = self._rows[service]
        heading = 1 if not self._lines[row - 1].service else 0
        x = int(self.scroll_offset.x)
        self.scroll_to_region(Region(x, row - heading, 1, 1 + heading), animate=False)
        self.post_message(ServiceSelected(service))

    def move(self, steps: int) -> None:
        index = self._names.index(self.selected) + steps
        self.select(self._names[max(0, min(len(self._names) - 1, index))])

    def move_wave(self, steps: int) -> None:
        """To the first service of the wave below (above)."""
        firsts = [row + 1 for row, line in enumerate(self._lines) if line.heading]
        here = sum(1 for row in firsts if row <= self._rows[self.selected]) - 1
        self.select(self._lines[firsts[max(0, min(len(firsts) - 1, here + steps))]].service)

    def next_with(self, wanted: str) -> bool:
        """Select the next service with `wanted` in its name; whether there is one."""
        return self._select_next([name for name in self._names if wanted.lower() in name.lower()])

    def next_tangled(self) -> bool:
        """Select the next service in a cycle; whether there is one."""
        return self._select_next([name for name in self._names if name in self._tangled])

    def toggle_lines(self) -> None:
        self.is_all = not self.is_all and self.can_show_all
        self._lay_out()

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        row = at.y + int(self.scroll_offset.y) if at is not None else -1
        if not 0 <= row < len(self._lines) or not self._lines[row].service:
            return
        if event.chain == 2:
            self.post_message(ServiceFollowed())
        else:
            self.select(self._lines[row].service)

    def render_line(self, y: int) -> Strip:
        row = y + int(self.scroll_offset.y)
        width = self.size.width
        if row >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        return Strip(self._segments(row)).adjust_cell_length(width, self.rich_style).crop(0, width)

    def _select_next(self, names: list[str]) -> bool:
        if names:
            here = self._rows[self.selected]
            self.select(next((name for name in names if self._rows[name] > here), names[0]))
        return bool(names)

    def _lay_out(self) -> None:
        pairs = pairs_of(self._order, None if self.is_all else [self.selected])
        self._drawing = draw(self._lines, pairs)
        width = _BEFORE + self._name_width + 2 + self._drawing.width
        self.virtual_size = Size(width if width > self.size.width else 0, len(self._lines))
        self.refresh()

    @property
    def _name_width(self) -> int:
        most = _NAME_NARROW if self.size.width < _NARROW else _NAME_MOST
        return max(_NAME_LEAST, min(most, max(map(cell_len, self._names))))

    def _segments(self, row: int) -> list[Segment]:
        base = self.rich_style
        line = self._lines[row]
        cells = self._drawing.cells(row)[int(self.scroll_offset.x) :]
        lanes = [Segment(cell.glyph, base + self._cell_style(cell, row)) for cell in cells]
        if line.heading:
            width = _BEFORE + self._name_width + 2
            heading = base + Style.parse("bold" if line.heading.startswith("wave") else "bold red")
            return [Segment(fitted(f" {line.heading}", width), heading), *lanes]
        name, is_selected = line.service, line.service == self.selected
        mark, mark_style = self._mark(name)
        style = base + Style.parse(mark_style)
        bare = set_cell_size(name, min(cell_len(name), self._name_width))
        if cell_len(name) > self._name_width:
            bare = set_cell_size(name, self._name_width - 1) + "…"
        is_joined = any(lane.joins(row) for lane in self._drawing.lanes)
        wire = " " + ("─" if is_joined else " ") * (self._name_width - cell_len(bare) + 1)
        return [
            Segment(f"{'▶' if is_selected else self._relation(name)} ", base + Style(bold=True)),
            Segment(f"{mark} ", style),
            Segment(bare, style + Style(reverse=is_selected)),
            Segment(wire, base + (Style(bold=True) if is_selected else Style(dim=True))),
            *lanes,
        ]

    def _mark(self, name: str) -> tuple[str, str]:
        if name in self._tangled:
            return "↻", "red"
        return ("○", "") if self._order.services[name].wave is not None else ("✗", "yellow")

    def _relation(self, name: str) -> str:
        users = self._order.services[name].needed_by
        needs = any(need.service == self.selected for need in self._order.services[name].needs)
        return _RELATED[self.selected in users, needs]

    def _cell_style(self, cell: Cell, row: int) -> Style:
        """Lines of the selected service stand out, those of a cycle are red, the rest is dim."""
        chosen = self._rows[self.selected]
        lane = cell.lane
        if lane is None:
            return Style(bold=True) if row == chosen else Style(dim=True)
        first, last = sorted((lane.own, chosen))
        is_own = lane.service == self.selected or (lane.joins(chosen) and first <= row <= last)
        knot = self._knots.get(lane.service)
        if knot is not None and knot[0] <= row <= knot[1]:
            return Style(color="red", bold=is_own)
        return Style(color="cyan", bold=True) if is_own else Style(dim=True)
