"""A recorded search: its trials as they stood at the moment, above the time line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Static

from belljar_tui.core.question import Question
from belljar_tui.core.search_view import SearchView
from belljar_tui.playback import Playback
from belljar_tui.tui.dialogs import HelpScreen
from belljar_tui.tui.keys import name_of
from belljar_tui.tui.replay_keys import LEGEND as TIME_LEGEND
from belljar_tui.tui.replay_keys import REPLAY_KEYS
from belljar_tui.tui.search_keys import LEGEND, SEARCH_KEYS
from belljar_tui.tui.search_screen import SearchScreen
from belljar_tui.tui.time_line_view import TimeLineView
from belljar_tui.tui.trial_grid import TrialGrid

_STEERING = ("pause", "stop", "search", "take_over", "save")
_IN_TIME = ("search_first", "search_newest")
"""Their keys go to the start and the end of the session."""
_IN_FRONT = ("start", "end", "next_trial")
"""Keys of the replay that are this screen's own: before those that scroll the result, and seen in the footer."""
_LEAVE = "Back to the explorer, at the same moment"
_NOTHING_YET = SearchView(Question())
"""Before the search began."""
TIME_KEYS = tuple(
    key
    for key in REPLAY_KEYS
    if key.action.partition("(")[0] in ("play", "step", "speed", "edge", "note", "notes", "quit")
    or key.id in ("next_trial", "trial_before", "next_note", "note_before")
)
"""What of the replay's keys goes for the search too."""


class ReplayedSearch(SearchScreen, inherit_bindings=False):
    """Shows a Playback's search: there is nothing to steer but the time."""

    keys = tuple(
        replace(key, tooltip=_LEAVE) if key.id == "search_leave" else key
        for key in SEARCH_KEYS
        if key.action not in _STEERING and key.id not in _IN_TIME
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        *keys,
        *(
            replace(key, action=f"app.{key.action}", priority=True, show=key.id == "next_trial")
            for key in REPLAY_KEYS
            if key.id in _IN_FRONT
        ),
    ]

    def __init__(self, playback: Playback, keymap: Mapping[str, str]) -> None:
        super().__init__(playback, "", keymap)
        self._playback = playback
        self.warnings: Sequence[str] = ()
        """What of the journal is missing or odd."""

    @property
    def is_alone(self) -> bool:
        """The journal holds a search and nothing else: there is no explorer to go back to."""
        return self._playback.line.last.is_search_alone

    @property
    def view(self) -> SearchView:
        return super().view or _NOTHING_YET

    @property
    def selected(self) -> str | None:
        """The dependency of the selected row."""
        return self.query_one(TrialGrid).dependency

    def compose_below(self) -> ComposeResult:
        yield Static(id="search-warnings")
        yield TimeLineView()

    def frame(self) -> None:
        super().frame()
        if not self.is_mounted:
            return
        self.set_class(self.is_alone, "alone")
        self.set_class(bool(self.warnings), "warned")
        self.query_one("#search-warnings", Static).update(Text("\n".join(f" ! {one}" for one in self.warnings)))
        self.query_one(TimeLineView).show(self._playback, None)

    def choose(self, number: int) -> None:
        """Select a trial."""
        self.query_one(TrialGrid).choose(number)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "leave":
            return not self.is_alone
        return super().check_action(action, parameters)

    def action_show_help(self) -> None:
        keys: list[Binding] = [*self.keys, *TIME_KEYS]
        shown = [(name_of(key, self._remapped), key.tooltip) for key in keys if self.check_action(key.action, ())]
        self.app.push_screen(HelpScreen(shown, f"{LEGEND.rpartition(chr(10))[0]}\n{TIME_LEGEND.strip()}"))
