from __future__ import annotations

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from belljar_tui.core.history import DEPTH, History
from belljar_tui.core.model import Mode, Settings, Wanted
from tests.unit.strategies import wanteds


def after(steps: list[Wanted]) -> History:
    history = History()
    for step in steps:
        history = history.moved_to(step)
    return history


@given(st.lists(wanteds, max_size=6), wanteds)
def test_undo_then_redo_is_where_one_was(steps: list[Wanted], last: Wanted) -> None:
    history = after(steps)
    assume(last != history.now)
    moved = history.moved_to(last)
    undone = moved.undone()
    assert undone is not None
    assert undone.now == history.now
    assert undone.redone() == moved


@given(st.lists(wanteds, max_size=6))
def test_undoing_everything_ends_at_the_beginning_and_redoing_everything_at_the_end(steps: list[Wanted]) -> None:
    history = end = after(steps)
    while (back := history.undone()) is not None:
        history = back
    assert history.now == Wanted()
    while (forth := history.redone()) is not None:
        history = forth
    assert history == end


@given(st.lists(wanteds, max_size=4), wanteds)
def test_a_new_change_forgets_what_was_undone(steps: list[Wanted], other: Wanted) -> None:
    undone = after(steps).undone()
    assume(undone is not None and other != undone.now)
    assert undone is not None
    assert undone.moved_to(other).redone() is None


@given(st.lists(wanteds, max_size=4))
def test_asking_for_what_holds_is_no_step(steps: list[Wanted]) -> None:
    history = after(steps)
    assert history.moved_to(history.now) == history


def test_a_long_history_is_bounded() -> None:
    history = after([Wanted(cuts={f"tcp://a:{port}": Mode.REFUSE}) for port in range(1, DEPTH * 2)])
    assert len(history.past) == DEPTH


def timed(until: float, dependency: str = "tcp://a:1") -> Wanted:
    return Wanted(cuts={dependency: Mode.REFUSE}, settings={dependency: Settings(until=until)})


def test_a_cut_whose_time_is_up_is_in_no_state_of_it() -> None:
    lasting = Wanted(cuts={"tcp://b:1": Mode.REFUSE})
    history = after([lasting, msgspec.structs.replace(timed(10.0), cuts={**lasting.cuts, **timed(10.0).cuts})])
    assert history.at(9.0) is history
    assert history.at(10.0) == after([lasting])
    undone = history.undone()
    assert undone is not None
    assert undone.at(10.0) == after([lasting]), "nor does redo bring it back"


@given(st.lists(wanteds, max_size=6), st.floats(0, 2e6))
def test_time_leaves_everything_else_as_it_is(steps: list[Wanted], now: float) -> None:
    history = after(steps)
    later = history.at(now)
    assert later.at(now) is later
    for wanted in (*later.past, later.now, *later.future):
        assert all(one.until is None or one.until > now for one in wanted.settings.values())
    assert history.at(-1.0) is history
