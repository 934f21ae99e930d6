"""The runner over oracles that never touch a kernel: what it says, and what it loses when it is stopped (nothing)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from belljar_tui.core import events as ev
from belljar_tui.core.fold import apply
from belljar_tui.core.search import Conclusion, Found, Question, Wanted
from belljar_tui.core.state import State
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.errors import AgentLost, BellJarError
from belljar_tui.trials.oracle import Oracle
from belljar_tui.trials.runner import SearchRunner

IDS = ("tcp://auth:9000", "tcp://cache:6379", "tcp://db:5432", "tcp://mail:25", "tcp://recs:80")
NEEDED = frozenset({"tcp://auth:9000", "tcp://db:5432"})
DEADLINE_S = 10.0


class FakeOracle:
    """Knows what is needed. Holds each trial until `let_go`, where asked to; remembers what it was made to do."""

    def __init__(self, *, holds: bool = False) -> None:
        self.may_end = asyncio.Event()
        if not holds:
            self.may_end.set()
        self.asked: list[Trial] = []
        self.running: set[Trial] = set()
        self.most = 0
        self.failure: Exception | None = None
        self.fails_at = 0
        self.is_closed = False
        self.moved = asyncio.Condition()

    async def start(self, jobs: int) -> None:
        await asyncio.sleep(0)

    async def run(self, wanted: Wanted, number: int) -> Outcome:
        trial = wanted.trial
        self.asked.append(trial)
        self.running.add(trial)
        self.most = max(self.most, len(self.running))
        await self._say()
        try:
            if self.failure is not None and number >= self.fails_at:
                raise self.failure
            await self.may_end.wait()
            return judged(trial)
        finally:
            self.running.discard(trial)

    async def close(self) -> None:
        self.is_closed = True

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S), self.moved:
            await self.moved.wait_for(happened)

    async def _say(self) -> None:
        async with self.moved:
            self.moved.notify_all()


def judged(trial: Trial) -> Outcome:
    """The truth: healthy with everything needed open."""
    opened = frozenset(IDS) if trial.open is None else trial.open
    verdict = TrialVerdict.HEALTHY if opened >= NEEDED else TrialVerdict.BROKEN
    return Outcome(trial=trial, verdict=verdict, called=frozenset(IDS), blocked=frozenset(IDS) - opened)


class Search:
    """A runner, and the fold of what it said."""

    def __init__(self, oracle: Oracle, jobs: int = 1, recalled: list[Outcome] | None = None) -> None:
        self.state = State()
        self.events: list[ev.AnyEvent] = []
        self.moved = asyncio.Event()
        opening = ev.SearchStarted(at=0.0, question=Question(candidates=IDS), jobs=jobs)
        self.runner = SearchRunner(oracle, opening, emit=self._take, now=lambda: 1.0, recalled=recalled or [])

    def _take(self, event: ev.AnyEvent) -> None:
        self.events.append(event)
        self.state = apply(self.state, event)
        self.moved.set()

    async def until(self, happened: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not happened():
                self.moved.clear()
                await self.moved.wait()

    async def run(self) -> Found | None:
        async with asyncio.timeout(DEADLINE_S):
            return await self.runner.run()

    @property
    def ended(self) -> list[Outcome]:
        return [event.outcome for event in self.events if isinstance(event, ev.TrialEnded)]

    def of(self, kind: type[ev.Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)


@contextlib.asynccontextmanager
async def in_background(search: Search) -> AsyncIterator[asyncio.Task[Found | None]]:
    task = asyncio.create_task(search.run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])


@pytest.mark.parametrize("jobs", [1, 4])
async def test_a_search_ends_with_the_exact_set_and_closes_its_oracle(jobs: int) -> None:
    oracle = FakeOracle()
    search = Search(oracle, jobs)
    found = await search.run()
    assert found is not None
    assert found.conclusion is Conclusion.FOUND
    assert set(found.minimal) == NEEDED
    assert oracle.is_closed
    assert oracle.most <= jobs
    assert search.state.search is not None
    assert search.state.search.found == found
    assert not search.of(ev.SearchStopped)


async def test_every_trial_that_started_has_ended_or_was_abandoned() -> None:
    search = Search(FakeOracle(), jobs=4)
    await search.run()
    view = search.state.search
    assert view is not None
    assert not any(trial.is_running for trial in view.trials.values())
    assert search.of(ev.TrialStarted) == search.of(ev.TrialEnded) + search.of(ev.TrialAbandoned)


async def test_while_paused_no_trial_starts_and_those_under_way_are_still_taken() -> None:
    oracle = FakeOracle(holds=True)
    search = Search(oracle)
    async with in_background(search) as task:
        await oracle.until(lambda: len(oracle.asked) == 1)
        search.runner.pause()
        assert search.runner.is_paused
        oracle.may_end.set()
        await search.until(lambda: search.of(ev.TrialEnded) == 1 and isinstance(search.events[-1], ev.SearchProgressed))
        await asyncio.sleep(0)  # it knows what it would start next
        assert len(oracle.asked) == 1
        assert search.state.search is not None
        assert search.state.search.is_paused
        search.runner.resume()
        found = await task
        assert found is not None
        assert set(found.minimal) == NEEDED
    assert (search.of(ev.SearchPaused), search.of(ev.SearchResumed)) == (1, 1)


async def test_going_on_starts_trials_at_once_though_another_still_runs() -> None:
    oracle = FakeOracle(holds=True)
    everything = judged(Trial(None))
    search = Search(oracle, jobs=2, recalled=[everything])
    search.runner.pause()
    async with in_background(search):
        await asyncio.sleep(0)
        search.runner.resume()
        await oracle.until(lambda: len(oracle.asked) == 2)


@pytest.mark.parametrize("is_paused", [False, True])
async def test_a_stop_ends_without_an_answer_and_keeps_the_verdicts(is_paused: bool) -> None:
    oracle = FakeOracle(holds=True)
    search = Search(oracle, jobs=2, recalled=[judged(Trial(None))])
    async with in_background(search) as task:
        await oracle.until(lambda: len(oracle.running) == 2)
        if is_paused:
            search.runner.pause()
        search.runner.stop("enough")
        assert await task is None
    assert not oracle.running
    assert oracle.is_closed
    assert search.state.search is not None
    assert search.state.search.stopped == "enough"
    assert search.state.search.outcomes == [judged(Trial(None))]


async def test_a_cancelled_search_leaves_no_trial_and_says_that_it_was_interrupted() -> None:
    oracle = FakeOracle(holds=True)
    search = Search(oracle, jobs=3, recalled=[judged(Trial(None))])
    async with in_background(search) as task:
        await oracle.until(lambda: len(oracle.running) == 3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert not oracle.running
    assert oracle.is_closed
    assert search.state.search is not None
    assert search.state.search.stopped == "interrupted"


@pytest.mark.parametrize("failure", [AgentLost("The jar is gone."), OSError(28, "No space left on device")])
async def test_an_oracle_that_raises_ends_the_search_with_its_words(failure: Exception) -> None:
    oracle = FakeOracle()
    oracle.failure, oracle.fails_at = failure, 4
    search = Search(oracle, jobs=2)
    with pytest.raises(type(failure)):
        await search.run()
    assert oracle.is_closed
    view = search.state.search
    assert view is not None
    assert str(failure) in view.stopped
    assert not any(trial.is_running for trial in view.trials.values())


async def test_an_outcome_that_came_beside_a_failure_is_kept() -> None:
    class OneFails(FakeOracle):
        async def run(self, wanted: Wanted, number: int) -> Outcome:
            await self.may_end.wait()
            if number == 3:
                raise BellJarError("The third fails.")
            return judged(wanted.trial)

    oracle = OneFails(holds=True)
    search = Search(oracle, jobs=2, recalled=[judged(Trial(None))])
    async with in_background(search) as task:
        await search.until(lambda: search.of(ev.TrialStarted) == 2)
        oracle.may_end.set()
        with pytest.raises(BellJarError):
            await task
    assert len(search.ended) == 2, "the recalled one, and the second trial's"


async def test_an_oracle_that_cannot_start_is_closed_and_nothing_was_tried() -> None:
    class NoJars(FakeOracle):
        async def start(self, jobs: int) -> None:
            raise AgentLost("No jars here.")

    oracle = NoJars()
    search = Search(oracle)
    with pytest.raises(AgentLost):
        await search.run()
    assert oracle.is_closed
    assert not search.of(ev.TrialStarted)


async def test_a_search_that_was_killed_goes_on_from_any_prefix_without_repeating_a_trial() -> None:
    whole = Search(FakeOracle())
    found = await whole.run()
    assert found is not None
    for length in range(len(whole.ended) + 1):
        prefix = whole.ended[:length]
        oracle = FakeOracle()
        resumed = Search(oracle, recalled=prefix)
        assert await resumed.run() == found
        assert not {outcome.trial for outcome in prefix} & set(oracle.asked)
        assert [*prefix, *(judged(trial) for trial in oracle.asked)] == whole.ended
        view = resumed.state.search
        assert view is not None
        assert sum(trial.is_recalled for trial in view.trials.values()) == length
        assert view.outcomes == whole.ended
