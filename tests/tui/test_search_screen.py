"""The search before one's eyes, on a fake world that knows the truth: real events of a real search."""

from __future__ import annotations

from functools import partial

import pytest
from fake import is_sealed
from fake_search import AUTH, CONFIG, DB, DNS, LEGACY, PAY_A, PAY_B, FakeOracle, Truth, checkout
from stage import SIZES, Stage, staged, until
from textual.pilot import Pilot

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Mode, Seal
from belljar_tui.core.search import Conclusion, Conflict, Found
from belljar_tui.core.search_view import SearchView
from belljar_tui.core.trial import Outcome, Recovery, Trial, TrialVerdict
from belljar_tui.tui.dialogs import HelpScreen, LinePrompt
from belljar_tui.tui.graph import GraphView
from belljar_tui.tui.panels import StatusLine
from belljar_tui.tui.search_screen import SearchScreen
from belljar_tui.tui.trial_grid import TrialGrid

KEPT = {DNS, AUTH, CONFIG, DB, PAY_A}
UNTIL_FOUND = 100
"""More trials than the search needs."""


def search_of(app: Stage) -> SearchView:
    assert app.session.state.search is not None
    return app.session.state.search


async def begun(app: Stage, pilot: Pilot[None], trials: int = 0) -> None:
    """Press x, and let so many trials end, one after the other."""
    await pilot.press("x")
    await until(pilot, lambda: isinstance(app.screen, SearchScreen))
    for done in range(1, trials + 1):
        app.oracle.let(1)
        await until(pilot, partial(_has_done, app, done))
        if not search_of(app).is_running:
            break
    await drawn(app, pilot)


def _has_done(app: Stage, trials: int) -> bool:
    return search_of(app).done >= trials or not search_of(app).is_running


async def drawn(app: Stage, pilot: Pilot[None]) -> None:
    """The next trial was started, or the search is at its end; and the screen has it."""

    def is_settled() -> bool:
        search = search_of(app)
        return not search.is_running or any(trial.is_running for trial in search.trials.values())

    await until(pilot, is_settled)
    await until(pilot, lambda: app.search_screen._seen is search_of(app))
    await pilot.pause(0.05)


async def test_x_begins_the_search_and_shows_it() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 5)
        text = app.screen_text
        assert "5 of about" in text
        assert "left · 1 job · set so far" in text
        assert "orders-db.lab" in text
        assert "✓ ✗" in text


async def test_the_grid_fills_in_and_says_what_is_decided() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 1)
        assert "undecided" in app.screen_text
        app.oracle.let(UNTIL_FOUND)
        await until(pilot, lambda: search_of(app).found)
        await drawn(app, pilot)
        rows = {row.dependency: row for row in app.search_screen.query_one(TrialGrid).grid.rows}
        assert {one for one, row in rows.items() if row.is_in_set} == KEPT
        assert {one for one, row in rows.items() if row.decision == "needed"} == {DNS, AUTH, CONFIG, DB}
        assert {one for one, row in rows.items() if row.decision == "fallback"} == {PAY_A, PAY_B}
        assert rows[LEGACY].decision == "never called"


async def test_escape_goes_back_while_the_search_runs_on_and_x_opens_it_again() -> None:
    async with staged((80, 24), FakeOracle()) as (app, pilot):
        await begun(app, pilot, 2)
        await pilot.press("escape")
        app.oracle.let(1)
        await until(pilot, lambda: search_of(app).done == 3)
        await until(pilot, lambda: f"search 3/{3 + search_of(app).expected}" in app.screen_text)
        assert len(str(app.query_one(StatusLine).render())) <= 80, "nothing is pushed out of sight"
        assert app.session.state.search is not None
        assert "checkout" in app.screen_text
        await pilot.press("x")
        assert isinstance(app.screen, SearchScreen)
        await until(pilot, lambda: "3 of about" in app.screen_text)


async def test_a_session_that_cannot_search_says_so() -> None:
    async with staged() as (app, pilot):
        await pilot.press("x")
        await until(pilot, lambda: "no service that could be started again" in app.screen_text)
        assert not isinstance(app.screen, SearchScreen)


