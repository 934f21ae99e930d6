"""The search against services of every shape."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import BROKEN, HEALTHY, Ids, Staged, needing, solve

from belljar_tui.core.model import NAME_SERVICE, Mode, Settings
from belljar_tui.core.search import Conclusion, Phase, Question, expected, plan
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict

IDS = tuple(f"tcp://d{n}.lab:{1000 + n}" for n in range(9))
ALL = frozenset(IDS)
BARE = Question(candidates=IDS, has_evidence=False, has_sweep=False, has_reasons=False)

sets = st.frozensets(st.sampled_from(IDS), max_size=5)


@st.composite
def staged(draw: st.DrawFn) -> Staged:
    """A service of up to five stages whose alternatives and tolerated calls may be the same dependency again."""
    alternatives = st.lists(st.sampled_from(IDS), min_size=1, max_size=3, unique=True).map(tuple)
    stages = draw(st.lists(alternatives, max_size=5))
    others = st.lists(st.sampled_from(IDS), max_size=3, unique=True).map(tuple)
    return Staged(tuple(stages), tuple(draw(others) for _ in stages))


def is_minimal(works: Callable[[Ids], bool], found: Ids) -> bool:
    return works(found) and not any(works(found - {one}) for one in found)


@given(sets)
def test_a_set_is_found_exactly(needed: Ids) -> None:
    found, _ = solve(BARE, needing(lambda opened: needed <= opened, ALL))
    assert frozenset(found.minimal) == needed


@given(st.lists(st.frozensets(st.sampled_from(IDS), min_size=1, max_size=3), max_size=4))
def test_whatever_is_wanted_of_either_or_the_set_works_and_nothing_can_be_taken_away(clauses: list[Ids]) -> None:
    def works(opened: Ids) -> bool:
        return all(clause & opened for clause in clauses)

    found, _ = solve(BARE, needing(works, ALL))
    assert is_minimal(works, frozenset(found.minimal))


@given(staged(), st.integers(1, 4))
def test_with_blocked_calls_for_clues_the_set_works_and_nothing_can_be_taken_away(service: Staged, jobs: int) -> None:
    found, _ = solve(Question(), service, jobs=jobs)
    assert is_minimal(service.works, frozenset(found.minimal))


@given(staged(), st.integers(1, 4))
def test_every_cut_set_breaks_it_and_is_minimal_and_every_member_has_one(service: Staged, jobs: int) -> None:
    found, _ = solve(Question(), service, jobs=jobs)
    universe = frozenset(found.minimal) | frozenset(found.tolerated)
    for cut in map(frozenset, found.cut_sets):
        assert not service.works(universe - cut)
        assert all(service.works(universe - (cut - {one})) for one in cut)
    assert {one for cut in found.cut_sets for one in cut} >= set(found.minimal)


@given(staged())
def test_no_trial_is_run_twice(service: Staged) -> None:
    _, outcomes = solve(Question(), service)
    keys = [(outcome.trial.open, outcome.trial.mode) for outcome in outcomes]
    assert len(keys) == len(set(keys))


@given(staged(), st.randoms(use_true_random=False), st.integers(1, 4))
def test_a_search_that_was_killed_comes_to_the_same_answer(service: Staged, chance: random.Random, jobs: int) -> None:
    whole, outcomes = solve(Question(), service, jobs=jobs)
    known = outcomes[: chance.randint(0, len(outcomes))]
    chance.shuffle(known)
    resumed, after = solve(Question(), service, known, jobs=jobs)
    assert (resumed.minimal, resumed.cut_sets) == (whole.minimal, whole.cut_sets)
    keys = [(outcome.trial.open, outcome.trial.mode) for outcome in after]
    assert len(keys) == len(set(keys))


@settings(max_examples=60)
@given(st.lists(st.frozensets(st.sampled_from(IDS[:6]), min_size=1, max_size=3), max_size=4))
def test_all_of_it_is_every_minimal_working_set_and_every_minimal_cut_set(clauses: list[Ids]) -> None:
    ids = frozenset(IDS[:6])

    def works(opened: Ids) -> bool:
        return all(clause & opened for clause in clauses)

    question = Question(candidates=IDS[:6], has_evidence=False, has_sweep=False, is_all=True)
    found, _ = solve(question, needing(works, ids))
    every = [frozenset(some) for size in range(7) for some in combinations(sorted(ids), size)]
    working = {one for one in every if is_minimal(works, one)}
    cuts = {one for one in every if not works(ids - one) and all(works(ids - (one - {each})) for each in one)}
    assert set(map(frozenset, found.working_sets)) == working
    assert set(map(frozenset, found.cut_sets)) == cuts
    assert found.is_complete


def test_the_limit_ends_a_search_for_all_of_it() -> None:
    pairs = [frozenset(IDS[at : at + 2]) for at in range(0, 8, 2)]
    question = Question(candidates=IDS, has_evidence=False, has_sweep=False, is_all=True, limit=3)
    found, _ = solve(question, needing(lambda opened: all(pair & opened for pair in pairs), ALL))
    assert not found.is_complete
    assert len(found.minimal) == 4


@given(st.dictionaries(sets, st.booleans(), max_size=12), st.booleans())
def test_a_service_that_obeys_no_order_still_gets_a_set_of_which_every_step_was_tried(
    answers: dict[Ids, bool], otherwise: bool
) -> None:
    def works(opened: Ids) -> bool:
        return opened == ALL or answers.get(opened, otherwise)

    question = Question(candidates=IDS, has_evidence=False, has_sweep=False, is_direct=True)
    found, _ = solve(question, needing(works, ALL))
    assert is_minimal(works, frozenset(found.minimal))


def test_more_open_and_worse_is_shown_and_nothing_is_inferred_after() -> None:
    """It works with all, and with the first and little more, but not with the first and most of the rest."""
    first = frozenset(IDS[:1])

    def works(opened: Ids) -> bool:
        return opened == ALL or (first <= opened and len(opened) <= 2)

    world = needing(works, ALL)
    known = [world(Trial(first)), world(Trial(ALL - {IDS[8]}))]
    found, outcomes = solve(Question(candidates=IDS, has_evidence=False), world, known)
    assert sum(outcome.trial.open == ALL - {IDS[8]} for outcome in outcomes) == 3, "a doubted failure is tried again"
    assert not found.is_monotone
    assert found.conflicts[0].passed == tuple(first)
    assert set(found.conflicts[0].failed) > first
    assert is_minimal(works, frozenset(found.minimal))


@given(sets, st.integers(0, 2**32))
@settings(max_examples=60)
def test_false_failures_never_cost_sufficiency(needed: Ids, seed: int) -> None:
    chance = random.Random(seed)

    def run(trial: Trial) -> Outcome:
        works = trial.open is None or needed <= trial.open
        is_unlucky = chance.random() < 0.05
        return Outcome(trial=trial, verdict=HEALTHY if works and not is_unlucky else BROKEN)

    question = Question(candidates=IDS, has_evidence=False, has_sweep=False, has_reasons=False, retries=2)
    found, outcomes = solve(question, run)
    if found.conclusion is Conclusion.FOUND:
        assert needed <= frozenset(found.minimal)
        assert any(o.verdict is HEALTHY and o.trial.open == frozenset(found.minimal) for o in outcomes)
    else:
        assert [outcome.verdict for outcome in outcomes[:3]] == [BROKEN] * 3


def test_never_healthy_is_said_after_one_trial() -> None:
    found, outcomes = solve(Question(), lambda trial: Outcome(trial=trial, verdict=BROKEN, detail="503 no"))
    assert (found.conclusion, found.detail, len(outcomes)) == (Conclusion.NEVER_HEALTHY, "503 no", 1)


def test_healthy_in_the_vacuum_needs_nothing_and_two_trials_prove_it() -> None:
    found, outcomes = solve(Question(), Staged((), ()))
    assert (found.minimal, found.cut_sets, len(outcomes)) == ((), (), 2)
    assert outcomes[-1].trial.open == frozenset()


def test_a_trial_that_never_says_anything_ends_the_search() -> None:
    def run(trial: Trial) -> Outcome:
        return Outcome(trial=trial, verdict=TrialVerdict.INCONCLUSIVE, detail="no answer")

    found, outcomes = solve(Question(), run)
    assert (found.conclusion, found.detail, len(outcomes)) == (Conclusion.INCONCLUSIVE, "no answer", 3)


def test_a_fallback_that_is_called_only_in_need_is_found() -> None:
    service = Staged((("tcp://pay-a.lab:7000", "tcp://pay-b.lab:7000"),), ((),))
    found, _ = solve(Question(), service)
    assert found.minimal == ("tcp://pay-a.lab:7000",)
    assert found.cut_sets == (("tcp://pay-a.lab:7000", "tcp://pay-b.lab:7000"),)
    assert found.tolerated == ("tcp://pay-b.lab:7000",)


@given(staged(), st.data())
def test_what_is_pinned_stays_as_it_is(service: Staged, data: st.DataObject) -> None:
    stay_open = data.draw(st.frozensets(st.sampled_from(IDS), max_size=2))
    stay_cut = data.draw(st.frozensets(st.sampled_from(IDS), max_size=2)) - stay_open
    found, outcomes = solve(Question(stay_open=stay_open, stay_cut=stay_cut), service)
    for outcome in outcomes[1:]:
        opened = outcome.trial.open
        assert opened is not None
        assert stay_open <= opened
        assert not stay_cut & opened
    assert not frozenset(found.minimal) & (stay_open | stay_cut)
    can_work = service.works((service.ids | stay_open) - stay_cut)
    assert (found.conclusion is Conclusion.FOUND) == can_work
    if can_work:
        assert is_minimal(lambda opened: service.works(opened | stay_open), frozenset(found.minimal))


@pytest.mark.parametrize("kept", ["tcp://pay-a.lab:7000", "tcp://pay-b.lab:7000", "tcp://other.lab:7443"])
def test_the_preferred_of_several_is_kept(kept: str) -> None:
    service = Staged((("tcp://pay-a.lab:7000", "tcp://pay-b.lab:7000", "tcp://other.lab:7443"),), ((),))
    found, _ = solve(Question(prefer=(kept,)), service)
    assert found.minimal == (kept,)


def test_the_mode_table_tells_a_hang_from_a_refusal() -> None:
    cache, db = "tcp://cache.lab:6379", "tcp://db.lab:5432"

    def run(trial: Trial) -> Outcome:
        cut = frozenset({cache, db}) - (frozenset({cache, db}) if trial.open is None else trial.open)
        is_broken = db in cut or (cache in cut and trial.mode is Mode.BLACKHOLE)
        verdict = BROKEN if is_broken else HEALTHY
        return Outcome(trial=trial, verdict=verdict, called=frozenset({cache, db}), blocked=cut)

    found, _ = solve(Question(modes=(Mode.REFUSE, Mode.BLACKHOLE)), run)
    assert found.minimal == (db,)
    assert found.modes[cache] == {Mode.REFUSE: HEALTHY, Mode.BLACKHOLE: BROKEN}
    assert found.modes[db] == {Mode.REFUSE: BROKEN, Mode.BLACKHOLE: BROKEN}


def test_what_cannot_seal_is_tried_on_one_at_a_time_and_only_on_what_can_fail_so() -> None:
    cache, clock, address = "tcp://cache.lab:6379", "udp://time.lab:123", "tcp://10.9.0.44:443"
    everything = frozenset({cache, clock, address})
    trials: list[Trial] = []

    def run(trial: Trial) -> Outcome:
        trials.append(trial)
        cut = everything - (everything if trial.open is None else trial.open)
        is_slow = trial.mode is Mode.SLOW and trial.alone == cache
        is_broken = address in cut or is_slow
        blocked = cut if trial.alone == "" else frozenset[str]()
        return Outcome(trial=trial, verdict=BROKEN if is_broken else HEALTHY, called=everything, blocked=blocked)

    question = Question(modes=(Mode.REFUSE, Mode.SLOW, Mode.DNS), settings={Mode.SLOW: Settings(delay_s=3)})
    found, _ = solve(question, run)
    assert found.minimal == (address,)
    assert found.modes == {
        address: {Mode.REFUSE: BROKEN, Mode.SLOW: BROKEN},
        cache: {Mode.REFUSE: HEALTHY, Mode.SLOW: BROKEN, Mode.DNS: HEALTHY},
        clock: {Mode.REFUSE: HEALTHY, Mode.SLOW: HEALTHY, Mode.DNS: HEALTHY},
    }
    slow = next(trial for trial in trials if trial.alone == cache and trial.mode is Mode.SLOW)
    assert slow.wanted.cuts == {cache: Mode.SLOW, NAME_SERVICE: Mode.REFUSE}
    assert slow.wanted.settings == {cache: Settings(delay_s=3)}
    assert slow.wanted.opens == everything - {cache}
    assert slow.wanted.mode_of("tcp://never.seen:1") is Mode.REFUSE


@given(staged())
def test_the_first_trial_has_everything_open_and_the_plan_says_why_each_is_wanted(service: Staged) -> None:
    outcomes: list[Outcome] = []
    step = plan(Question(), outcomes, 4)
    assert (step.trials[0].trial.open, step.trials[0].phase) == (None, Phase.BASELINE)
    while step.found is None:
        assert expected(Question(), outcomes) >= 1
        outcomes.append(service(step.trials[0].trial))
        step = plan(Question(), outcomes, 4)
    assert expected(Question(), outcomes) == 0
