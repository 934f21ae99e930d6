"""The map: a session's graph, one line per row, drawn only where it is looked at."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from belljar_tui.core.layout import GLYPHS, RIGHT, Drawing, Key, Row, draw, key_of, order
from belljar_tui.core.state import DependencyView, State
from belljar_tui.tui import words
from belljar_tui.tui.messages import CutToggled, DependencySelected
from belljar_tui.tui.still import entitle

_NAME, _PORT, _ACTIVITY, _VERDICT = 24, 8, 12, 10
"""Cells of a dependency's columns where there is room; the name gives way first, then the verdict."""
_NAME_WITH_CLAIM = 44
"""Of the name, where there is an address that is said to be somebody."""
_NAME_LEAST = 12
_NARROW = 72
_JUMPS = "asdfghjklqwertyuiopzxcvbnm1234567890"


class GraphView(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows one State at a time. The layout is kept while what it depends on stays the same: a cut repaints rows."""

    def __init__(self) -> None:
        super().__init__(id="map")
        self.state = State()
        self.filter = ""
        self.is_jumping = False
        self.selected: str | None = None
        self._is_chosen = False
        """Whether a person has chosen the row. Until then it is the first, whatever comes."""
        self._shown: tuple[str, ...] = ()
        self._name_most = _NAME
        self._key: Key | None = None
        self._drawing = Drawing((), ())
        self._painted: dict[int, list[Segment]] = {}
        """Row -> what was painted there last."""

    def show(self, state: State) -> None:
        """Take a new state and repaint what is visible."""
        self.state = state
        self._shown = order(state, self.filter)
        self._name_most = _NAME_WITH_CLAIM if any(view.claims for view in state.dependencies.values()) else _NAME
        before = self._drawing
        self._lay_out()
        entitle(self, f"map · {len(self._shown)} with {self.filter!r}" if self.filter else "map")
        if self.selected not in self._shown or (not self._is_chosen and self.selected != self._shown[0]):
            self._select(self._shown[0] if self._shown else None)
        if self._drawing is not before:
            self.refresh()
            return
        base = self.rich_style
        for row in self._rows_in_sight():
            if self._segments(self._drawing.rows[row], base) != self._painted.get(row):
                self.refresh_line(row)

    def _rows_in_sight(self) -> range:
        first = int(self.scroll_offset.y)
        return range(first, min(first + self.size.height, len(self._drawing.rows)))

    def narrow_to(self, text: str) -> None:
        """Show only dependencies whose id has `text` in it; empty shows all."""
        self.filter = text
        self.show(self.state)

    def move(self, steps: int) -> None:
        """Select the row `steps` below (above, if negative), and keep it in sight."""
        if not self._shown:
            return
        self.choose()
        index = self._shown.index(self.selected) if self.selected in self._shown else 0
        self._select(self._shown[max(0, min(len(self._shown) - 1, index + steps))])

    def select(self, dependency: str) -> None:
        """Select a row, where it is shown."""
        if dependency in self._shown:
            self.choose()
            self._select(dependency)

    def choose(self) -> None:
        """From now on the selected row stays selected, whatever comes."""
        self._is_chosen = True

    def jump(self, letter: str) -> None:
        """Select the row with this jump letter; any other key just ends the jump."""
        self.is_jumping = False
        self.choose()
        index = _JUMPS.find(letter)
        if 0 <= index < len(self._shown):
            self._select(self._shown[index])
        self.refresh()

    def start_jump(self) -> None:
        self.is_jumping = True
        self.refresh()

    def on_resize(self) -> None:
        self._key = None
        self.show(self.state)

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        if at is None:
            return
        row = at.y + int(self.scroll_offset.y)
        if not 0 <= row < len(self._drawing.rows):
            return
        dependency = self._drawing.rows[row].dependency
        if dependency is None:
            return
        self.choose()
        self._select(dependency)
        self.post_message(DependencySelected(dependency))
        start = self._edge_width(self._drawing.rows[row])
        if event.chain == 2 or start <= at.x <= start + 2:
            self.post_message(CutToggled(dependency))

    def render_line(self, y: int) -> Strip:
        row = y + int(self.scroll_offset.y)
        width = self.size.width
        if row >= len(self._drawing.rows):
            return Strip.blank(width, self.rich_style)
        base = self.rich_style
        self._painted[row] = self._segments(self._drawing.rows[row], base)
        return Strip(self._painted[row]).adjust_cell_length(width, base).crop(0, width)

    def _lay_out(self) -> None:
        key = key_of(self.state, self._shown)
        if key == self._key:
            return
        self._key = key
        self._painted.clear()
        is_narrow = self.size.width < _NARROW
        self._drawing = draw(key, 9 if is_narrow else 16, 11 if is_narrow else 14)
        self.virtual_size = Size(0, len(self._drawing.rows))  # as wide as there is room: it never scrolls sideways

    def _select(self, dependency: str | None) -> None:
        """Repaints the two rows only: a whole map takes some 10 ms, and a key waits for them."""
        left, self.selected = self.selected, dependency
        for each in (left, dependency):
            row = self._drawing.row_of(each) if each is not None else None
            if row is not None:
                self.refresh_line(row)
        if dependency is not None and row is not None:
            self.scroll_to_region(Region(0, row, 1, 1), animate=False)

    def _edge_width(self, row: Row) -> int:
        return len(row.service) + len(row.gutter) + len(row.process) + len(row.lanes)

    def _segments(self, row: Row, base: Style) -> list[Segment]:
        """`base`: the widget's own style, which takes Textual longer to find than a row takes to paint."""
        dim = base + Style(dim=True)
        view = self.state.dependencies.get(row.dependency or "")
        lanes = "".join(GLYPHS[arms] for arms in row.lanes)
        segments = [
            Segment(row.service, base + Style(bold=True)),
            Segment(row.gutter, dim),
            Segment(row.process, base),
        ]
        if view is None:
            return [*segments, Segment(lanes, dim)]
        edge = ("┄┄" if view.is_cut else "──") if row.lanes[-1] & RIGHT else "  "
        return [*segments, Segment(lanes, dim), *self._dependency(view, base, edge, self._edge_width(row))]

    def _dependency(self, view: DependencyView, base: Style, edge: str, edge_width: int) -> list[Segment]:
        """The dependency's part of a row: edge, glyph, name, port, activity, verdict."""
        mark, name = words.glyph(self.state, view)
        style = base + Style.parse(name)
        host, port = words.split_id(view)
        cursor = Style(reverse=True) if view.id == self.selected else Style()
        text = base + cursor + (Style.parse(name) if view.is_cut else Style())
        room = self.size.width - edge_width - _PORT - _ACTIVITY - 8
        has_verdict = room - _VERDICT >= _NAME_LEAST
        name_width = max(_NAME_LEAST, min(self._name_most, room - _VERDICT if has_verdict else room))
        found, found_style = words.verdict(view)
        letter = ""
        if self.is_jumping and view.id in self._shown[: len(_JUMPS)]:
            letter = _JUMPS[self._shown.index(view.id)]
        return [
            Segment(edge, style),
            Segment(letter or mark, base + Style(reverse=True, bold=True) if letter else style),
            Segment(f"  {words.named(host, view, name_width)} {port:>{_PORT}} ", text),
            Segment(f"{words.activity(self.state, view):>{_ACTIVITY}} ", text),
            Segment(f" {found:<{_VERDICT}}" if has_verdict else "", base + Style.parse(found_style) if found else base),
        ]