async def test_space_pauses_and_space_goes_on() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 2)
        await pilot.press("space")
        await until(pilot, lambda: "paused, 1 trial still running" in app.screen_text)
        app.oracle.let(3)
        await until(pilot, lambda: search_of(app).done == 3)
        await until(pilot, lambda: "paused" in app.screen_text and "still running" not in app.screen_text)
        assert len(search_of(app).trials) == 3, "no further trial was started"
        await pilot.press("p")
        await until(pilot, lambda: search_of(app).done == 5)


async def test_a_stopped_search_keeps_its_verdicts_and_x_goes_on_from_them() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 4)
        await pilot.press("X")
        await until(pilot, lambda: "stopped" in app.screen_text)
        assert search_of(app).trials[5].is_abandoned
        await pilot.press("x")
        await until(pilot, lambda: search_of(app).is_running)
        app.oracle.let(UNTIL_FOUND)
        await until(pilot, lambda: search_of(app).found)
        assert sum(trial.is_recalled for trial in search_of(app).trials.values()) == 4
        await until(pilot, lambda: "4 recalled from an earlier search" in app.screen_text)
        await pilot.press("tab")
        await until(pilot, lambda: "↺" in app.screen_text)


async def test_taking_over_pauses_and_puts_the_set_so_far_to_the_test() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 10)
        so_far = search_of(app).set_so_far
        assert so_far is not None
        await pilot.press("t")
        await until(pilot, lambda: search_of(app).is_paused and is_sealed(app.agent))
        assert not isinstance(app.screen, SearchScreen)
        assert all(app.agent.wanted.mode_of(one) is None for one in so_far)
        assert app.agent.wanted.mode_of(LEGACY) is Mode.REFUSE
        await until(pilot, lambda: "paused" in app.screen_text)
        await pilot.press("u")
        await until(pilot, lambda: app.agent.wanted.seal is Seal.OPEN)
        await pilot.press("x")
        await until(pilot, lambda: not search_of(app).is_paused)
        assert isinstance(app.screen, SearchScreen)


async def test_taking_over_before_any_set_works_changes_nothing() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot)
        await pilot.press("t")
        await until(pilot, lambda: "No set is known to work yet" in app.screen_text)
        await until(pilot, lambda: search_of(app).is_paused)
        assert not is_sealed(app.agent)


async def test_the_selected_trial_is_told_in_words() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 3)
        await pilot.press("home", "right")
        await until(pilot, lambda: "trial 2 · ✗ broken · vacuum" in app.screen_text)
        assert "open     nothing" in app.screen_text
        assert "cut      refuse · everything" in app.screen_text
        assert "blocked  name service" in app.screen_text
        assert "503 names: no way" in app.screen_text
        assert "1.5 s" in app.screen_text


async def test_the_newest_trial_is_followed_until_one_looks_back() -> None:
    async with staged((60, 24), FakeOracle()) as (app, pilot):
        await begun(app, pilot, 14)
        trials = app.search_screen.query_one(TrialGrid)
        assert trials.number == max(search_of(app).trials)
        assert trials._shown[-1].trial.number == trials.number, "the newest is in sight"
        await pilot.press("home")
        assert trials.number == 1
        assert trials._shown[0].trial.number == 1
        app.oracle.let(1)
        await until(pilot, lambda: search_of(app).done == 15)
        await drawn(app, pilot)
        assert trials.number == 1, "who looks back is not pulled away"
        await pilot.press("end")
        app.oracle.let(1)
        await until(pilot, lambda: search_of(app).done == 16)
        await drawn(app, pilot)
        assert trials.number == max(search_of(app).trials)
        assert trials._shown[-1].trial.number == trials.number


async def test_rows_and_trials_are_chosen_with_keys_and_mouse() -> None:
    async with staged((80, 24), FakeOracle()) as (app, pilot):
        await begun(app, pilot, 6)
        trials = app.search_screen.query_one(TrialGrid)
        await pilot.press("j", "down", "k")
        assert trials.dependency == trials.grid.rows[1].dependency
        await pilot.press("pagedown")
        assert trials.dependency == trials.grid.rows[-1].dependency
        await pilot.click(TrialGrid, offset=(1 + trials._left + 2 * 3, 1 + 2 + 0))  # a border, two lines of head
        assert (trials.number, trials.dependency) == (4, trials.grid.rows[0].dependency)


