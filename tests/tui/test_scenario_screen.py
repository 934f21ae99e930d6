"""A scenario on the screen: its next step, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from unittest.mock import patch

from fake import OPENING, FakeAgent, beginning
from stage import screen_text, shown, until

from belljar_tui.core import events as ev
from belljar_tui.core.scenario import Scenario, Step
from belljar_tui.core.state import State
from belljar_tui.session import Session
from belljar_tui.tui.dialogs import NoticeScreen
from belljar_tui.tui.scenario_app import ScenarioApp, Staged

SCRIPT = Scenario(belljar_scenario=1, name="outage", steps=(Step(at=1, note="x"), Step(at=9, restore="all")))


async def test_the_next_step_is_told_and_the_end_with_its_exit_code() -> None:
    journal: list[ev.AnyEvent] = []
    session = Session(FakeAgent(beginning()), OPENING, write=journal.append, save=lambda state, path: None)
    is_over = asyncio.Event()
    judged: list[State] = []

    async def play(_: Session) -> str:
        await is_over.wait()
        return "the scenario has run"

    def told(state: State) -> Sequence[str]:
        judged.append(state)
        return ["✗ not as expected  outage", "The exit code is 1."]

    app = ScenarioApp(session, Staged(SCRIPT, play, told))
    with patch("belljar_tui.tui.app.leave_for_sure"):
        async with shown(app, (80, 24)) as pilot:
            session.now = lambda: 5.2  # type: ignore[method-assign]
            await until(pilot, lambda: "step 2 of 2 in 4 s: restore all · 5 s into outage" in screen_text(app))
            is_over.set()
            await until(pilot, lambda: isinstance(app.screen, NoticeScreen))
            assert "The scenario has run." in screen_text(app)
            assert "The exit code is 1." in screen_text(app)
            assert judged[0].at == 5.2, "what was seen until now counts, though nothing happened since"
            await pilot.press("enter")
            await until(pilot, lambda: "outage: has run" in screen_text(app))
            assert not session.state.ended, "the session goes on"
            app._leave()
