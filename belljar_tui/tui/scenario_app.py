"""The explorer with a scenario beside it: which step comes next, and at its end what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.screen import Screen
from textual.widgets import Static

from belljar_tui.core.scenario import Scenario
from belljar_tui.core.scenario_progress import progress
from belljar_tui.core.state import State
from belljar_tui.session import Beside, Session
from belljar_tui.tui.app import ExplorerApp
from belljar_tui.tui.dialogs import PartingScreen


class Staged(NamedTuple):
    """A scenario, how it is played, and what is told at its end."""

    scenario: Scenario
    play: Beside
    told: Callable[[State], Sequence[str]]
    """Lines: each expectation met or missed, and the exit code that follows."""


class ScenarioApp(ExplorerApp):
    """Explores as ever while the scenario cuts and restores.

    Args:
        session: not yet started.
        staged: what goes on beside it.
        profile_path: what `s` suggests.
        keymap: binding id -> keys, for people who remap.
    """

    def __init__(
        self,
        session: Session,
        staged: Staged,
        profile_path: str = "service.belljar.yaml",
        keymap: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(session, profile_path, keymap, self._play)
        self._staged = staged
        self._has_run = False

    def compose_below(self) -> ComposeResult:
        yield Static(id="scenario")

    def paint_below(self, base: Screen[object]) -> None:
        super().paint_below(base)
        scenario, state = self._staged.scenario, self.session.state
        line = f"{scenario.name}: has run" if self._has_run else progress(scenario, state, self.session.now())
        base.query_one("#scenario", Static).update(Text(line, no_wrap=True, overflow="ellipsis"), layout=False)

    async def _play(self, session: Session) -> str:
        why = await self._staged.play(session)
        self._has_run = self._is_stale = True
        until_now = msgspec.structs.replace(session.state, at=session.now())  # nothing need have happened since
        told = "\n".join(self._staged.told(until_now))
        ended = f"{why[:1].upper()}{why[1:]}."
        self.push_screen(PartingScreen(f"{ended}\n\n{told}\n\nThe session goes on until you leave."))
        return why
