"""Runs a search on an oracle: asks the plan what is wanted, keeps that many trials going, and says what happens."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.search import Found, Plan, Question, Wanted, expected, plan
from belljar_tui.core.trial import Outcome, Trial
from belljar_tui.errors import BellJarError
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
        except BellJarError as error:
            self._stopped = str(error)
            raise
        finally:
            await self._abandon(list(self._running))
            if self._stopped:
                self._emit(ev.SearchStopped(at=self._now(), reason=self._stopped))
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
            outcomes = list(self.outcomes)
            found = await asyncio.to_thread(plan, self._question, outcomes, self._opening.jobs)
            if found.found is not None:
                self._emit(ev.SearchEnded(at=self._now(), found=found.found))
                return found.found
            self._say_progress(found, await asyncio.to_thread(expected, self._question, outcomes))
            await self._abandon([t for t in self._running if t not in {w.trial for w in found.trials}])
            await self._can_start.wait()
            if self._stopped:
                break
            self._start(found.trials)
            await asyncio.wait([task for _, task in self._running.values()], return_when=asyncio.FIRST_COMPLETED)
            self._collect()
        return None

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
        """Take the outcomes of what has ended. Raises what a trial raised."""
        for trial, (number, task) in list(self._running.items()):
            if not task.done() or task.cancelled():
                continue
            del self._running[trial]
            outcome = task.result()
            self._emit(ev.TrialEnded(at=self._now(), number=number, outcome=outcome))
            self.outcomes.append(outcome)

    async def _abandon(self, trials: Sequence[Trial]) -> None:
        for trial in trials:
            number, task = self._running.pop(trial)
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError, BellJarError):
                await task
            self._emit(ev.TrialAbandoned(at=self._now(), number=number))
