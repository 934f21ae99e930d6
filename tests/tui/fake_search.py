"""A fake world to search in, the equal of jars: it knows the truth, and lets a trial end when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode
from belljar_tui.core.search import Question, Wanted
from belljar_tui.core.trial import Outcome, Recovery, TrialVerdict
from belljar_tui.trials.runner import SearchRunner

DNS = "dns:"
AUTH, CONFIG, DB = "tcp://auth.lab:9000", "tcp://config.lab:8500", "tcp://orders-db.lab:5432"
PAY_A, PAY_B = "tcp://pay-a.lab:443", "tcp://pay-b.lab:443"
CACHE, TIME, RAW, LEGACY = "tcp://cache.lab:6379", "udp://time.lab:123", "tcp://10.9.0.44:443", "tcp://legacy.lab:80"


class Truth(msgspec.Struct, frozen=True):
    """How the service behaves: it is healthy when one of each group is open."""

    needs: tuple[tuple[str, ...], ...] = ((DNS,), (CONFIG,), (AUTH,), (DB,), (PAY_A, PAY_B))
    called: tuple[str, ...] = (DNS, CONFIG, AUTH, DB, PAY_A, PAY_B, CACHE, TIME, RAW)
    hurts_when_it_hangs: frozenset[str] = frozenset({CACHE})

    def missing(self, opened: frozenset[str] | None, mode: Mode) -> tuple[str, ...] | None:
        """The first group with nothing open in it; None where it is healthy."""
        if opened is None:
            return None
        traps = [(one,) for one in sorted(self.hurts_when_it_hangs)] if mode is Mode.BLACKHOLE else []
        return next((group for group in (*self.needs, *traps) if not opened & set(group)), None)


def checkout(**changes: object) -> Question:
    """The question about the lab `checkout`."""
    known = (DNS, AUTH, CONFIG, DB, PAY_A, PAY_B, CACHE, TIME, RAW, LEGACY)
    question = Question(candidates=known, modes=(Mode.REFUSE, Mode.BLACKHOLE))
    return msgspec.structs.replace(question, **changes)


class FakeOracle:
    """Answers by the truth. `let` allows trials to end; each takes 1.5 s of the fake's own clock."""

    def __init__(self, truth: Truth | None = None, question: Question | None = None) -> None:
        self.truth = truth or Truth()
        self.question = question or checkout()
        self.jobs = 1
        self.recovery = Recovery.COLD
        self.clock = 0.0
        self.broken_anyway = 0
        """So many trials fail whatever is open."""
        self.says_nothing = False
        self.flaky_at: set[frozenset[str]] = set()
        """Sets that fail once, whatever the truth."""
        self.stuck: str | None = None
        """Steady: after cutting it alone the service stays unhealthy."""
        self.is_closed = False
        self._turns = asyncio.Semaphore(0)

    def new_search(
        self, emit: Callable[[ev.AnyEvent], None], now: Callable[[], float], recalled: Sequence[Outcome]
    ) -> SearchRunner:
        """What a session takes as `new_search`."""
        self.is_closed = False
        opening = ev.SearchStarted(at=0, question=self.question, recovery=self.recovery, jobs=self.jobs)
        return SearchRunner(self, opening, emit=emit, now=now, recalled=recalled)

    def let(self, trials: int) -> None:
        """Allow so many trials to end."""
        for _ in range(trials):
            self._turns.release()

    async def start(self, jobs: int) -> None:
        return

    async def run(self, wanted: Wanted, number: int) -> Outcome:
        await self._turns.acquire()
        self.clock += 1.5
        trial = wanted.trial
        if self.says_nothing:
            words = "port 8080 is taken already"
            return Outcome(trial=trial, verdict=TrialVerdict.INCONCLUSIVE, detail=words, spent_s=1.5)
        missing = self.truth.missing(trial.open, trial.mode)
        if self.broken_anyway or trial.open in self.flaky_at:
            self.broken_anyway = max(0, self.broken_anyway - 1)
            self.flaky_at.discard(trial.open or frozenset())
            missing = missing or (DNS,)
        called = self._called(missing)
        is_healthy = missing is None
        return Outcome(
            trial=trial,
            verdict=TrialVerdict.HEALTHY if is_healthy else TrialVerdict.BROKEN,
            called=called,
            blocked=called - trial.open if trial.open is not None else frozenset(),
            healthy_after_s=0.9 if is_healthy else None,
            detail="200 ready" if is_healthy else f"503 {(missing or ('',))[0].partition('://')[2] or 'names'}: no way",
            spent_s=1.5,
            is_stuck=wanted.about == self.stuck,
        )

    def _called(self, missing: tuple[str, ...] | None) -> frozenset[str]:
        """What is called: one after the other, up to the first that is missing."""
        if missing is None:
            return frozenset(self.truth.called)
        reached = self.truth.needs.index(missing) if missing in self.truth.needs else len(self.truth.needs)
        return frozenset(one for group in self.truth.needs[: reached + 1] for one in group)

    async def close(self) -> None:
        self.is_closed = True
