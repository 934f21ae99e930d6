"""Services made of rules, to search in: what they need is known beforehand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from belljar_tui.core.search import Found, Question, plan
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict

HEALTHY, BROKEN = TrialVerdict.HEALTHY, TrialVerdict.BROKEN
Ids = frozenset[str]
World = Callable[[Trial], Outcome]


class Staged(msgspec.Struct, frozen=True):
    """Starts in stages. Each asks its alternatives in turn until one answers; where none does it is stuck, and goes on
    asking what it asked so far. What is tolerated is asked from its stage on, whatever the answer."""

    stages: tuple[tuple[str, ...], ...]
    tolerated: tuple[tuple[str, ...], ...]

    def __call__(self, trial: Trial) -> Outcome:
        called: set[str] = set()
        is_stuck = False
        for alternatives, others in zip(self.stages, self.tolerated, strict=True):
            called.update(others)
            for each in alternatives:
                called.add(each)
                if _is_open(trial, each):
                    break
            else:
                is_stuck = True
                break
        blocked = frozenset(one for one in called if not _is_open(trial, one))
        verdict = BROKEN if is_stuck else HEALTHY
        return Outcome(trial=trial, verdict=verdict, called=frozenset(called), blocked=blocked)

    @property
    def ids(self) -> Ids:
        return frozenset(one for group in (*self.stages, *self.tolerated) for one in group)

    def works(self, opened: Ids) -> bool:
        return all(any(one in opened for one in alternatives) for alternatives in self.stages)


def needing(works: Callable[[Ids], bool], everything: Ids) -> World:
    """A world that only says whether it works."""

    def run(trial: Trial) -> Outcome:
        opened = everything if trial.open is None else trial.open
        return Outcome(trial=trial, verdict=HEALTHY if works(opened) else BROKEN)

    return run


def solve(
    question: Question, world: World, known: Sequence[Outcome] = (), jobs: int = 1
) -> tuple[Found, list[Outcome]]:
    """Search to the end; the answer, and every outcome with those known before."""
    outcomes = list(known)
    while len(outcomes) < 5000:
        step = plan(question, outcomes, jobs)
        if step.found is not None:
            return step.found, outcomes
        assert step.trials, "neither an answer nor a question"
        outcomes += [world(wanted.trial) for wanted in step.trials]
    raise AssertionError("the search does not end")


def _is_open(trial: Trial, one: str) -> bool:
    return trial.open is None or one in trial.open
