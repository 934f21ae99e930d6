"""Scoring a drill, judging what was foretold, and faults as words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from belljar_tui.core.drill import Culprit, Drill, Fault, Foretold, Game
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Health, How
from belljar_tui.errors import BadDependencyId, UsageError

AUTH, DB = "tcp://auth.lab:9000", "tcp://orders-db.lab:5432"
DRILL = Drill(
    belljar_drill=1,
    name="x",
    lab="checkout",
    teaches="x",
    minutes=1,
    level="easy",
    briefing="x",
    faults=(Fault(host="auth.lab", how=How.DEAD),),
    culprit=Culprit(dependency=AUTH, how=How.DEAD, others=(DB,)),
    hints=("one", "two"),
    shortest=("look",),
)


def test_a_hint_costs_15_and_a_wrong_answer_25() -> None:
    game = Game(DRILL).guessed(AUTH, How.HANG, 1.0)
    assert not game.is_over
    game, words = game.hinted()
    assert words == "one"
    assert game.guessed(AUTH, How.DEAD, 2.0).score == 60
    assert game.score == 0, "nothing is found yet"


def test_whoever_finds_it_gets_a_point_however_late() -> None:
    game = Game(DRILL)
    for _ in range(9):
        game = game.guessed("tcp://nowhere.lab:1", How.DEAD, 1.0)
    assert game.guessed(DB, How.DEAD, 2.0).score == 1


def test_there_are_only_so_many_hints() -> None:
    game = Game(DRILL).hinted()[0].hinted()[0]
    with pytest.raises(UsageError):
        game.hinted()


def test_an_answer_that_is_no_dependency_costs_nothing() -> None:
    with pytest.raises(BadDependencyId):
        Game(DRILL).guessed("auth", How.DEAD, 1.0)


def test_without_a_drill_there_is_nothing_to_answer() -> None:
    with pytest.raises(UsageError):
        Game().guessed(AUTH, How.DEAD, 1.0)


def test_what_was_foretold_is_judged_by_health_before_the_next_change() -> None:
    state = fold(
        [
            ev.HealthChanged(at=0.0, health=Health.HEALTHY, check="x", detail=""),
            ev.HealthChanged(at=12.0, health=Health.UNHEALTHY, check="x", detail=""),
            ev.HealthChanged(at=21.0, health=Health.HEALTHY, check="x", detail=""),
            ev.NoteAdded(at=60.0, text="end"),
        ]
    )
    said = (Foretold(10.0, AUTH, True, 0.9), Foretold(30.0, DB, True, 0.8))
    told = Game(foretold=said).calibration(state, [10.0, 20.0, 30.0])
    assert told is not None
    assert (told.count, told.right) == (2, 1)
    assert told.brier == pytest.approx((0.1**2 + 0.8**2) / 2)
    assert "1 of 2 right" in str(told)
    assert Game().calibration(state, []) is None


@given(
    st.sampled_from(["auth.lab", "dns", "licence"]),
    st.sampled_from(How),
    st.floats(0, 600, allow_nan=False).map(lambda x: round(x, 1)),
    st.integers(0, 60),
)
def test_a_fault_is_read_as_it_was_written(host: str, how: How, after_s: float, delay_s: int) -> None:
    fault = Fault(host=host, how=how, after_s=after_s, delay_s=float(delay_s))
    assert Fault.parse(str(fault)) == fault


def test_what_is_no_fault_is_told() -> None:
    with pytest.raises(ValueError, match="melted"):
        Fault.parse("auth.lab=melted")
