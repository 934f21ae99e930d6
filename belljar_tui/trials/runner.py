"""Runs a search on an oracle: asks the plan what is wanted, keeps that many trials going, and says what happens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.search import Found, Plan, Question, Wanted, expected, plan
from belljar_tui.core.trial import Outcome, Trial
from belljar_tui.trials.oracle import Oracle


class SearchRunner:
    """One search. Everything it does is an event; what it knows is its outcomes.

    Args:
        opening: the SearchStarted event to open with, `at` aside.
        recalled: outcomes of an earlier search to go on from.
    """

    def __init__(
        self,
        oracle: Oracle,
        opening: ev.SearchStarted,
        *,
        emit: Callable[[ev.AnyEvent], None],
        now: Callable[[], float],
        recalled: Sequence[Outcome] = (),
    ) -> None:
        self._oracle = oracle
        self._opening = opening
        self._emit = emit
        self._now = now
        self.outcomes: list[Outcome] = []
        self._recalled = recalled
        self._running: dict[Trial, tuple[int, asyncio.Task[Outcome]]] = {}
        self._started = 0
        self._can_start = asyncio.Event()
        self._can_start.set()
        self._stopped = ""

    async def run(self) -> Found | None:
        """Search to the answer; None when it was stopped. Raises errors.BellJarError when no trial can work."""
        self._open()
        try:
            await self._oracle.start(self._opening.jobs)
            return await self._search()
        except asyncio.CancelledError:
            self._stopped = self._stopped or "interrupted"
            raise
        except BaseException as error:
            self._stopped = str(error) or type(error).__name__
            raise
        finally:
            try:
                await self._abandon(list(self._running))
                if self._stopped:
                    self._emit(ev.SearchStopped(at=self._now(), reason=self._stopped))
            finally:
                await self._oracle.close()

    def pause(self) -> None:
        """Start no further trial; those under way end."""
        if self._can_start.is_set():
            self._can_start.clear()
            self._emit(ev.SearchPaused(at=self._now()))

    def resume(self) -> None:
        if not self._can_start.is_set():
            self._can_start.set()
            self._emit(ev.SearchResumed(at=self._now()))

    def stop(self, reason: str = "stopped") -> None:
        """End without an answer; `run` returns None."""
        self._stopped = reason
        self._can_start.set()
        for _, task in self._running.values():
            task.cancel()

    @property
    def is_paused(self) -> bool:
        return not self._can_start.is_set()

    @property
    def _question(self) -> Question:
        return self._opening.question

    def _open(self) -> None:
        self._emit(msgspec.structs.replace(self._opening, at=self._now()))
        for outcome in self._recalled:
            self._started += 1
            self._emit(ev.TrialEnded(at=self._now(), number=self._started, outcome=outcome, is_recalled=True))
            self.outcomes.append(outcome)

    async def _search(self) -> Found | None:
        while not self._stopped:
            # off the loop: a large plan takes a while, and screens and jars wait for nobody
            found, ahead = await asyncio.to_thread(self._planned, list(self.outcomes))
            if found.found is not None:
                await self._abandon(list(self._running))
                self._emit(ev.SearchEnded(at=self._now(), found=found.found))
                self._stopped = ""  # too late: there is an answer
                return found.found
            self._say_progress(found, ahead)
            await self._abandon([t for t in self._running if t not in {w.trial for w in found.trials}])
            if self._can_start.is_set() and not self._stopped:
                self._start(found.trials)
            await self._something_ended()
            self._collect()
        return None

    def _planned(self, outcomes: list[Outcome]) -> tuple[Plan, int]:
        """What is wanted next, and about how many trials are still to come."""
        return plan(self._question, outcomes, self._opening.jobs), expected(self._question, outcomes)

    async def _something_ended(self) -> None:
        """Wait for a trial's end or, while paused, until it goes on."""
        waited_for: set[asyncio.Task[Any]] = {task for _, task in self._running.values()}
        resumed = None if self._can_start.is_set() else asyncio.create_task(self._can_start.wait())
        if resumed is not None:
            waited_for.add(resumed)
        try:
            await asyncio.wait(waited_for, return_when=asyncio.FIRST_COMPLETED)
        finally:
            if resumed is not None:
                resumed.cancel()

    def _say_progress(self, found: Plan, ahead: int) -> None:
        so_far = None if found.set_so_far is None else list(found.set_so_far)
        self._emit(ev.SearchProgressed(at=self._now(), expected=ahead, set_so_far=so_far))

    def _start(self, wanted: Sequence[Wanted]) -> None:
        for each in wanted:
            if len(self._running) >= self._opening.jobs:
                return
            if each.trial in self._running:
                continue
            self._started += 1
            self._emit(
                ev.TrialStarted(
                    at=self._now(), number=self._started, trial=each.trial, phase=each.phase, about=each.about
                )
            )
            self._running[each.trial] = (self._started, asyncio.create_task(self._oracle.run(each, self._started)))

    def _collect(self) -> None:
        """Take the outcomes of what has ended. Raises what a trial raised, once no outcome can be lost by it."""
        failures: list[BaseException] = []
        for trial, (number, task) in list(self._running.items()):
            if not task.done() or task.cancelled():
                continue
            del self._running[trial]
            failure = task.exception()
            if failure is None:
                self._take(number, task.result())
            else:
                failures.append(failure)
                self._emit(ev.TrialAbandoned(at=self._now(), number=number))
        if failures:
            raise failures[0]

    def _take(self, number: int, outcome: Outcome) -> None:
        self._emit(ev.TrialEnded(at=self._now(), number=number, outcome=outcome))
        self.outcomes.append(outcome)

    async def _abandon(self, trials: Sequence[Trial]) -> None:
        """End these, all at once. One that has ended meanwhile counts: its verdict was paid for."""
        ending = [self._running.pop(trial) for trial in trials]
        for _, task in ending:
            task.cancel()
        if ending:
            await asyncio.wait([task for _, task in ending])
        for number, task in ending:
            if task.cancelled() or task.exception() is not None:
                self._emit(ev.TrialAbandoned(at=self._now(), number=number))
            else:
                self._take(number, task.result())
