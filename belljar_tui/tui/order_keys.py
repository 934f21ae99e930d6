"""Every key of the order's explorer, and its legend."""

from __future__ import annotations

from textual.binding import Binding

ORDER_KEYS = (
    Binding("enter", "follow", "Follow", id="order_follow", tooltip="Go to what the selected service waits for"),
    Binding("backspace", "walk_back", "Back", id="order_back", tooltip="Back to where Follow came from"),
    Binding("c", "next_cycle", "Cycle", id="order_cycle", tooltip="The next service that is in a cycle"),
    Binding("e", "toggle_lines", "Lines", id="order_lines", tooltip="Lines of the selected service, or of all"),
    Binding("slash", "find", "Find", id="order_find", tooltip="The next service with a text in its name"),
    Binding("n", "find_next", "Next", id="order_next", tooltip="The next with the same text", show=False),
    Binding("left_square_bracket", "move_wave(-1)", "Wave up", id="order_wave_up", show=False, tooltip="One up"),
    Binding(
        "right_square_bracket", "move_wave(1)", "Wave down", id="order_wave_down", show=False, tooltip="A wave down"
    ),
    Binding("up,k", "move(-1)", "Up", id="order_up", show=False, tooltip="The service above"),
    Binding("down,j", "move(1)", "Down", id="order_down", show=False, tooltip="The service below"),
    Binding("pageup", "move(-10)", "Page up", id="order_page_up", show=False, tooltip="Ten up"),
    Binding("pagedown", "move(10)", "Page down", id="order_page_down", show=False, tooltip="Ten down"),
    Binding("home", "move(-1000000)", "First", id="order_first", show=False, tooltip="The first service"),
    Binding("end", "move(1000000)", "Last", id="order_last", show=False, tooltip="The last service"),
    Binding("left,h", "pan(-8)", "Left", id="order_left", show=False, tooltip="Lines further left"),
    Binding("right,l", "pan(8)", "Right", id="order_right", show=False, tooltip="Lines further right"),
    Binding("question_mark", "show_help", "Help", id="order_help", tooltip="Every key and every glyph"),
    Binding("q", "quit", "Quit", id="order_quit", tooltip="Leave"),
    Binding("ctrl+c", "quit", "Quit", id="order_quit_now", show=False, priority=True, tooltip="Leave"),
)
LEGEND = """
○ can start   ↻ in a cycle   ✗ waits for a cycle
▶ selected   ↑ it needs this   ↓ this needs it   ↕ both
A row's line is the service. ● begins its own lane; any other join: the row needs the service whose ● is on that lane.
╫ a bridge: lines that do not meet. A click selects; a second one follows."""