async def test_the_answer_comes_to_the_front_and_says_it_all() -> None:
    async with staged((80, 60), FakeOracle()) as (app, pilot):
        app.oracle.let(UNTIL_FOUND)
        await begun(app, pilot)
        await until(pilot, lambda: search_of(app).found)
        await until(pilot, lambda: "checkout starts with 5 of its 10 dependencies open" in app.screen_text)
        text = app.screen_text
        assert "pay-a.lab:443 or pay-b.lab:443: any one will do" in text
        assert "single points" in text
        assert "fine if refused, broken if it hangs" in text
        assert "never called   ○ legacy.lab:80" in text
        await pilot.press("tab")
        await until(pilot, lambda: "◆ needed" in app.screen_text)
        await pilot.press("tab")
        await until(pilot, lambda: "minimal set" in app.screen_text)


async def test_s_saves_what_was_found_and_nothing_before() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 2)
        await pilot.press("s")
        assert not isinstance(app.screen, LinePrompt)
        app.oracle.let(UNTIL_FOUND)
        await until(pilot, lambda: search_of(app).found)
        await drawn(app, pilot)
        await pilot.press("s")
        assert isinstance(app.screen, LinePrompt)
        await pilot.press("enter")
        await until(pilot, lambda: app.saved)
        state, path = app.saved[0]
        assert path.name == "checkout.belljar.yaml"
        assert state.search is not None
        assert set(state.search.found.minimal if state.search.found else ()) == KEPT


async def test_a_service_that_is_never_healthy_is_told_so_with_what_to_do() -> None:
    oracle = FakeOracle()
    oracle.broken_anyway = UNTIL_FOUND
    oracle.let(UNTIL_FOUND)
    async with staged((80, 24), oracle) as (app, pilot):
        await begun(app, pilot)
        await until(pilot, lambda: "not healthy even with everything open" in app.screen_text)
        assert "503 names: no way" in app.screen_text
        assert "--deadline" in app.screen_text
        assert "x searches again" in app.screen_text


async def test_trials_that_say_nothing_end_the_search_with_their_reason() -> None:
    oracle = FakeOracle()
    oracle.says_nothing = True
    oracle.let(UNTIL_FOUND)
    async with staged((80, 24), oracle) as (app, pilot):
        await begun(app, pilot)
        await until(pilot, lambda: "A trial said nothing three times over" in app.screen_text)
        assert "port 8080 is taken already" in app.screen_text


async def test_a_service_that_needs_nothing_is_said_to() -> None:
    oracle = FakeOracle(Truth(needs=(), hurts_when_it_hangs=frozenset()), checkout(modes=(Mode.REFUSE,)))
    oracle.let(UNTIL_FOUND)
    async with staged((80, 24), oracle) as (app, pilot):
        await begun(app, pilot)
        await until(pilot, lambda: "checkout needs nothing" in app.screen_text)


async def test_flaky_trials_and_repeats_are_said_plainly() -> None:
    oracle = FakeOracle(question=checkout(modes=(Mode.REFUSE,)))
    oracle.flaky_at = {frozenset(KEPT | {PAY_B})}
    oracle.let(UNTIL_FOUND)
    async with staged((80, 40), oracle) as (app, pilot):
        await begun(app, pilot)
        await until(pilot, lambda: search_of(app).found)
        await until(pilot, lambda: "repeated" in app.screen_text)
        assert "both passed and failed" in app.screen_text


async def test_contradictions_and_a_limit_that_came_first_are_said() -> None:
    worse = Conflict(passed=(AUTH, DB), failed=(AUTH, CONFIG, DB))
    found = Found(
        conclusion=Conclusion.FOUND,
        minimal=(AUTH, DB),
        working_sets=((AUTH, DB), (AUTH, PAY_A)),
        conflicts=(worse,),
        is_monotone=False,
        is_complete=False,
    )
    async with staged((100, 30)) as (app, pilot):
        app.agent.tell(ev.SearchStarted(at=2, question=checkout()), ev.SearchEnded(at=3, found=found))
        await until(pilot, lambda: "With more open it was worse" in app.screen_text)
        text = " ".join(app.screen_text.replace("│", "").split())
        assert "healthy with auth.lab:9000, orders-db.lab:5432 open; broken with config.lab:8500 open as well" in text
        assert "other sets" in text
        assert "these are not all" in text


