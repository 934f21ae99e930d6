"""Steady trials: a running service is cut off, then all is restored. Does it stay healthy, and does it recover?

One jar per job lives through many trials. Where the service ended, or stayed unhealthy, a fresh one takes over.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from belljar_tui.core import model
from belljar_tui.core.deadline import Deadline
from belljar_tui.core.model import Dependency, Health
from belljar_tui.core.search import Wanted
from belljar_tui.core.trial import SOAK_S, Outcome, Trial, TrialVerdict
from belljar_tui.errors import JarError
from belljar_tui.trials import evidence
from belljar_tui.trials.jar_oracle import BASELINE_SOAK_S, JOB, spent
from belljar_tui.trials.log import new_log
from belljar_tui.trials.pool import JarPool
from belljar_tui.trials.trial_jar import TrialJar


class _Service:
    """A service that runs in a jar, open, and where its output goes."""

    def __init__(self, jar: TrialJar, log: Path) -> None:
        self.jar = jar
        self.log = log
        self.has_been_cut = False

    @property
    def is_healthy(self) -> bool:
        state = self.jar.state
        return state.health is Health.HEALTHY and state.exit_code is None and not self.jar.is_over

    @property
    def has_ended(self) -> bool:
        return self.jar.is_over or self.jar.state.exit_code is not None

    async def becomes_healthy(self, until: float) -> bool:
        """Wait for health until a moment of the jar's clock, or the service's end."""
        while not self.is_healthy and not self.has_ended and self.jar.now() < until:
            await self.jar.moved(until)
        return self.is_healthy

    async def lives_until(self, until: float) -> None:
        """Wait for a moment, or the service's end."""
        while not self.has_ended and self.jar.now() < until:
            await self.jar.moved(until)

    @property
    def words(self) -> str:
        return evidence.words(self.jar.state, self.log)


