"""The grid of any search is a rectangle, and every cell is true to its trial."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core.grid import Cell, Decision, Heading, grid
from belljar_tui.core.model import Mode
from belljar_tui.core.search import Conclusion, Found, Question, plan
from belljar_tui.core.search_view import SearchView, TrialView
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from tests.unit.strategies import IDS, values

ids = st.sampled_from(IDS)
sets = st.frozensets(ids)
outcomes = st.builds(
    Outcome,
    trial=st.builds(Trial, st.none() | sets, st.sampled_from(list(Mode)), st.integers(1, 3)),
    verdict=st.sampled_from(list(TrialVerdict)),
    called=st.none() | sets,
    blocked=st.none() | sets,
)
questions = st.builds(
    Question,
    candidates=st.lists(ids, unique=True).map(tuple),
    modes=st.lists(st.sampled_from(list(Mode)), min_size=1, unique=True).map(tuple),
    stay_open=sets,
    stay_cut=sets,
)
founds = values(
    Found,
    minimal=st.lists(ids, unique=True).map(tuple),
    cut_sets=st.lists(st.lists(ids, min_size=1, unique=True).map(tuple)).map(tuple),
    tolerated=st.lists(ids, unique=True).map(tuple),
    never_called=st.lists(ids, unique=True).map(tuple),
)


@st.composite
def trials(make: st.DrawFn, number: int) -> TrialView:
    outcome = make(st.none() | outcomes)
    trial = outcome.trial if outcome is not None else Trial(make(st.none() | sets), make(st.sampled_from(list(Mode))))
    return TrialView(
        number, trial.open, trial.mode, None, outcome=outcome, is_abandoned=outcome is None and make(st.booleans())
    )


@st.composite
def views(make: st.DrawFn) -> SearchView:
    numbers = make(st.lists(st.integers(1, 40), unique=True, max_size=8))
    return SearchView(
        make(questions),
        trials={number: make(trials(number)) for number in numbers},
        set_so_far=make(st.none() | st.lists(ids, unique=True).map(tuple)),
        found=make(st.none() | founds),
    )


@given(views())
def test_it_is_a_rectangle_with_every_trial_and_every_dependency_once(view: SearchView) -> None:
    drawn = grid(view)
    rows = [row.dependency for row in drawn.rows]
    assert len(rows) == len(set(rows))
    assert {*view.dependencies, *view.question.stay_open, *view.question.stay_cut} == set(rows)
    assert [column.trial.number for column in drawn.columns] == sorted(view.trials)
    assert all(len(column.cells) == len(rows) for column in drawn.columns)


@given(views())
def test_every_cell_is_true_to_its_trial(view: SearchView) -> None:
    drawn = grid(view)
    for column in drawn.columns:
        trial = view.trials[column.trial.number]
        blocked = (trial.outcome.blocked if trial.outcome else None) or frozenset()
        for row, cell in zip(drawn.rows, column.cells, strict=True):
            assert (cell is Cell.OPEN) == (trial.open is None or row.dependency in trial.open)
            assert (cell is Cell.BLOCKED) == (cell is not Cell.OPEN and row.dependency in blocked)


@given(views())
def test_every_heading_is_true_to_its_trial(view: SearchView) -> None:
    for column in grid(view).columns:
        trial = view.trials[column.trial.number]
        if trial.outcome is not None:
            assert column.heading == trial.outcome.verdict.value
        else:
            assert column.heading is (Heading.ABANDONED if trial.is_abandoned else Heading.RUNNING)


@given(views(), views())
def test_an_earlier_grid_saves_work_and_changes_nothing(before: SearchView, view: SearchView) -> None:
    assert grid(view, grid(before)) == grid(view)
    again = grid(view, grid(view))
    assert all(one.trial is other.trial for one, other in zip(again.columns, grid(view).columns, strict=True))


@given(views())
def test_pins_are_said_before_anything_else(view: SearchView) -> None:
    for row in grid(view).rows:
        is_pinned = row.dependency in view.question.stay_open | view.question.stay_cut
        assert is_pinned == (row.decision in (Decision.PINNED_OPEN, Decision.PINNED_CUT))


@given(st.frozensets(ids, min_size=1), st.booleans())
def test_what_is_decided_on_the_way_is_what_is_found(needed: frozenset[str], has_evidence: bool) -> None:
    """A service that needs exactly these, one by one: what a row says never has to be taken back."""
    question = Question(candidates=tuple(sorted(IDS)), has_evidence=has_evidence)
    known: list[Outcome] = []
    said: dict[str, Decision] = {}
    while (step := plan(question, known)).found is None:
        trial = step.trials[0].trial
        missing = sorted(needed - (trial.open if trial.open is not None else needed))
        verdict = TrialVerdict.BROKEN if missing else TrialVerdict.HEALTHY
        called = frozenset(one for one in sorted(needed) if not missing or one <= missing[0])
        shut = frozenset(missing[:1])
        known.append(
            Outcome(
                trial=trial,
                verdict=verdict,
                called=called if has_evidence else None,
                blocked=shut if has_evidence else None,
            )
        )
        for row in grid(_view(question, known)).rows:
            if row.decision is not Decision.UNDECIDED:
                assert said.setdefault(row.dependency, row.decision) is row.decision
    assert step.found.conclusion is Conclusion.FOUND
    final = {row.dependency: row.decision for row in grid(_view(question, known, step.found)).rows}
    assert {one for one, decision in final.items() if decision is Decision.NEEDED} == needed
    assert all(final[one] is decision for one, decision in said.items())


def _view(question: Question, known: list[Outcome], found: Found | None = None) -> SearchView:
    numbered = enumerate(known, 1)
    trials = {number: TrialView(number, one.trial.open, one.trial.mode, None, outcome=one) for number, one in numbered}
    return SearchView(question, trials=trials, found=found)
