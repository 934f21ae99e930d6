"""Panels that are shown anew many times a second, and mostly say the same."""

from __future__ import annotations

from rich.console import RenderableType
from rich.text import Text
from textual.widget import Widget
from textual.widgets import Static


class Still(Static):
    """Repainted only where it says something else than before: Textual repaints a widget whole whatever it is told."""

    _said: object = None

    def say(self, content: RenderableType, what: object = None) -> None:
        """`what` stands for the content where that is no text and cannot be compared."""
        said = content if isinstance(content, Text) else what
        if said is None or said != self._said:
            self._said = said
            self.update(content, layout=False)


def entitle(widget: Widget, title: str) -> None:
    """Set the border's title, if it is another one: setting it repaints the widget."""
    if getattr(widget, "_belljar_title", None) != title:
        widget._belljar_title = title  # type: ignore[attr-defined]
        widget.border_title = title


def entitle_below(widget: Widget, title: str) -> None:
    """The same with the title in the lower border."""
    if getattr(widget, "_belljar_subtitle", None) != title:
        widget._belljar_subtitle = title  # type: ignore[attr-defined]
        widget.border_subtitle = title
