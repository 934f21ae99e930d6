"""Every key, with an id (for remapping), what it does, and a tooltip."""

from __future__ import annotations

from collections.abc import Mapping

from textual.binding import Binding

KEYS = (
    Binding("space", "toggle_cut", "Cut", id="cut", tooltip="Cut the selected dependency, or restore it"),
    Binding("m", "next_mode", "Mode", id="mode", tooltip="How a cut fails: the next mode (below)"),
    Binding(
        "t", "cut_for", "For a time", id="cut_for", tooltip="Cut it for a time; the kernel restores it", show=False
    ),
    Binding(
        "p",
        "parameters",
        "Parameters",
        id="parameters",
        tooltip="The mode's parameters: delay, answer …",
        show=False,
    ),
    Binding("v", "vacuum", "Vacuum", id="vacuum", tooltip="Seal everything nobody has decided about, or open it again"),
    Binding("r", "restore_all", "Restore", id="restore_all", tooltip="Open everything"),
    Binding("u", "undo", "Undo", id="undo", tooltip="Take the last change back"),
    Binding("ctrl+r", "redo", "Redo", id="redo", tooltip="Make the undone change again", show=False),
    Binding("x", "search", "Find", id="search", tooltip="Find the minimal working set, or see how far that is"),
    Binding("s", "save", "Save", id="save", tooltip="Save what is open now as a profile"),
    Binding("n", "note", "Note", id="note", tooltip="Write a note into the journal", show=False),
    Binding("slash", "filter", "Filter", id="filter", tooltip="Show only dependencies with this text in them"),
    Binding("g", "jump", "Jump", id="jump", tooltip="Jump to a row by its letter", show=False),
    Binding("up,k", "move(-1)", "Up", id="up", show=False, tooltip="The row above"),
    Binding("down,j", "move(1)", "Down", id="down", show=False, tooltip="The row below"),
    Binding("pageup", "move(-10)", "Page up", id="page_up", show=False, tooltip="Ten rows up"),
    Binding("pagedown", "move(10)", "Page down", id="page_down", show=False, tooltip="Ten rows down"),
    Binding("home", "move(-100000)", "First", id="first", show=False, tooltip="The first row"),
    Binding("end", "move(100000)", "Last", id="last", show=False, tooltip="The last row"),
    Binding("question_mark", "show_help", "Help", id="help", tooltip="Every key and every glyph"),
    Binding(
        "q",
        "quit",
        "Quit",
        id="quit",
        tooltip="End the service, or let it go, and leave nothing behind",
    ),
    Binding("ctrl+c", "quit", "Quit", id="quit_now", show=False, priority=True, tooltip="The same, from anywhere"),
)
PLAIN_MOVES = ("up", "down", "page_up", "page_down", "first", "last", "quit_now")
"""Ids with no place in the palette: nobody searches for an arrow."""
_NAMES = {
    "question_mark": "?", "slash": "/", "ctrl+c": "^c", "ctrl+r": "^r", "up": "↑", "down": "↓", "pageup": "PgUp",
    "pagedown": "PgDn", "home": "Home", "end": "End",
    "left": "←", "right": "→", "ctrl+left": "^←", "ctrl+right": "^→", "delete": "Del",
    "comma": ",", "full_stop": ".", "plus": "+", "equals_sign": "=", "minus": "-",
}  # fmt: skip


def name_of(binding: Binding, remapped: Mapping[str, str]) -> str:
    """A binding's keys as a person knows them, remapped or not."""
    keys = remapped.get(binding.id or "", binding.key)
    return " ".join(_NAMES.get(key, key) for key in keys.split(","))
