"""Every key of replay, with an id (for remapping), what it does, and a tooltip; what is live too keeps its id."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from textual.binding import Binding

from belljar_tui.tui.keys import KEYS

_SHARED = {key.id: key for key in KEYS if key.id is not None}
_hidden = partial(replace, show=False)
_PAST = "The past cannot be changed"

REPLAY_KEYS = (
    Binding("space", "play", "Play", id="play", tooltip="Play or pause"),
    Binding("left,h", "scrub(-1)", "Earlier", id="earlier", show=False, tooltip="One column of the time line back"),
    Binding("right,l", "scrub(1)", "Later", id="later", show=False, tooltip="One column of the time line on"),
    Binding("ctrl+left,H", "scrub(-10)", "Much earlier", id="much_earlier", show=False, tooltip="Ten columns back"),
    Binding("ctrl+right,L", "scrub(10)", "Much later", id="much_later", show=False, tooltip="Ten columns on"),
    Binding("comma", "step(-1)", "Back", id="step_back", tooltip="One event back"),
    Binding("full_stop", "step(1)", "Step", id="step", tooltip="One event on"),
    Binding("plus,equals_sign", "speed(1)", "Faster", id="faster", show=False, tooltip="Play faster, up to 1,000×"),
    Binding("minus", "speed(-1)", "Slower", id="slower", show=False, tooltip="Play slower"),
    Binding("home", "edge(0)", "Start", id="start", show=False, tooltip="To the start of the session"),
    Binding("end", "edge(1)", "End", id="end", show=False, tooltip="To its end"),
    Binding("c", "jump_to('cut', False)", "Cut", id="next_cut", tooltip="To the next cut or restore"),
    Binding("C", "jump_to('cut', True)", "Cut before", id="cut_before", show=False, tooltip="To the one before"),
    Binding("t", "jump_to('health change', False)", "Health", id="next_turn", tooltip="To the next turn of health"),
    Binding(
        "T", "jump_to('health change', True)", "Turn before", id="turn_before", show=False, tooltip="The one before"
    ),
    Binding(
        "b", "jump_to('first blocked call', False)", "Blocked", id="next_blocked",
        tooltip="To the next first call that meets a cut",
    ),
    Binding("B", "jump_to('first blocked call', True)", "Blocked before", id="blocked_before", show=False,
        tooltip="To the one before"),
    Binding("o", "jump_to('note', False)", "Next note", id="next_note", show=False, tooltip="To the next note"),
    Binding("O", "jump_to('note', True)", "Note before", id="note_before", show=False, tooltip="To the one before"),
    Binding("e", "jump_to('trial', False)", "Trial", id="next_trial", show=False,
        tooltip="To the end of the next trial of a search"),
    Binding("E", "jump_to('trial', True)", "Trial before", id="trial_before", show=False, tooltip="To the one before"),
    Binding("n", "note", "Note", id="note", tooltip="Note something on this moment, beside the journal"),
    Binding("N", "notes", "Notes", id="notes", tooltip="All notes: go to one, change it, remove it"),
    Binding("x", "search", "Search", id="search", show=False, tooltip="The search for the minimal set, as it was then"),
    *(_hidden(_SHARED[one]) for one in ("filter", "jump", "up", "down", "page_up", "page_down")),
    Binding("m,v,r,u,s,ctrl+r", "refuse", "Cut, restore …", id="past", show=False, tooltip=_PAST),
    Binding("question_mark", "show_help", "Help", id="help", tooltip="Every key and every glyph"),
    Binding("q", "quit", "Quit", id="quit", tooltip="Leave; the journal is as it was"),
    Binding("ctrl+c", "quit", "Quit", id="quit_now", show=False, priority=True, tooltip="The same, from anywhere"),
)  # fmt: skip
LEGEND = """
time line: ▇ healthy  ▁ unhealthy  · unknown   ┄ cut, no call met it   ━ cut, calls blocked   ◆ note
✓ ✗ ? a trial that ended: healthy, broken, inconclusive
Click or drag on the time line to go there; the wheel goes an event on or back.
● open   ○ idle   ✂ cut   ┄ a cut edge   ╫ a bridge: lines that do not meet
needed: cutting it made the service unhealthy.  tolerated: calls were blocked and it stayed healthy."""
