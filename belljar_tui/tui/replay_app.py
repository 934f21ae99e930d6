"""Replay: the explorer on a recorded session. Time is what the keys move; nothing that happened can be changed."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import ClassVar

from textual.actions import parse
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen

from belljar_tui.core.events import TrialEnded
from belljar_tui.core.time_line import Kind
from belljar_tui.errors import BadJournal
from belljar_tui.journal.notes import LateNote
from belljar_tui.playback import PAST, Noted, Playback
from belljar_tui.tui.dialogs import ErrorScreen, HelpScreen
from belljar_tui.tui.explorer import Explorer
from belljar_tui.tui.graph import GraphView
from belljar_tui.tui.keys import name_of
from belljar_tui.tui.leaving import on_signal
from belljar_tui.tui.messages import CutToggled, EventStepped, MomentChosen
from belljar_tui.tui.notes_screen import NotesScreen
from belljar_tui.tui.replay_keys import LEGEND, REPLAY_KEYS
from belljar_tui.tui.replay_words import moment
from belljar_tui.tui.replayed_search import TIME_KEYS, ReplayedSearch
from belljar_tui.tui.time_line_view import TimeLineView

_TALL_ROWS, _LOW_ROWS = 40, 28
_WARNINGS_SHOWN = 3


class ReplayApp(Explorer):
    """Shows one recording, while it is still being read too.

    Args:
        playback: at its start.
        keymap: binding id -> keys, for people who remap.
    """

    keys = REPLAY_KEYS
    BINDINGS: ClassVar[list[BindingType]] = list(REPLAY_KEYS)

    def __init__(self, playback: Playback, keymap: Mapping[str, str] | None = None) -> None:
        remapped = dict(keymap or {})
        self.replayed_search = ReplayedSearch(playback, remapped)
        super().__init__(playback, self.replayed_search, remapped)
        self.playback = playback
        self._ticked_at = time.monotonic()
        self._warnings: Sequence[str] = ()

    def compose_below(self) -> ComposeResult:
        yield TimeLineView()

    def on_mount(self) -> None:
        self.screen.add_class("replay")
        self.playback.on_rejected = self._reject
        on_signal(signal.SIGTERM, self.exit)
        self.run_worker(self._read(), exit_on_error=False)

    async def _read(self) -> None:
        """The rest of the journal, block by block; keys and frames have their turn between."""
        recording = self.playback.recording
        try:
            while recording.read_on():
                self._is_stale = True
                await asyncio.sleep(0.001)
        except BadJournal as error:
            self.push_screen(ErrorScreen(str(error)))
        notebook = self.playback.notebook
        notes = [f"{notebook.failure} These notes are not shown."] if notebook.failure else []
        found = [*recording.warnings(), *notes]
        more = [f"… and {len(found) - _WARNINGS_SHOWN + 1} more"] if len(found) > _WARNINGS_SHOWN else []
        self._warnings = self.replayed_search.warnings = [*found[: _WARNINGS_SHOWN - len(more)], *more]
        self._is_stale = True
        if self.playback.line.last.is_search_alone:
            self._open_on_the_answer()

    def _open_on_the_answer(self) -> None:
        """Nothing ran but trials: the map would be empty. What was found is what somebody came for."""
        if not self.playback.index:
            self.playback.go_to(self.playback.line.count)
        self._show_search()

    def warnings(self) -> Sequence[str]:
        return self._warnings

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Over a recorded search time goes on, and what there is to jump to are trials and notes."""
        if self.screen_stack and self.screen_stack[-1] is self.search_screen:
            asked = (action, *parameters[:1])
            return action == "quit" or any(asked == _asked(key) for key in TIME_KEYS)
        return super().check_action(action, parameters)

    def _frame(self) -> None:
        now = time.monotonic()
        elapsed_s, self._ticked_at = now - self._ticked_at, now
        if self.playback.tick(elapsed_s):
            self._is_stale = True
        super()._frame()

    def paint_below(self, base: Screen[object]) -> None:
        graph = base.query_one(GraphView)
        graph.border_subtitle = "replay"
        base.query_one(TimeLineView).show(self.playback, graph.selected)

    def on_resize(self, event: Resize) -> None:
        base = self.screen_stack[0]
        base.set_class(event.size.height >= _TALL_ROWS, "tall")
        base.set_class(event.size.height < _LOW_ROWS, "low")
        self.call_after_refresh(self._frame_now)

    def on_moment_chosen(self, message: MomentChosen) -> None:
        self.playback.seek(message.at)
        self._frame_now()

    def on_event_stepped(self, message: EventStepped) -> None:
        self.action_step(message.events)

    def on_cut_toggled(self, _: CutToggled) -> None:
        self.action_refuse()

    def action_play(self) -> None:
        self.playback.play()
        self._frame_now()

    def action_scrub(self, columns: int) -> None:
        column_s = self.query_one(TimeLineView).column_s
        self.playback.seek(self.playback.at + columns * column_s)
        self._frame_now()

    def action_step(self, events: int) -> None:
        self.playback.step(events)
        self._frame_now()

    def action_speed(self, steps: int) -> None:
        self.playback.change_speed(steps)
        self._frame_now()

    def action_edge(self, end: int) -> None:
        self.playback.go_to(self.playback.line.count if end else 0)
        self._frame_now()

    def action_jump_to(self, kind: str, back: bool) -> None:
        if not self.playback.jump(Kind(kind), back=back):
            side = "before" if back else "after"
            unread = " so far" if not self.playback.recording.is_read else ""
            self.notify(f"There is no {kind} {side} {moment(self.playback.at)}{unread}.")
        self._frame_now()
        event = self.playback.last_event()
        dependency = getattr(event, "dependency", None)
        if isinstance(event, TrialEnded) and self.search_screen in self.screen_stack:
            self.replayed_search.choose(event.number)
        elif dependency is not None:
            self.screen_stack[0].query_one(GraphView).select(dependency)
            self._frame_now()

    @property
    def _selected(self) -> str | None:
        """The dependency of the row that is selected, on the map or in the search."""
        is_search = self.search_screen in self.screen_stack
        return self.replayed_search.selected if is_search else self.query_one(GraphView).selected

    def action_note(self) -> None:
        at, selected = self.playback.at, self._selected
        question = f"Note at {moment(at)}, kept beside the journal:"
        self._ask(question, "", lambda text: self._note(at, text, selected))

    def action_notes(self) -> None:
        self.push_screen(NotesScreen(self.playback), self._go_to_note)

    def action_search(self) -> None:
        if self.playback.state.search is None:
            self.notify(f"There was no search up to {moment(self.playback.at)}.")
        else:
            self._show_search()

    def action_refuse(self) -> None:
        self._reject(PAST)

    def action_show_help(self) -> None:
        keys = [(name_of(key, self._remapped), key.tooltip) for key in _without_past(self.keys)]
        self.push_screen(HelpScreen(keys, LEGEND))

    async def action_quit(self) -> None:
        self.exit()

    def _note(self, at: float, text: str, dependency: str | None) -> None:
        written = datetime.now().astimezone().isoformat(timespec="seconds")
        try:
            self.playback.notebook.add(LateNote(at=at, text=text, dependency=dependency, written=written))
        except BadJournal as error:
            self.notify(str(error), title="Not noted", severity="error")
        self._frame_now()

    def _go_to_note(self, note: Noted | None) -> None:
        if note is not None:
            self.playback.is_playing = False
            self.playback.seek(note.at)
        self._frame_now()

    def _reject(self, reason: str) -> None:
        self.notify(reason, title="Not done", severity="warning")


def _asked(key: Binding) -> tuple[object, ...]:
    """The action of a key, with its first parameter."""
    name, parameters = parse(key.action)[1:]
    return (name, *parameters[:1])


def _without_past(keys: Sequence[Binding]) -> list[Binding]:
    return [key for key in keys if key.id != "past"]