class SteadyOracle:
    """An Oracle of running services.

    Args:
        make: a waiting jar, not yet started.
        folder: where the services' output goes, as `trial-N.log`, N the first trial of that service.
        deadline_s: seconds from the restore (and at first from the start) to healthy; 0: set by the first start.
        soak_s: seconds that a cut lasts before the verdict.
        settle_s: the least of them that is fair: a check that hangs must have had the time to say so.
        recalled: outcomes of an earlier search that this one goes on from.
    """

    def __init__(
        self,
        make: Callable[[], TrialJar],
        folder: Path,
        *,
        deadline_s: float = 0.0,
        soak_s: float = SOAK_S,
        settle_s: float = 0.0,
        recalled: Sequence[Outcome] = (),
    ) -> None:
        self._pool = JarPool(make, ahead=1)
        self._folder = folder
        self._deadline = Deadline(deadline_s, recalled)
        self._soak_s = max(soak_s, settle_s)
        self._free: list[int] = []
        self._running: dict[int, _Service] = {}
        """By job."""

    @property
    def deadline_s(self) -> float:
        """Seconds that the service may take to recover, as far as is known now."""
        return self._deadline.seconds

    async def start(self, jobs: int) -> None:
        """Make jars ahead. Raises errors.JarError when the first cannot be made or sealed."""
        self._free = list(range(jobs))
        await self._pool.start(jobs)

    async def run(self, wanted: Wanted, number: int) -> Outcome:
        """One trial on a running service."""
        trial = wanted.trial
        for identity in sorted(trial.open or ()):
            Dependency.parse(identity)
        began = time.monotonic()
        job = heapq.heappop(self._free)
        is_over = False
        try:
            outcome = await self._on_a_service(trial, number, job)
            is_over = True
        except asyncio.CancelledError:
            is_over = await self._restored(job)
            raise
        except JarError as error:
            outcome = Outcome(trial=trial, verdict=TrialVerdict.INCONCLUSIVE, detail=str(error))
        finally:
            if not is_over:
                self._replace(job)  # nobody knows how far it came
            heapq.heappush(self._free, job)
        return spent(outcome, self._pool.died(), time.monotonic() - began)

    async def close(self) -> None:
        """End every service. Safe to call twice."""
        self._running.clear()
        await self._pool.close()

    async def _on_a_service(self, trial: Trial, number: int, job: int) -> Outcome:
        service = await self._recovered(job, number)
        if not service.is_healthy:
            return self._never_healthy(service, trial, job)
        if trial.open is None:
            self._learn(service)
        outcome = await self._tried(service, trial)
        if service.has_ended or outcome.is_stuck or outcome.verdict is TrialVerdict.INCONCLUSIVE:
            self._replace(job)
        return outcome

    async def _recovered(self, job: int, number: int) -> _Service:
        """The job's service once it is healthy, or a fresh one that does not become so: what earlier trials did to a
        service is not this one's."""
        service = await self._service(job, number)
        if await service.becomes_healthy(service.jar.now() + self.deadline_s) or not service.has_been_cut:
            return service
        self._replace(job)
        return await self._recovered(job, number)

    async def _restored(self, job: int) -> bool:
        """After a trial that was abandoned: open everything again, and keep the service."""
        service = self._running.get(job)
        if service is None or service.has_ended:
            return False
        try:
            await service.jar.want(model.Wanted())
        except JarError:
            return False
        return True

    async def _service(self, job: int, number: int) -> _Service:
        """The one of this job; a fresh one where there is none."""
        if job not in self._running:
            log = new_log(self._folder, number)
            jar = await self._pool.take()
            self._running[job] = _Service(jar, log)
            await jar.begin(model.Wanted(), str(log), {JOB: str(job)})
        return self._running[job]

    def _replace(self, job: int) -> None:
        """End the job's service: the next trial gets a fresh one."""
        service = self._running.pop(job, None)
        if service is not None:
            self._pool.give_back(service.jar)

    def _learn(self, service: _Service) -> None:
        state = service.jar.state
        first = next((span for span in state.health_spans if span.health is Health.HEALTHY), None)
        if first is not None:
            self._deadline.measured(first.at - state.service_started_at)

    def _never_healthy(self, service: _Service, trial: Trial, job: int) -> Outcome:
        """A verdict where everything was to be open; else the trial could not begin."""
        self._replace(job)
        unclear = evidence.why_nothing_was_learned(service.jar)
        if trial.open is None and not unclear:
            return Outcome(trial=trial, verdict=TrialVerdict.BROKEN, detail=service.words)
        detail = unclear or f"not healthy with everything open: {service.words}"
        return Outcome(trial=trial, verdict=TrialVerdict.INCONCLUSIVE, detail=detail)

    async def _tried(self, service: _Service, trial: Trial) -> Outcome:
        """Cut, soak, judge, restore, and see whether it recovers."""
        jar = service.jar
        if trial.open is None:
            return await self._left_alone(service, trial)
        service.has_been_cut = True
        await jar.want(trial.wanted)
        before = jar.at_change
        await service.lives_until(before.at + self._soak_s)
        is_healthy, said = service.is_healthy, service.words
        await jar.want(model.Wanted())
        after = jar.at_change
        recovered = is_healthy or await service.becomes_healthy(after.at + self.deadline_s)
        unclear = evidence.why_nothing_was_learned(jar)
        if unclear:
            return Outcome(trial=trial, verdict=TrialVerdict.INCONCLUSIVE, detail=unclear)
        return Outcome(
            trial=trial,
            verdict=TrialVerdict.HEALTHY if is_healthy else TrialVerdict.BROKEN,
            called=evidence.called(after, before) | evidence.blocked(jar.state, before),
            blocked=evidence.blocked(jar.state, before),  # what was held at the end of the soak is said after it
            recovered_after_s=_since(jar.state.health_since, after.at) if recovered and not is_healthy else None,
            is_stuck=not recovered,
            detail=said,
        )

    async def _left_alone(self, service: _Service, trial: Trial) -> Outcome:
        """With everything open there is nothing to cut: watch what is called."""
        before = service.jar.state
        await service.lives_until(before.at + max(self._soak_s, BASELINE_SOAK_S))
        unclear = evidence.why_nothing_was_learned(service.jar)
        if unclear:
            return Outcome(trial=trial, verdict=TrialVerdict.INCONCLUSIVE, detail=unclear)
        return Outcome(
            trial=trial,
            verdict=TrialVerdict.HEALTHY if service.is_healthy else TrialVerdict.BROKEN,
            called=evidence.called(service.jar.state, before),
            blocked=frozenset(),
            detail=service.words,
        )


def _since(moment: float, earlier: float) -> float:
    return round(max(0.0, moment - earlier), 3)
