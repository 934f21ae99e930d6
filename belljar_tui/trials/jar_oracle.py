"""Cold trials: each in a fresh jar. Does the service become healthy with only this much open?"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec.structs import replace

from belljar_tui.core.deadline import Deadline
from belljar_tui.core.model import Dependency, Health
from belljar_tui.core.search import Wanted
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.errors import JarError
from belljar_tui.trials import evidence
from belljar_tui.trials.log import new_log
from belljar_tui.trials.pool import JarPool
from belljar_tui.trials.trial_jar import TrialJar

JOB, NUMBER = "BELLJAR_JOB", "BELLJAR_TRIAL"
"""Environment of the service: which of the trials at once this is (from 0), and the trial's number."""
BASELINE_SOAK_S = 3.0
"""With everything open we also learn what is called now and then."""


class JarOracle:
    """An Oracle of fresh jars.

    Args:
        make: a waiting jar, not yet started.
        folder: where each trial's service output goes, as `trial-N.log`.
        deadline_s: seconds from the service's start to healthy; 0: set by the first trial.
        soak_s: seconds that health must hold.
        recalled: outcomes of an earlier search that this one goes on from.
    """

    def __init__(
        self,
        make: Callable[[], TrialJar],
        folder: Path,
        *,
        deadline_s: float = 0.0,
        soak_s: float = 0.0,
        recalled: Sequence[Outcome] = (),
    ) -> None:
        self._pool = JarPool(make)
        self._folder = folder
        self._deadline = Deadline(deadline_s, recalled)
        self._soak_s = soak_s
        self._free: list[int] = []

    @property
    def deadline_s(self) -> float:
        """Seconds from the service's start to healthy, as far as is known now."""
        return self._deadline.seconds

    async def start(self, jobs: int) -> None:
        """Make jars ahead. Raises errors.JarError when the first cannot be made or sealed."""
        self._free = list(range(jobs))
        await self._pool.start(jobs)

    async def run(self, wanted: Wanted, number: int) -> Outcome:
        """One trial in a jar of its own."""
        trial = wanted.trial
        for identity in sorted(trial.open or ()):
            Dependency.parse(identity)
        began = time.monotonic()
        job = heapq.heappop(self._free)
        try:
            verdict = await self._in_a_jar(trial, number, job)
        except JarError as error:
            verdict = Outcome(trial=trial, verdict=TrialVerdict.INCONCLUSIVE, detail=str(error))
        finally:
            heapq.heappush(self._free, job)
        outcome = spent(verdict, self._pool.died(), time.monotonic() - began)
        self._deadline.learn(outcome)
        return outcome

    async def close(self) -> None:
        """End every jar. Safe to call twice."""
        await self._pool.close()

    async def _in_a_jar(self, trial: Trial, number: int, job: int) -> Outcome:
        log = new_log(self._folder, number)
        jar = await self._pool.take()
        try:
            await jar.begin(trial.wanted, str(log), {JOB: str(job), NUMBER: str(number)})
            soak_s = self._soak_s if trial.open is not None else max(self._soak_s, BASELINE_SOAK_S)
            verdict = await self._watched(jar, soak_s)
            state = jar.state
            if state.exit_code is None:
                await jar.end_service()
        finally:
            self._pool.give_back(jar)
        unclear = evidence.why_nothing_was_learned(jar)
        if unclear:
            return Outcome(trial=trial, verdict=TrialVerdict.INCONCLUSIVE, detail=unclear)
        return Outcome(
            trial=trial,
            verdict=verdict,
            called=evidence.called(jar.state),
            blocked=evidence.blocked(jar.state),
            endpoints=evidence.endpoints(jar.state),
            healthy_after_s=evidence.healthy_after_s(state) if verdict is TrialVerdict.HEALTHY else None,
            detail=evidence.words(state, log),
        )

    async def _watched(self, jar: TrialJar, soak_s: float) -> TrialVerdict:
        """Healthy once it held for `soak_s`; broken at the deadline, or as soon as the service ends."""
        while True:
            state = jar.state
            if jar.is_over:
                return TrialVerdict.INCONCLUSIVE
            if state.exit_code is not None:
                return TrialVerdict.BROKEN
            is_healthy = state.health is Health.HEALTHY
            until = state.health_since + soak_s if is_healthy else self._latest(jar)
            if jar.now() >= until:
                return TrialVerdict.HEALTHY if is_healthy else TrialVerdict.BROKEN
            await jar.moved(until)

    def _latest(self, jar: TrialJar) -> float:
        """When the service must be healthy, on the jar's clock."""
        began = jar.state.service_started_at if jar.state.service_pid is not None else jar.now()
        return began + self.deadline_s


def spent(outcome: Outcome, notes: list[str], spent_s: float) -> Outcome:
    """The outcome with what else is to be said, and the time it took."""
    detail = "; ".join(part for part in (outcome.detail, *notes) if part)
    return replace(outcome, detail=detail, spent_s=round(spent_s, 3))
