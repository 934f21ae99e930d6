"""A drill on the screen: its briefing, hints, answers and predictions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from unittest.mock import patch

import pytest
from fake import OPENING, FakeAgent, beginning
from stage import looks_like, screen_text, shown, until
from textual.pilot import Pilot

from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode
from belljar_tui.errors import UsageError
from belljar_tui.headless.drill import drills
from belljar_tui.session import Session
from belljar_tui.teaching import Teacher
from belljar_tui.tui.dialogs import LinePrompt, NoticeScreen
from belljar_tui.tui.drill_app import DrillApp, _foretold

AUTH = "tcp://auth.lab:9000"


@asynccontextmanager
async def drilled(
    *, predict: bool = False, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[tuple[DrillApp, Pilot[None]]]:
    journal: list[ev.AnyEvent] = []
    session = Session(FakeAgent(beginning()), OPENING, write=journal.append, save=lambda state, path: None)
    session.teacher = Teacher(drills()["plain"], must_foretell=predict)
    app = DrillApp(session, session.teacher)
    with patch("belljar_tui.tui.app.leave_for_sure"):
        async with shown(app, size) as pilot:
            await until(pilot, lambda: session.state.health_detail == "200 ready")
            session.now = lambda: max(session.state.at, 1.0)  # type: ignore[method-assign]
            yield app, pilot
            assert sum(isinstance(event, ev.SessionStarted) for event in journal) == 1
            app._leave()


@pytest.mark.parametrize("size", [(80, 24), (120, 30)])
async def test_the_briefing_comes_first(size: tuple[int, int]) -> None:
    async with drilled(size=size) as (app, pilot):
        assert isinstance(app.screen, NoticeScreen)
        looks_like(app, "drill-briefing")
        await pilot.press("enter")
        await pilot.press("home")
        assert "a Answer" in screen_text(app) or "a answer" in screen_text(app).lower()
        assert "x Find" not in screen_text(app)


async def test_a_wrong_answer_a_hint_and_the_right_one() -> None:
    async with drilled() as (app, pilot):
        await pilot.press("enter", "home", "h")
        await until(pilot, lambda: isinstance(app.screen, NoticeScreen))
        assert "1. The health strip repeats the check's own words." in screen_text(app)
        await pilot.press("enter")
        await pilot.press("a", *"hang", "enter")
        await until(pilot, lambda: len(app.session.state.notes[:]) == 2)
        assert app._teacher.game.score == 0
        await pilot.press("a", *"dead", "enter")
        await until(pilot, lambda: isinstance(app.screen, NoticeScreen))
        assert "Found: 60 of 100 points" in screen_text(app)
        looks_like(app, "drill-found")
        with patch.object(type(app), "action_quit", autospec=True) as left:
            await pilot.press("q")
            await until(pilot, lambda: left.called)


async def test_an_answer_that_is_no_way_to_fail_is_asked_again() -> None:
    async with drilled() as (app, pilot):
        await pilot.press("enter", "home", "a", *"sad", "enter")
        await pilot.pause()
        assert isinstance(app.screen, LinePrompt)
        assert not app._teacher.game.guesses


async def test_a_cut_waits_for_its_prediction() -> None:
    async with drilled(predict=True) as (app, pilot):
        await pilot.press("enter", "home", "space")
        await until(pilot, lambda: isinstance(app.screen, LinePrompt))
        looks_like(app, "drill-predict")
        await pilot.press("escape")
        assert app.session.state.cut_count == 0
        await pilot.press("space")
        await until(pilot, lambda: isinstance(app.screen, LinePrompt))
        await pilot.press(*"unhealthy 80", "enter")
        await until(pilot, lambda: app.session.state.dependencies[AUTH].mode is Mode.REFUSE)
        (said,) = app._teacher.game.foretold
        assert (said.dependency, said.breaks, said.sure) == (AUTH, True, 0.8)


@pytest.mark.parametrize("text", ["", "maybe", "unhealthy 20", "healthy x", "80"])
def test_what_foretells_nothing_is_told(text: str) -> None:
    with pytest.raises(UsageError):
        _foretold(text)
