"""The keys a drill adds to the explorer's, and all of them in the footer's order."""

from __future__ import annotations

import dataclasses

from textual.binding import Binding

from belljar_tui.tui.keys import KEYS

DRILL_KEYS = (
    Binding("a", "answer", "Answer", id="answer", tooltip="Say that the selected one is broken, and how"),
    Binding("h", "hint", "Hint", id="hint", tooltip="A hint, for 15 points"),
)
ALL_KEYS = (*DRILL_KEYS, *(dataclasses.replace(key, show=key.show and key.id != "filter") for key in KEYS))
"""Its own first, and the filter left out of the footer: at 80 columns all that a drill needs is in sight."""