async def test_pins_that_break_it_are_named_as_the_cause() -> None:
    found = Found(conclusion=Conclusion.NEVER_HEALTHY, detail="broken with what was to stay cut")
    question = checkout(stay_cut=frozenset({AUTH}))
    passed = Outcome(trial=Trial(None), verdict=TrialVerdict.HEALTHY)
    async with staged((100, 30)) as (app, pilot):
        app.agent.tell(
            ev.SearchStarted(at=2, question=question),
            ev.TrialEnded(at=3, number=1, outcome=passed),
            ev.SearchEnded(at=3, found=found),
        )
        await until(pilot, lambda: "checkout is broken by what was pinned cut" in app.screen_text)


async def test_pins_are_shown() -> None:
    question = checkout(stay_open=frozenset({DNS}), stay_cut=frozenset({LEGACY}))
    async with staged((80, 24), FakeOracle(question=question)) as (app, pilot):
        await begun(app, pilot, 3)
        assert "pinned open" in app.screen_text
        assert "pinned cut" in app.screen_text


async def test_a_service_stuck_after_restore_is_a_finding() -> None:
    oracle = FakeOracle()
    oracle.recovery, oracle.stuck = Recovery.STEADY, AUTH
    oracle.let(UNTIL_FOUND)
    async with staged((120, 50), oracle) as (app, pilot):
        await begun(app, pilot)
        await until(pilot, lambda: "stuck after restore" in app.screen_text)
        assert "after cutting auth.lab:9000" in app.screen_text
        assert "checkout stays healthy with" in app.screen_text


async def test_help_names_every_key_and_glyph_of_the_search() -> None:
    async with staged((120, 50), FakeOracle()) as (app, pilot):
        await begun(app, pilot, 1)
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "Start no further trial" in app.screen_text
        assert "↺ recalled" in app.screen_text


async def test_every_key_of_the_search_is_in_the_palette_while_it_is_seen() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        assert "Find" in {command.title for command in app.get_system_commands(app.screen)}
        await begun(app, pilot, 1)
        commands = {command.title: command for command in app.get_system_commands(app.screen)}
        assert {"Pause/Go on", "Stop", "By hand", "Explorer"} <= set(commands)
        assert "Cut/Restore" not in commands
        commands["Pause/Go on"].callback()
        await until(pilot, lambda: search_of(app).is_paused)


async def test_keys_of_the_explorer_do_nothing_there() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 1)
        await pilot.press("v", "m", "r")
        await pilot.pause(0.1)
        assert not is_sealed(app.agent)


async def test_health_and_blocked_calls_go_on_underneath() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 1)
        app.agent.block(AUTH)
        await until(pilot, lambda: app.session.state.health is Health.UNHEALTHY)
        await pilot.press("escape")
        await until(pilot, lambda: "unhealthy" in app.screen_text)
        assert app.query_one(GraphView).has_focus


async def test_leaving_in_the_middle_ends_the_search_and_its_jars() -> None:
    async with staged(oracle=FakeOracle()) as (app, pilot):
        await begun(app, pilot, 2)
        await pilot.press("q")
        await until(pilot, lambda: app.agent.is_finished)
    assert app.oracle.is_closed
    assert search_of(app).stopped == "quit"


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
@pytest.mark.parametrize(("scene", "trials"), [("searching", 12), ("answered", UNTIL_FOUND)])
async def test_screens_look_as_they_did(size: tuple[int, int], scene: str, trials: int) -> None:
    async with staged(size, FakeOracle()) as (app, pilot):
        await begun(app, pilot, trials)
        await pilot.pause(0.3)
        app.looks_like(scene)


async def test_every_state_is_told_apart_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with staged((80, 24), FakeOracle()) as (app, pilot):
        await begun(app, pilot, 8)
        assert {"●", "┄", "✂", "✓", "✗", "◆"} <= set(app.screen_text)


async def test_a_tiny_terminal_is_told_so() -> None:
    async with staged((50, 12), FakeOracle()) as (app, pilot):
        await begun(app, pilot, 1)
        assert "too small" in app.screen_text
