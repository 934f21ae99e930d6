"""The explorer on a stage: a fake agent, a fake world to search in, and a clock that stands still."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fake import OPENING, FakeAgent, beginning
from fake_search import FakeOracle
from steady import SteadyPilot
from textual.app import App
from textual.pilot import Pilot

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.state import State
from belljar_tui.session import Beside, Session
from belljar_tui.tui import app as app_module
from belljar_tui.tui.app import ExplorerApp

SNAPSHOTS = Path(__file__).parent / "snapshots"
SIZES = [(80, 24), (120, 30), (200, 60)]

patch("belljar_tui.tui.app.leave_for_sure").start()
"""An explorer that leaves ends its process after ten seconds, whatever happens: here that would be ours, with exit code
0 and the rest of the tests never run."""


class Stage(ExplorerApp):
    """The explorer with a clock that only moves with what happens, so that a screen is the same every time."""

    def __init__(
        self,
        agent: FakeAgent,
        oracle: FakeOracle | None = None,
        keymap: dict[str, str] | None = None,
        beside: Beside | None = None,
    ) -> None:
        self.agent = agent
        self.oracle = oracle or FakeOracle()
        self.journal: list[ev.AnyEvent] = []
        self.saved: list[tuple[State, Path]] = []
        session = Session(
            agent,
            OPENING,
            write=self.journal.append,
            save=lambda state, path: self.saved.append((state, path)),
            new_search=oracle.new_search if oracle is not None else None,
        )
        super().__init__(session, "checkout.belljar.yaml", keymap, beside)
        # The last resort of a terminal that hangs ends this process, and with it every test that was still to come.
        vars(app_module)["leave_for_sure"] = lambda code: None
        session.now = lambda: max(session.state.at, 1.0, self.oracle.clock)  # type: ignore[method-assign]

    @property
    def screen_text(self) -> str:
        return screen_text(self)

    def looks_like(self, name: str) -> None:
        looks_like(self, name)


def screen_text(app: App[None]) -> str:
    """The screen as plain text, trailing blanks left out."""
    width, height = app.size
    strips = app.screen._compositor.render_strips()[:height]
    return "\n".join(strip.text[:width].rstrip() for strip in strips) + "\n"


def looks_like(app: App[None], name: str) -> None:
    """Compare with the snapshot of this name, or write it where BELLJAR_UPDATE_SNAPSHOTS is set."""
    path = SNAPSHOTS / f"{name}-{app.size[0]}x{app.size[1]}.txt"
    if os.environ.get("BELLJAR_UPDATE_SNAPSHOTS"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(screen_text(app))
    assert screen_text(app) == path.read_text()


@asynccontextmanager
async def staged(
    size: tuple[int, int] = (120, 30),
    oracle: FakeOracle | None = None,
    keymap: dict[str, str] | None = None,
    beside: Beside | None = None,
) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    app = Stage(FakeAgent(beginning()), oracle, keymap, beside)
    async with shown(app, size) as pilot:
        await until(pilot, lambda: app.session.state.health_detail == "200 ready")
        await pilot.press("home")
        yield app, pilot
        assert fold(app.journal) == app.session.state, "what was recorded is what was shown"
        app._leave()


@asynccontextmanager
async def shown(app: App[Any], size: tuple[int, int] = (80, 24)) -> AsyncIterator[Pilot[Any]]:
    """The app on a screen of that size, and who looks at it."""
    async with app.run_test(size=size, notifications=True):
        pilot = SteadyPilot(app)
        await pilot.pause()
        yield pilot


async def until(pilot: Pilot[None], condition: Callable[[], object]) -> None:
    """Wait for something to come true; the screen gets its turn between."""
    for _ in range(500):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.01)
    raise AssertionError("it did not come true in time")
