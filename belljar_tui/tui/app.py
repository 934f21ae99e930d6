"""The explorer. Keys become commands, events become a state, the state becomes the screen."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import ClassVar

from textual.app import App, ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.containers import Horizontal
from textual.events import Key, Resize
from textual.screen import Screen
from textual.widgets import Footer, Static

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.duration import parse_duration
from belljar_tui.core.model import Mode, Seal
from belljar_tui.errors import BellJarError
from belljar_tui.session import Beside, Session
from belljar_tui.tui.dialogs import ErrorScreen, HelpScreen, LinePrompt
from belljar_tui.tui.graph import GraphView
from belljar_tui.tui.keys import KEYS, PLAIN_MOVES, name_of
from belljar_tui.tui.leaving import leave_for_sure, on_signal
from belljar_tui.tui.messages import CutToggled, DependencySelected
from belljar_tui.tui.notices import notice_of
from belljar_tui.tui.panels import BlockedList, DependencyPanel, HealthStrip, StatusLine
from belljar_tui.tui.search_keys import SEARCH_KEYS
from belljar_tui.tui.search_screen import SearchScreen
from belljar_tui.tui.themes import DARK, LIGHT, NAMED_DARK, NAMED_LIGHT

_FRAME_S, _CLOCK_S = 0.04, 0.25
"""What is new waits at most this long; clocks alone, which show seconds, longer."""
_NARROW_COLUMNS, _TINY_COLUMNS, _TINY_ROWS = 118, 60, 16
_URGENT = (ev.CutApplied, ev.CutRestored, ev.SealChanged, ev.HealthChanged)
"""Events that repaint at once; the rest waits for the next frame."""


class ExplorerApp(App[None]):
    """Explores one session until the person leaves or the terminal goes away.

    Args:
        session: not yet started.
        profile_path: what `s` suggests.
        keymap: binding id -> keys, for people who remap.
        beside: begins once the session has.
    """

    CSS_PATH = Path(__file__).with_name("belljar.tcss")
    TITLE = "BellJar"
    BINDINGS: ClassVar[list[BindingType]] = list(KEYS)

    def __init__(
        self,
        session: Session,
        profile_path: str = "service.belljar.yaml",
        keymap: Mapping[str, str] | None = None,
        beside: Beside | None = None,
    ) -> None:
        super().__init__()
        self.session = session
        self._profile_path = profile_path
        self._remapped = dict(keymap or {})
        self.search_screen = SearchScreen(session, profile_path, self._remapped)
        self._mode = Mode.REFUSE
        self._beside = beside
        self.return_code_wanted = 0
        self._is_stale = True
        self._painted_at = -1.0
        self._leaving: asyncio.Task[None] | None = None

    def compose(self) -> ComposeResult:
        yield StatusLine(id="status")
        with Horizontal(id="upper"):
            yield GraphView()
            yield DependencyPanel(id="dependency")
        with Horizontal(id="lower"):
            yield HealthStrip(id="health")
            yield BlockedList(id="blocked")
        yield Static("The terminal is too small: BellJar needs 60 × 16.", id="small")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name
        self.ansi_theme_dark, self.ansi_theme_light = NAMED_DARK, NAMED_LIGHT
        self.install_screen(self.search_screen, "search")
        if self._remapped:
            self.set_keymap(self._remapped)
        self.query_one(GraphView).focus()
        self.session.on_event = self._take
        on_signal(signal.SIGTERM, self._leave)
        on_signal(signal.SIGHUP, self._hang_up)
        self.set_interval(_FRAME_S, self._frame)
        self.run_worker(self._explore(), exit_on_error=False)
        if not self.is_headless:
            gc.freeze()  # else each full collection walks over all that was imported: 60 ms, seen as a stutter

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """Every key is a command in the palette too."""
        keys = SEARCH_KEYS if isinstance(screen, SearchScreen) else KEYS
        for key in (key for key in keys if key.id not in PLAIN_MOVES):
            yield SystemCommand(key.description, key.tooltip, self._runner(key.action, screen))
        for theme in (DARK, LIGHT):
            yield SystemCommand(f"Theme {theme.name}", "Change the colours", lambda name=theme.name: self._paint(name))

    async def _explore(self) -> None:
        """The session, from its start to the agent's end."""
        try:
            await self.session.start()
            if self._beside is not None:
                self.run_worker(self._beside(self.session), exit_on_error=False)
            async for _ in self.session.listen():
                pass  # the fold and `_take` happen on the way
        except BellJarError as error:
            self.return_code_wanted = error.exit_code
            self.push_screen(ErrorScreen(str(error)))

    def _take(self, event: ev.AnyEvent) -> None:
        """After the fold of each event."""
        self._is_stale = True
        notice = notice_of(event)
        if notice is not None:
            self.notify(notice.text, title=notice.title, severity=notice.severity)
        elif isinstance(event, ev.SearchStarted):
            self._show_search()
        elif isinstance(event, _URGENT):
            self._frame()

    def _frame(self) -> None:
        """Repaint, if anything happened or a clock has moved on."""
        if not self.is_running or not self.screen_stack:
            return
        if self.search_screen in self.screen_stack:
            self.search_screen.frame()
            return
        state, now = self.session.state, self.session.now()
        if not self._is_stale and now - self._painted_at < _CLOCK_S:
            return
        self._painted_at = now
        base = self.screen_stack[0]
        graph = base.query_one(GraphView)
        if self._is_stale:
            self._is_stale = False
            graph.show(state)
            graph.border_subtitle = f"cuts: {self._mode}"
            base.query_one(BlockedList).show(state)
        base.query_one(StatusLine).show(state, now)
        base.query_one(DependencyPanel).show(state, graph.selected, now)
        base.query_one(HealthStrip).show(state, now)

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
            event.prevent_default().stop()

    def on_dependency_selected(self, _: DependencySelected) -> None:
        self._is_stale = True
        self._frame()

    def on_cut_toggled(self, message: CutToggled) -> None:
        self._toggle(message.dependency)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a row is being jumped to, or a dialog is open, letters are letters."""
        if action == "quit" or action not in {key.action.partition("(")[0] for key in KEYS}:
            return True
        return len(self.screen_stack) == 1 and not self.query_one(GraphView).is_jumping

    def action_toggle_cut(self) -> None:
        dependency = self.query_one(GraphView).selected
        if dependency is not None:
            self._toggle(dependency)

    def action_next_mode(self) -> None:
        """The next mode that this kernel can do; a cut that stands changes at once."""
        modes = self.session.state.modes
        self._mode = modes[(modes.index(self._mode) + 1) % len(modes)]
        self._is_stale = True
        self.notify(f"Cuts fail by {self._mode} from now on.")
        dependency = self.query_one(GraphView).selected
        view = self.session.state.dependencies.get(dependency or "")
        if view is not None and view.is_cut:
            self._do(cmd.Cut(view.id, self._mode))

    def action_cut_for(self) -> None:
        dependency, mode = self.query_one(GraphView).selected, self._mode
        if dependency is not None:
            question = LinePrompt(f"Cut {dependency} ({mode}) for how long?", "30s", check=parse_duration)
            self.push_screen(question, lambda t: self._do(cmd.Cut(dependency, mode, parse_duration(t))) if t else None)

    def action_vacuum(self) -> None:
        is_sealed = self.session.history.now.seal is Seal.VACUUM
        self._do(cmd.SealWith(Seal.OPEN if is_sealed else Seal.VACUUM, self._mode))

    def action_restore_all(self) -> None:
        self._do(cmd.RestoreAll())

    def action_undo(self) -> None:
        self._do(cmd.Undo())

    def action_redo(self) -> None:
        self._do(cmd.Redo())

    def action_search(self) -> None:
        """Begin a search, or look at the one there is; one that was left for work by hand goes on."""
        search = self.session.state.search
        if search is None:
            self._do(cmd.Search())
            return
        self._show_search()
        if self.search_screen.is_by_hand and search.is_paused:
            self._do(cmd.ResumeSearch())
        self.search_screen.is_by_hand = False

    def action_save(self) -> None:
        self._ask("Save what is open now as a profile:", self._profile_path, lambda path: self._do(cmd.Save(path)))

    def action_note(self) -> None:
        selected = self.query_one(GraphView).selected
        self._ask("Note, for the journal:", "", lambda text: self._do(cmd.Note(text, selected)))

    def action_filter(self) -> None:
        shown = self.query_one(GraphView).filter
        self.push_screen(LinePrompt("Show dependencies with this in them:", shown, "nothing shows all"), self._narrow)

    def action_jump(self) -> None:
        self.query_one(GraphView).start_jump()

    def action_move(self, steps: int) -> None:
        self.query_one(GraphView).move(steps)

    def action_show_help(self) -> None:
        self.push_screen(HelpScreen([(name_of(key, self._remapped), key.tooltip) for key in KEYS]))

    async def action_quit(self) -> None:
        self._leave()

    def _leave(self) -> None:
        """End the jar, then the screen; once."""
        if self._leaving is None:
            if not self.is_headless:  # a test has no terminal to wait for, and outlives the app
                leave_for_sure(self.return_code_wanted)
            self._leaving = asyncio.create_task(self._end())

    async def _end(self) -> None:
        self.session.on_event = None
        await self.session.finish("quit")
        self.exit(return_code=self.return_code_wanted)

    def _hang_up(self) -> None:
        """The terminal is gone: end the jar, and do not try to restore a screen that nobody has."""
        if self._leaving is None:
            self._leaving = asyncio.create_task(self._end_without_terminal())

    async def _end_without_terminal(self) -> None:
        self.session.on_event = None
        try:
            await self.session.finish("the terminal was closed")
        finally:
            os._exit(128 + signal.SIGHUP)

    def _toggle(self, dependency: str) -> None:
        self.query_one(GraphView).choose()
        is_cut = self.session.history.now.mode_of(dependency) is not None
        self._do(cmd.Restore(dependency) if is_cut else cmd.Cut(dependency, self._mode))

    def _ask(self, question: str, value: str, then: Callable[[str], None]) -> None:
        """A line from the person; nothing happens when it is left empty or with Escape."""
        self.push_screen(LinePrompt(question, value), lambda answer: then(answer) if answer else None)

    def _runner(self, action: str, screen: Screen[object]) -> Callable[[], object]:
        on = screen if isinstance(screen, SearchScreen) else None
        return lambda: self.run_worker(self.run_action(action, on), exit_on_error=False)

    def _show_search(self) -> None:
        if self.search_screen not in self.screen_stack:
            self.push_screen(self.search_screen)

    def _narrow(self, text: str | None) -> None:
        if text is not None:
            self.query_one(GraphView).narrow_to(text)

    def _do(self, command: cmd.AnyCommand) -> None:
        self.run_worker(self.session.do(command), exit_on_error=False)

    def _paint(self, theme: str) -> None:
        self.theme = theme
