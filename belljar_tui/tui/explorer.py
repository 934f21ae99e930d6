"""What looking at a session is made of, live or recorded: the map and its panels, fed by the state at a moment."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from rich.console import RenderableType
from rich.traceback import Traceback
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding
from textual.containers import Horizontal
from textual.events import Key, Resize
from textual.screen import Screen
from textual.widgets import Footer, Static
from textual.worker import Worker

from belljar_tui.core import commands as cmd
from belljar_tui.tui.dialogs import HelpScreen, LinePrompt
from belljar_tui.tui.explored import Explored
from belljar_tui.tui.graph import GraphView
from belljar_tui.tui.keys import PLAIN_MOVES, name_of
from belljar_tui.tui.messages import DependencySelected
from belljar_tui.tui.panels import BlockedList, DependencyPanel, HealthStrip, StatusLine
from belljar_tui.tui.search_screen import SearchScreen
from belljar_tui.tui.starved import LastWords, is_of_memory
from belljar_tui.tui.themes import DARK, LIGHT, NAMED_DARK, NAMED_LIGHT

FRAME_S, CLOCK_S = 0.04, 0.25
"""What is new waits at most this long; clocks alone, which show seconds, longer."""
REST, REST_MOST_S = 2.0, 0.2
"""After a frame the screen rests this many times as long as it took: so it never takes more than a third of the time,
however busy the machine, and a key seldom comes in the middle of a frame."""
_NARROW_COLUMNS, _TINY_COLUMNS, _TINY_ROWS = 118, 60, 16


class Explorer(App[None]):
    """The composition and all that needs no live session: moving, filtering, jumping, help, the palette.

    Args:
        explored: where state and clock come from.
        search_screen: shows its search; comes and goes above.
        keymap: binding id -> keys, for people who remap.
    """

    CSS_PATH = Path(__file__).with_name("belljar.tcss")
    TITLE = "BellJar"
    keys: ClassVar[tuple[Binding, ...]] = ()
    """All of the app's own bindings."""
    LAST_WORDS: ClassVar[str] = "nothing was changed."
    """What it means that there is no memory left."""

    def __init__(self, explored: Explored, search_screen: SearchScreen, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._explored = explored
        self.search_screen = search_screen
        self._remapped = keymap
        self._is_stale = True
        self._painted_at = -1.0
        self._rests_until = 0.0
        self._last_words = LastWords(self.LAST_WORDS)

    def compose(self) -> ComposeResult:
        yield StatusLine(id="status")
        with Horizontal(id="upper"):
            yield GraphView()
            yield DependencyPanel(id="dependency")
        with Horizontal(id="lower"):
            yield HealthStrip(id="health")
            yield BlockedList(id="blocked")
        yield from self.compose_below()
        yield Static("The terminal is too small: BellJar needs 60 × 16.", id="small")
        yield Footer(show_command_palette=False)

    def compose_below(self) -> ComposeResult:
        """What more there is above the footer."""
        yield from ()

    def on_mount(self) -> None:
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name
        self.ansi_theme_dark, self.ansi_theme_light = NAMED_DARK, NAMED_LIGHT
        self.install_screen(self.search_screen, "search")
        if self._remapped:
            self.set_keymap(dict(self._remapped))
        self.query_one(GraphView).focus()
        self.set_interval(FRAME_S, self._next_frame)
        if not self.is_headless:
            self._last_words.listen()
            gc.freeze()  # else each full collection walks over all that was imported: 60 ms, seen as a stutter

    def run(self, **how: Any) -> None:
        """To the end, or until there is no memory left."""
        try:
            return super().run(**how)
        except MemoryError as error:
            self._last_words.say_if(error)
            raise

    def _handle_exception(self, error: Exception) -> None:
        self._last_words.say_if(error)
        super()._handle_exception(error)

    def panic(self, *renderables: RenderableType) -> None:
        """Also for the thread that reads keys, which hands over its traceback only."""
        if any(isinstance(each, Traceback) and is_of_memory(each) for each in renderables):
            self._last_words.say_if(MemoryError())
        super().panic(*renderables)

    def on_worker_state_changed(self, event: Worker.StateChanged) -> None:
        self._last_words.say_if(event.worker.error)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key is a command in the palette too."""
        keys = self.search_screen.keys if screen is self.search_screen else self.keys
        for key in (key for key in keys if key.id not in PLAIN_MOVES):
            yield SystemCommand(key.description, key.tooltip, self._runner(key.action, screen))
        for theme in (DARK, LIGHT):
            yield SystemCommand(f"Theme {theme.name}", "Change the colours", lambda name=theme.name: self._paint(name))

    def _next_frame(self) -> None:
        """The next frame, unless the last one was so slow that keys would wait for nothing but frames."""
        began = time.monotonic()
        if began < self._rests_until:
            return
        self._frame()
        self.call_after_refresh(self._rest, began)

    def _rest(self, began: float) -> None:
        """The frame begun then is on its way to the terminal."""
        now = time.monotonic()
        self._rests_until = now + min(REST_MOST_S, REST * (now - began))

    def _frame(self) -> None:
        """Repaint, if anything happened or a clock has moved on."""
        if not self.is_running or not self.screen_stack:
            return
        if self.search_screen in self.screen_stack:
            self.search_screen.frame()
            return
        state, now = self._explored.state, self._explored.now()
        if not self._is_stale and 0 <= now - self._painted_at < CLOCK_S:
            return
        self._painted_at = now
        base = self.screen_stack[0]
        graph = base.query_one(GraphView)
        if self._is_stale:
            self._is_stale = False
            graph.show(state)
            base.query_one(BlockedList).show(state)
        base.query_one(StatusLine).show(state, now, self.warnings())
        base.query_one(DependencyPanel).show(state, graph.selected, now)
        base.query_one(HealthStrip).show(state, now)
        self.paint_below(base)

    def _frame_now(self) -> None:
        """For what a person did: map and panels go to the terminal together, not one frame after the other."""
        self._is_stale = True
        self._frame()

    def paint_below(self, base: Screen[object]) -> None:
        """Show the moment in what is the app's own. `base` is the screen it stands on."""

    def warnings(self) -> Sequence[str]:
        """What must be said beside the state's own warnings."""
        return ()

    def on_resize(self, event: Resize) -> None:
        base = self.screen_stack[0]
        is_narrow = event.size.width < _NARROW_COLUMNS
        base.set_class(is_narrow, "narrow")
        base.query_one(Footer).compact = is_narrow
        base.set_class(event.size.width < _TINY_COLUMNS or event.size.height < _TINY_ROWS, "tiny")
        self._is_stale = True

    def on_key(self, event: Key) -> None:
        graph = self.query_one(GraphView) if len(self.screen_stack) == 1 else None
        if graph is not None and graph.is_jumping:
            graph.jump(event.character or "")
            self._frame_now()
            event.prevent_default().stop()

    def on_dependency_selected(self, _: DependencySelected) -> None:
        self._frame_now()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a row is being jumped to, or a dialog is open, letters are letters."""
        if action == "quit" or action not in {key.action.partition("(")[0] for key in self.keys}:
            return True
        return len(self.screen_stack) == 1 and not self.query_one(GraphView).is_jumping

    def action_filter(self) -> None:
        graph = self.query_one(GraphView)
        question = "Show dependencies with this in them:"
        self.push_screen(LinePrompt(question, graph.filter, "nothing shows all"), self._narrow)

    def action_jump(self) -> None:
        self.query_one(GraphView).start_jump()

    def action_move(self, steps: int) -> None:
        self.query_one(GraphView).move(steps)
        self._frame_now()

    def action_show_help(self) -> None:
        self.push_screen(HelpScreen([(name_of(key, self._remapped), key.tooltip) for key in self.keys]))

    def _ask(self, question: str, value: str, then: Callable[[str], None]) -> None:
        """A line from the person; nothing happens when it is left empty or with Escape."""
        self.push_screen(LinePrompt(question, value), lambda answer: then(answer) if answer else None)

    def _runner(self, action: str, screen: Screen[object]) -> Callable[[], object]:
        on = screen if screen is self.search_screen else None
        return lambda: self.run_worker(self.run_action(action, on), exit_on_error=False)

    def _show_search(self) -> None:
        if self.search_screen not in self.screen_stack:
            self.push_screen(self.search_screen)

    def _narrow(self, text: str | None) -> None:
        if text is not None:
            self.query_one(GraphView).narrow_to(text)

    def _do(self, command: cmd.AnyCommand) -> None:
        self.run_worker(self._explored.do(command), exit_on_error=False)

    def _paint(self, theme: str) -> None:
        self.theme = theme
