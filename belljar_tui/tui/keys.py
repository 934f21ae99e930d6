"""Every key, with an id (for remapping), what it does, and a tooltip."""

from __future__ import annotations

from textual.binding import Binding

KEYS = (
    Binding("space", "toggle_cut", "Cut/Restore", id="cut", tooltip="Cut the selected dependency, or restore it"),
    Binding("m", "next_mode", "Mode", id="mode", tooltip="How a cut fails: refuse or blackhole"),
    Binding("v", "vacuum", "Vacuum", id="vacuum", tooltip="Seal everything nobody has decided about, or open it again"),
    Binding("r", "restore_all", "Restore all", id="restore_all", tooltip="Open everything"),
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
    Binding("q", "quit", "Quit", id="quit", tooltip="End the service and leave nothing behind"),
    Binding("ctrl+c", "quit", "Quit", id="quit_now", show=False, priority=True, tooltip="The same, from anywhere"),
)
NAMES = {
    "question_mark": "?",
    "slash": "/",
    "ctrl+c": "^c",
    "up,k": "↑ k",
    "down,j": "↓ j",
    "left,h": "← h",
    "right,l": "→ l",
    "ctrl+left,H": "^← H",
    "ctrl+right,L": "^→ L",
    "space,p": "space p",
    "X,delete": "X del",
}
