"""Panels that are shown anew many times a second, and mostly say the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from typing import Self

from rich.text import Text
from textual.geometry import Region
from textual.widget import Widget
from textual.widgets import Static

_TITLE = -1
"""The line above the first: the border's."""


class Still(Static):
    """Repaints the lines that say something else than before: Textual repaints a widget whole whatever it is told, and
    a key waits for each line. A line of `say` is one on the screen: it is laid out by whoever says it."""

    _said: Text | None = None
    _lines: Collection[int] | None = None

    def say(self, content: Text) -> None:
        if content == self._said:
            return
        before, self._said = self._said, content
        with self.repainting(self._changed(before, content)):
            self.update(content, layout=False)

    @contextmanager
    def repainting(self, lines: Collection[int] | None) -> Iterator[None]:
        """What goes on in it repaints these lines at most; None: all."""
        self._lines = lines
        try:
            yield
        finally:
            self._lines = None

    def refresh(self, *regions: Region, repaint: bool = True, layout: bool = False, recompose: bool = False) -> Self:
        if self._lines is not None and not regions and not layout:
            regions = tuple(self._line(line) for line in self._lines)
        return super().refresh(*regions, repaint=repaint, layout=layout, recompose=recompose)

    def _line(self, line: int) -> Region:
        """From border to border: the title stands in it."""
        return Region(-self.gutter.left, line, self.outer_size.width, 1)

    def _changed(self, before: Text | None, after: Text) -> list[int] | None:
        """None where the lines are not those of the screen, because one is too long and goes on in the next."""
        if before is None:
            return None
        old, new = before.split(allow_blank=True), after.split(allow_blank=True)
        width, height = self.content_size
        if not after.no_wrap and any(line.cell_len > width for line in (*old, *new)):
            return None
        differ = [n for n, (a, b) in enumerate(zip_longest(old, new)) if a != b or a.style != b.style]
        return [number for number in differ if number < height] or None


def entitle(widget: Widget, title: str) -> None:
    """Set the border's title, if it is another one: setting it repaints the widget."""
    if getattr(widget, "_belljar_title", None) == title:
        return
    widget._belljar_title = title  # type: ignore[attr-defined]
    if isinstance(widget, Still):
        with widget.repainting([_TITLE]):
            widget.border_title = title
    else:
        widget.border_title = title


def entitle_below(widget: Widget, title: str) -> None:
    """The same with the title in the lower border."""
    if getattr(widget, "_belljar_subtitle", None) != title:
        widget._belljar_subtitle = title  # type: ignore[attr-defined]
        widget.border_subtitle = title
