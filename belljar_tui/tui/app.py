"""The explorer. Keys become commands, events become a state, the state becomes the screen."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Mapping
from typing import ClassVar

import msgspec
from textual.binding import Binding, BindingType
from textual.screen import Screen

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.duration import parse_duration
from belljar_tui.core.given import known, parse_given, written
from belljar_tui.core.model import Mode, Seal
from belljar_tui.errors import BellJarError
from belljar_tui.session import Beside, Session
from belljar_tui.tui.dialogs import ErrorScreen, LinePrompt
from belljar_tui.tui.explorer import Explorer
from belljar_tui.tui.graph import GraphView
from belljar_tui.tui.keys import KEYS
from belljar_tui.tui.leaving import leave_for_sure, on_signal
from belljar_tui.tui.messages import CutToggled
from belljar_tui.tui.notices import notice_of
from belljar_tui.tui.search_screen import SearchScreen
from belljar_tui.tui.still import entitle_below

_URGENT = (ev.CutApplied, ev.CutRestored, ev.SealChanged, ev.HealthChanged)
"""Events that repaint at once; the rest waits for the next frame."""


class ExplorerApp(Explorer):
    """Explores one session until the person leaves or the terminal goes away.

    Args:
        session: not yet started.
        profile_path: what `s` suggests.
        keymap: binding id -> keys, for people who remap.
        beside: begins once the session has.
    """

    keys: ClassVar[tuple[Binding, ...]] = KEYS
    BINDINGS: ClassVar[list[BindingType]] = list(KEYS)
    LAST_WORDS: ClassVar[str] = (
        "the session ends, and its jar with it\n"
        "The journal has everything up to then: belljar replay lists the sessions."
    )

    def __init__(
        self,
        session: Session,
        profile_path: str = "service.belljar.yaml",
        keymap: Mapping[str, str] | None = None,
        beside: Beside | None = None,
    ) -> None:
        remapped = dict(keymap or {})
        super().__init__(session, SearchScreen(session, profile_path, remapped), remapped)
        self.session = session
        self._profile_path = profile_path
        self._mode = Mode.REFUSE
        self._given: dict[Mode, dict[str, object]] = {}
        """Parameters that cuts in a mode are made with from now on."""
        self._beside = beside
        self.return_code_wanted = 0
        self._leaving: asyncio.Task[None] | None = None

    def on_mount(self) -> None:
        self.session.on_event = self._take
        on_signal(signal.SIGTERM, self._leave)
        on_signal(signal.SIGHUP, self._hang_up)
        self.run_worker(self._explore(), exit_on_error=False)

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
        except MemoryError as error:
            self._last_words.say_if(error)  # here: a worker's own way to tell would need memory

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

    def paint_below(self, base: Screen[object]) -> None:
        cuts = " ".join(["cuts:", self._mode, written(self._given.get(self._mode, {}))]).rstrip()
        entitle_below(base.query_one(GraphView), cuts)

    def on_cut_toggled(self, message: CutToggled) -> None:
        self._toggle(message.dependency)

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
            self._do(self._cut(view.id))

    def action_parameters(self) -> None:
        """What the mode leaves open; a cut that stands in this mode changes at once."""
        mode, selected = self._mode, self.query_one(GraphView).selected
        if selected is None or not known(mode):
            self.notify(f"{mode} has no parameters: m goes to the next mode.")
            return
        question = f"How shall {mode} fail? {known(mode)}:"
        prompt = LinePrompt(
            question, written(self._given.get(mode, {})), check=lambda t: parse_given(t, mode, selected)
        )
        self.push_screen(prompt, lambda text: self._give(mode, selected, text) if text is not None else None)

    def _give(self, mode: Mode, dependency: str, text: str) -> None:
        self._given[mode] = parse_given(text, mode, dependency)
        self._is_stale = True
        view = self.session.state.dependencies.get(dependency)
        if view is not None and view.mode is mode and view.cut_by == "user":
            self._do(self._cut(dependency))

    def _cut(self, dependency: str, for_s: float | None = None) -> cmd.Cut:
        return msgspec.structs.replace(cmd.Cut(dependency, self._mode, for_s), **self._given.get(self._mode, {}))

    def action_cut_for(self) -> None:
        dependency, mode = self.query_one(GraphView).selected, self._mode
        if dependency is not None:
            question = LinePrompt(f"Cut {dependency} ({mode}) for how long?", "30s", check=parse_duration)
            self.push_screen(question, lambda t: self._do(self._cut(dependency, parse_duration(t))) if t else None)

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
        self._do(cmd.Restore(dependency) if is_cut else self._cut(dependency))
