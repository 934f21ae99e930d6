"""The grid of trials: one row per dependency, one column per trial, drawn only where it is looked at."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.geometry import Region, Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

from belljar_tui.core.grid import Cell, Column, Grid, Heading, Row, grid
from belljar_tui.core.search_view import SearchView, TrialView
from belljar_tui.tui import search_words as say
from belljar_tui.tui.messages import TrialSelected

HEAD = 2
"""Lines above the first row: numbers, verdicts."""
_STEP = 2
"""Cells of a column."""
_DECISION = 16
_LEAST_NAME, _LEAST_COLUMNS = 10, 12
_NARROW = 100

Cells = list[tuple[str, str]]
"""Glyphs and their styles, as words."""


class TrialGrid(ScrollView, can_focus=True, inherit_bindings=False):
    """Shows one SearchView at a time. Names at the left, decisions at the right and verdicts above stay in sight."""

    def __init__(self) -> None:
        super().__init__(id="trials")
        self.grid = Grid()
        self.dependency: str | None = None
        """The selected row."""
        self.number: int | None = None
        """The selected trial."""
        self.is_following = True
        """The newest trial is selected as it comes."""
        self._expected = 0
        self._turn = 0
        self._base = Style()
        self._host, self._port, self._left, self._room = _LEAST_NAME, 0, _LEAST_NAME + 4, _STEP

    def show(self, view: SearchView, now: float) -> None:
        """Take a new state of the search and repaint what is visible."""
        self.grid = grid(view, self.grid)
        self._expected = view.expected
        self._turn = int(now * 4) % len(say.TURNING)
        ids = [row.dependency for row in self.grid.rows]
        if self.dependency not in ids:
            self.dependency = ids[0] if ids else None
        self._lay_out()
        if self.is_following or self.number not in view.trials:
            self._select(max(view.trials, default=None))
        self.refresh()

    def turn(self, now: float) -> None:
        """Move the headings of what is running."""
        turn = int(now * 4) % len(say.TURNING)
        if turn != self._turn and any(column.heading is Heading.RUNNING for column in self.grid.columns[-32:]):
            self._turn = turn
            self.refresh(Region(0, 0, self.size.width, HEAD))

    @property
    def trial(self) -> TrialView | None:
        """The selected trial."""
        return next((c.trial for c in self.grid.columns if c.trial.number == self.number), None)

    def move_row(self, steps: int) -> None:
        """Select the dependency `steps` below (above, if negative), and keep it in sight."""
        ids = [row.dependency for row in self.grid.rows]
        if not ids:
            return
        index = ids.index(self.dependency) if self.dependency in ids else 0
        self._choose_row(max(0, min(len(ids) - 1, index + steps)))

    def move_trial(self, steps: int) -> None:
        """Select the trial `steps` later (earlier, if negative). At the newest, what comes is followed again."""
        numbers = [column.trial.number for column in self.grid.columns]
        if not numbers:
            return
        index = numbers.index(self.number) if self.number in numbers else len(numbers) - 1
        index = max(0, min(len(numbers) - 1, index + steps))
        self.is_following = index == len(numbers) - 1
        self._select(numbers[index])

    def choose(self, number: int) -> None:
        """Select a trial by its number. The newest is followed."""
        numbers = [column.trial.number for column in self.grid.columns]
        if number in numbers:
            self.is_following = number == numbers[-1]
            self._select(number)

    def on_resize(self) -> None:
        """Put the newest in sight, as far as the selected one stays there: whatever was in sight at another size, or
        chosen while there was none."""
        self._lay_out()
        index = self._index
        if index is not None:
            self._show_from(min(index, max(0, len(self.grid.columns) - self._many)))

    def watch_show_horizontal_scrollbar(self, is_shown: bool) -> None:
        """A bar is told of scrolls while it is shown only: one that comes later does not know where it is."""
        if is_shown:
            self.horizontal_scrollbar.position = self.scroll_x

    def on_click(self, event: events.Click) -> None:
        at = event.get_content_offset(self)
        if at is None:
            return
        row = at.y - HEAD + int(self.scroll_offset.y)
        if at.y >= HEAD and 0 <= row < len(self.grid.rows):
            self._choose_row(row)
        column = (at.x - self._left) // _STEP + self._first_column
        if self._left <= at.x < self._left + self._room and 0 <= column < len(self.grid.columns):
            self.move_trial(column - next((i for i, c in enumerate(self.grid.columns) if c.trial is self.trial), 0))

    def render_lines(self, crop: Region) -> list[Strip]:
        """All lines of one paint share what is dear to ask for."""
        self._base = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        width = self.size.width
        row = y - HEAD + int(self.scroll_offset.y)
        if y < HEAD:
            cells = self._numbers() if y == 0 else self._verdicts()
        elif row < len(self.grid.rows):
            cells = self._cells(self.grid.rows[row], row)
        else:
            cells = []
        return Strip(_painted(cells, self._base)).adjust_cell_length(width, self._base).crop(0, width)

    # Where things are

    def _lay_out(self) -> None:
        names = [say.split(row.dependency) for row in self.grid.rows]
        width = self.size.width
        self._port = max((len(port) for _, port in names), default=0)
        most = 18 if width < _NARROW else 34
        longest = max((len(host) for host, _ in names), default=0)
        least_left = width - _DECISION - _LEAST_COLUMNS * _STEP - self._port - 4
        self._host = max(_LEAST_NAME, min(longest, most, least_left))
        self._left = self._host + self._port + 4
        room = (width - self._left - _DECISION) // _STEP * _STEP
        ahead = -(-(len(self.grid.columns) + self._expected) // 5) * 5  # by fives, so that the right end seldom moves
        self._room = max(_STEP, min(room, ahead * _STEP))
        hidden = max(0, len(self.grid.columns) * _STEP - self._room)
        self.virtual_size = Size(width + hidden if hidden else 1, HEAD + len(self.grid.rows))

    @property
    def _first_column(self) -> int:
        return -(-int(self.scroll_offset.x) // _STEP)

    @property
    def _shown(self) -> tuple[Column, ...]:
        return self.grid.columns[self._first_column : self._first_column + self._many]

    @property
    def _many(self) -> int:
        """So many columns have room."""
        return self._room // _STEP

    def _choose_row(self, index: int) -> None:
        self.dependency = self.grid.rows[index].dependency
        height = max(1, self.size.height - HEAD)
        top = min(max(int(self.scroll_offset.y), index - height + 1), index)
        self.scroll_to(y=top, animate=False, force=True)
        self.post_message(TrialSelected())
        self.refresh()

    def _select(self, number: int | None) -> None:
        """Select a trial and keep it in sight."""
        self.number = number
        index = self._index
        if index is not None:
            self._show_from(min(max(self._first_column, index - self._many + 1), index))

    @property
    def _index(self) -> int | None:
        """The selected trial's place among all columns."""
        return next((i for i, c in enumerate(self.grid.columns) if c.trial.number == self.number), None)

    def _show_from(self, first: int) -> None:
        """Let that column be the first in sight."""
        if first != self._first_column or int(self.scroll_offset.x) % _STEP:
            self.scroll_to(x=first * _STEP, animate=False, force=True)
        self.post_message(TrialSelected())
        self.refresh()

    # What stands there

    def _numbers(self) -> Cells:
        """Every fifth number, its last digit above its column."""
        line = [" "] * (self._left + self._room + 4)
        for index, column in enumerate(self._shown):
            number = str(column.trial.number)
            if column.trial.number == 1 or column.trial.number % 5 == 0:
                end = self._left + index * _STEP
                line[end - len(number) + 1 : end + 1] = number
        return [("".join(line), "dim")]

    def _verdicts(self) -> Cells:
        cells: Cells = [("".ljust(self._left), "")]
        for column in self._shown:
            glyph, style = say.HEADINGS[column.heading]
            glyph = say.TURNING[self._turn] if column.heading is Heading.RUNNING else glyph
            cursor = " reverse" if column.trial.number == self.number else ""
            cells += [(glyph, style + cursor), (say.RECALLED if column.trial.is_recalled else " ", "dim")]
        return cells

    def _cells(self, row: Row, index: int) -> Cells:
        host, port = say.split(row.dependency)
        is_selected = row.dependency == self.dependency
        name = f"{_fit(host, self._host)} {port:>{self._port}}"
        cells: Cells = [(" ", ""), (name, "reverse" if is_selected else ""), ("  ", "")]
        shown = self._shown
        cells += [_looks(column)[column.cells[index]] for column in shown]
        if is_selected and (at := self._cursor) is not None:
            glyph, style = cells[at + 3]
            cells[at + 3 : at + 4] = [(glyph[0], f"{style} reverse"), (" ", "")]
        cells.append((" " * (self._room - len(shown) * _STEP + 1), ""))
        cells.append((say.IN_SET if row.is_in_set else " ", "bold cyan"))
        cells.append((f" {row.decision}", say.DECISIONS[row.decision]))
        return cells

    @property
    def _cursor(self) -> int | None:
        """The selected trial's place among the columns in sight."""
        return next((i for i, column in enumerate(self._shown) if column.trial.number == self.number), None)


_SETTLED = {cell: (f"{glyph} ", style) for cell, (glyph, style) in say.CELLS.items()}
_UNSETTLED = {cell: (f"{glyph} ", "dim") for cell, (glyph, _) in say.CELLS.items()}


def _looks(column: Column) -> dict[Cell, tuple[str, str]]:
    """How a column's cells look: what has no outcome is dim."""
    return _UNSETTLED if column.trial.outcome is None else _SETTLED


def _painted(cells: Cells, base: Style) -> list[Segment]:
    """Neighbours of one style as one segment: segments are what painting costs."""
    return [
        Segment("".join([text for text, _ in run]), _style(base, style))
        for style, run in groupby(cells, key=itemgetter(1))
    ]


@lru_cache(maxsize=256)
def _style(base: Style, style: str) -> Style:
    return base + Style.parse(style)


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"
