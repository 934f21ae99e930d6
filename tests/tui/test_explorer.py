"""The explorer on a fake agent: every key does what its tooltip says, at every size."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from fake import FakeAgent, is_sealed
from stage import SIZES, Stage, shown, staged, until
from textual.pilot import Pilot

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode, Settings
from belljar_tui.errors import AgentLost
from belljar_tui.session import Session
from belljar_tui.tui.dialogs import ErrorScreen, HelpScreen, LinePrompt
from belljar_tui.tui.graph import GraphView

AUTH = "tcp://auth.lab:9000"


async def test_space_cuts_and_space_again_restores() -> None:
    async with staged() as (app, pilot):
        assert app.query_one(GraphView).selected == AUTH
        await pilot.press("space")
        await until(pilot, lambda: app.session.state.dependencies[AUTH].mode is Mode.REFUSE)
        assert "✂  auth.lab" in app.screen_text
        assert "hit nothing so far" in app.screen_text
        app.agent.block(AUTH)
        await until(pilot, lambda: "503 auth.lab: connection refused" in app.screen_text)
        assert "web (7)        auth.lab:9000" in app.screen_text
        assert "unhealthy after" in app.screen_text
        await pilot.press("space")
        await until(pilot, lambda: not app.session.state.dependencies[AUTH].is_cut)
        assert "●  auth.lab" in app.screen_text


async def test_vacuum_undo_redo_and_restore_all() -> None:
    async with staged() as (app, pilot):
        await pilot.press("v")
        await until(pilot, lambda: app.session.state.cut_count == 4)
        assert is_sealed(app.agent)
        await pilot.press("u")
        await until(pilot, lambda: app.session.state.cut_count == 0)
        await pilot.press("ctrl+r")
        await until(pilot, lambda: app.session.state.cut_count == 4)
        await pilot.press("r")
        await until(pilot, lambda: app.session.state.cut_count == 0)
        assert not is_sealed(app.agent)


async def test_the_mode_changes_a_cut_that_stands() -> None:
    async with staged() as (app, pilot):
        await pilot.press("space")
        await until(pilot, lambda: app.session.state.dependencies[AUTH].is_cut)
        await pilot.press("m")
        await until(pilot, lambda: app.session.state.dependencies[AUTH].mode is Mode.BLACKHOLE)


async def test_m_goes_through_every_mode_that_the_kernel_can_do() -> None:
    async with staged() as (app, pilot):
        app.agent.tell(ev.AgentStarted(at=1.0, queue="native", log=True, destroy=True, lacks=[Mode.FLAKY]))
        await until(pilot, lambda: app.session.state.lacks)
        seen = []
        for _ in range(7):
            await pilot.press("m")
            await until(pilot, lambda: f"cuts: {app._mode}" in app.screen_text)
            seen.append(app._mode)
        assert seen == [
            Mode.BLACKHOLE, Mode.RESET, Mode.UNREACHABLE, Mode.DNS, Mode.SLOW, Mode.HANG, Mode.REFUSE
        ]  # fmt: skip


async def test_p_gives_a_mode_its_parameters_and_changes_a_cut_that_stands() -> None:
    async with staged() as (app, pilot):
        await pilot.press("p")
        await until(pilot, lambda: "refuse has no parameters" in app.screen_text)
        while app._mode is not Mode.SLOW:
            await pilot.press("m")
        await pilot.press("space")
        await until(pilot, lambda: "slow 1 s" in app.screen_text)
        await pilot.press("p", *"delay=3", "enter")
        await until(pilot, lambda: "is no parameter of slow" in app.screen_text)
        await pilot.press(*["backspace"] * 7, *"delay_s=0.2 bytes_per_s=5000", "enter")
        await until(pilot, lambda: "slow 0.2 s," in app.screen_text)
        assert app.session.state.dependencies[AUTH].settings == Settings(delay_s=0.2, bytes_per_s=5000)
        app.agent.tell(ev.TrafficCounted(at=5.0, dependency=AUTH, calls=100, packets=500, bytes=9000))
        await until(pilot, lambda: "100 late" in app.screen_text)


async def test_a_cut_for_a_time_says_how_long_it_lasts_and_is_not_brought_back() -> None:
    async with staged() as (app, pilot):
        await pilot.press("t", "x", "enter")
        await until(pilot, lambda: "is not a length of time" in app.screen_text)
        await pilot.press("backspace", "9", "9", "s", "enter")
        await until(pilot, lambda: app.session.state.dependencies[AUTH].is_cut)
        await until(pilot, lambda: "left" in app.screen_text)
        app.agent.expire(AUTH)
        await until(pilot, lambda: not app.session.state.dependencies[AUTH].is_cut)
        await pilot.press("v")
        await until(pilot, lambda: app.session.state.cut_count == 4)
        await pilot.press("u")
        await until(pilot, lambda: app.session.state.cut_count == 0)


async def test_a_row_is_chosen_with_keys_letters_and_mouse() -> None:
    async with staged() as (app, pilot):
        graph = app.query_one(GraphView)
        await pilot.press("j")
        assert graph.selected == "tcp://orders-db.lab:5432"
        await pilot.press("g", "a")
        assert graph.selected == AUTH
        row = next(i for i, r in enumerate(graph._drawing.rows) if r.dependency == "tcp://10.9.0.44:443")
        await pilot.click(GraphView, offset=(50, row + 1))  # one line of border
        assert graph.selected == "tcp://10.9.0.44:443"
        assert app.session.state.cut_count == 0, "a click on the name only selects"
        await pilot.click(GraphView, offset=(50, row + 1), times=2)
        await until(pilot, lambda: app.session.state.cut_count == 1)


async def test_the_filter_shows_only_what_fits() -> None:
    async with staged() as (app, pilot):
        await pilot.press("slash")
        assert isinstance(app.screen, LinePrompt)
        await pilot.press(*"time", "enter")
        await until(pilot, lambda: "orders-db" not in app.screen_text)
        assert "time.lab" in app.screen_text


async def test_saving_and_noting_ask_for_a_line() -> None:
    async with staged() as (app, pilot):
        await pilot.press("s", "enter")
        await until(pilot, lambda: app.saved)
        assert app.saved[0][1] == Path("checkout.belljar.yaml")
        await pilot.press("n", *"hot", "enter")
        await until(pilot, lambda: app.session.state.notes)
        assert app.session.state.notes[0].text == "hot"
        await pilot.press("s", "escape")
        assert len(app.saved) == 1


async def test_help_names_every_key() -> None:
    async with staged() as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "Cut the selected dependency" in app.screen_text
        await pilot.press("escape")
        assert not isinstance(app.screen, HelpScreen)


async def test_undo_with_nothing_to_undo_says_so() -> None:
    async with staged() as (app, pilot):
        await pilot.press("u")
        await until(pilot, lambda: app.session.state.rejected)
        await until(pilot, lambda: "there is nothing to undo" in app.screen_text)


async def test_leaving_ends_the_agent_and_asks_nothing() -> None:
    async with staged() as (app, pilot):
        await pilot.press("q")
        await until(pilot, lambda: app.agent.is_finished)
    assert app.journal[-1].__class__ is ev.SessionEnded


async def test_a_lost_agent_is_said_in_full_and_in_the_exit_code() -> None:
    app = Stage(FakeAgent([]))

    async def fail() -> None:
        raise AgentLost("The jar's agent ended by signal 9.", "it was killed")

    app.agent.start = fail  # type: ignore[method-assign]
    async with shown(app, (100, 30)) as pilot:
        await until(pilot, lambda: isinstance(app.screen, ErrorScreen))
        assert "ended by signal 9" in app.screen_text
        await pilot.press("q")
    assert app.return_code == 4


async def test_what_is_lost_or_unproven_is_on_the_screen() -> None:
    async with staged((160, 30)) as (app, pilot):
        app.agent.tell(
            ev.EventsLost(at=2, source="queue", count=5), ev.SealProven(at=2, ok=False, detail="a call passed")
        )
        await until(pilot, lambda: "lost 5" in app.screen_text)
        assert "the seal is not proven: a call passed" in app.screen_text


async def test_a_tiny_terminal_is_told_so() -> None:
    async with staged((50, 12)) as (app, _):
        assert "too small" in app.screen_text


Scene = Callable[[Stage, Pilot[None]], Awaitable[None]]


async def _calm(app: Stage, pilot: Pilot[None]) -> None:
    await pilot.pause()


async def _hurt(app: Stage, pilot: Pilot[None]) -> None:
    await pilot.press("space")
    await until(pilot, lambda: app.session.state.dependencies[AUTH].is_cut)
    app.agent.block(AUTH)
    await until(pilot, lambda: "503 auth" in app.screen_text)


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize("scene", [_calm, _hurt], ids=["calm", "hurt"])
async def test_screens_look_as_they_did(size: tuple[int, int], scene: Scene) -> None:
    async with staged(size) as (app, pilot):
        await scene(app, pilot)
        await pilot.pause(0.15)
        app.looks_like(scene.__name__.strip("_"))


async def test_every_state_is_told_apart_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with staged() as (app, pilot):
        await _hurt(app, pilot)
        assert {"✂", "●", "✗"} <= set(app.screen_text)


async def test_a_vacuum_unsays_nothing_that_a_cut_by_itself_has_shown() -> None:
    async with staged() as (app, pilot):
        await pilot.press("space")
        await until(pilot, lambda: app.session.state.dependencies[AUTH].is_cut)
        app.agent.block(AUTH)
        await until(pilot, lambda: "refuse ✗" in app.screen_text)
        await pilot.press("space", "v")
        await until(pilot, lambda: app.session.state.dependencies[AUTH].cut_by == "seal")
        assert "refuse ✗" in app.screen_text


async def test_a_filter_and_the_mode_of_cuts_stay_in_sight() -> None:
    async with staged((80, 24)) as (app, pilot):
        await pilot.press("m", "slash", *"lab", "enter")
        await until(pilot, lambda: "map · 3 with 'lab'" in app.screen_text)
        assert "cuts: blackhole" in app.screen_text


async def test_until_a_row_is_chosen_the_first_is_selected_and_then_it_stays() -> None:
    async with staged() as (app, pilot):
        graph = app.query_one(GraphView)
        await pilot.press("space")
        app.agent.tell(ev.DependencySeen(at=2.0, dependency="tcp://a.lab:1", endpoint="tcp 10.0.0.9:1", pid=7))
        await until(pilot, lambda: "a.lab" in app.screen_text and "tcp://a.lab:1" in app.session.state.dependencies)
        assert graph.selected == AUTH


async def test_a_warning_has_a_line_of_its_own_where_the_status_is_full() -> None:
    async with staged((80, 24)) as (app, pilot):
        app.agent.tell(ev.AuditFailed(at=2.0, detail="the kernel differs from the wanted state at tcp 10.0.0.1:9000"))
        await until(pilot, lambda: "! the kernel differs from the wanted state at tcp 10.0.0.1:9000" in app.screen_text)


async def test_a_journal_that_cannot_be_written_is_said() -> None:
    async with staged() as (app, pilot):
        app.agent.tell(ev.EventsLost(at=2.0, source="journal", count=1))
        await until(pilot, lambda: "Its disk takes no more events" in app.screen_text)
        await until(pilot, lambda: "lost 1" in app.screen_text)


async def test_arrows_select_rows_in_a_map_longer_than_its_window() -> None:
    async with staged((80, 24)) as (app, pilot):
        many = [f"tcp://d{n:02}.lab:80" for n in range(30)]
        app.agent.tell(*(ev.DependencySeen(at=1.0, dependency=d, endpoint="", pid=7) for d in many))
        await until(pilot, lambda: len(app.session.state.dependencies) == 34)
        await pilot.press("home")
        first = app.query_one(GraphView).selected
        await pilot.press("down", "down", "up")
        assert app.query_one(GraphView).selected == many[0]
        assert first == AUTH
        await pilot.press("end")
        assert app.query_one(GraphView).scroll_offset.y > 0


async def test_what_goes_on_beside_the_session_can_cut_and_the_screen_shows_it() -> None:
    async def beside(session: Session) -> str:
        await session.do(cmd.Cut(AUTH))
        return "over"

    async with staged(beside=beside) as (app, pilot):
        await until(pilot, lambda: app.session.state.dependencies[AUTH].is_cut)
        assert "✂  auth.lab" in app.screen_text
