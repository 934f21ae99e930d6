"""Every key of the search's screen, with an id (for remapping), what it does, and a tooltip."""

from __future__ import annotations

from textual.binding import Binding

SEARCH_KEYS = (
    Binding("space,p", "pause", "Pause/Go on", id="search_pause", tooltip="Start no further trial, or go on"),
    Binding("X,delete", "stop", "Stop", id="search_stop", tooltip="End the search; x goes on from what it knows"),
    Binding("x", "search", "Search on", id="search_on", show=False, tooltip="Go on with a search, or search again"),
    Binding("t", "take_over", "By hand", id="search_take_over", tooltip="Pause; try the set so far in the explorer"),
    Binding("s", "save", "Save", id="search_save", tooltip="Save the minimal working set as a profile"),
    Binding("tab", "turn_over", "Trials/Result", id="search_turn_over", tooltip="Between the trials and the result"),
    Binding("escape", "leave", "Explorer", id="search_leave", tooltip="Back to the explorer; the search runs on"),
    Binding("left,h", "move_trial(-1)", "Earlier", id="search_earlier", show=False, tooltip="The trial before"),
    Binding("right,l", "move_trial(1)", "Later", id="search_later", show=False, tooltip="The trial after"),
    Binding("ctrl+left,H", "move_trial(-10)", "Ten earlier", id="search_ten_earlier", show=False, tooltip="Ten back"),
    Binding("ctrl+right,L", "move_trial(10)", "Ten later", id="search_ten_later", show=False, tooltip="Ten on"),
    Binding("home", "move_trial(-100000)", "First", id="search_first", show=False, tooltip="The first trial"),
    Binding("end", "move_trial(100000)", "Newest", id="search_newest", show=False, tooltip="Follow the newest trial"),
    Binding("up,k", "move_row(-1)", "Up", id="search_up", show=False, tooltip="The row above"),
    Binding("down,j", "move_row(1)", "Down", id="search_down", show=False, tooltip="The row below"),
    Binding("pageup", "move_row(-10)", "Page up", id="search_page_up", show=False, tooltip="Ten rows up"),
    Binding("pagedown", "move_row(10)", "Page down", id="search_page_down", show=False, tooltip="Ten rows down"),
    Binding("question_mark", "show_help", "Help", id="search_help", tooltip="Every key and every glyph"),
)
GLYPHS = "● open  ┄ cut  ✂ cut, calls blocked  ◆ in the set so far"
LEGEND = """
● open   ┄ cut   ✂ cut, and calls of it were blocked   ◆ in the smallest set known to work
✓ healthy   ✗ broken   ? inconclusive   ◐ running   – abandoned   ↺ recalled from an earlier search
needed: cutting it alone broke the service.   tolerated: it did not.   fallback: any one of several will do.
doubtful: trials contradict each other.   pinned: you decided.   undecided: not known yet.
A search that was stopped keeps every verdict: x goes on from there."""
