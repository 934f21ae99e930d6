"""The keys a drill adds to the explorer's."""

from __future__ import annotations

from textual.binding import Binding

DRILL_KEYS = (
    Binding("a", "answer", "Answer", id="answer", tooltip="Say that the selected one is broken, and how"),
    Binding("h", "hint", "Hint", id="hint", tooltip="A hint, for 15 points"),
)
