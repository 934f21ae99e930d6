"""Finds the minimal working set: which trials are wanted next, and what the outcomes so far amount to.

Pure, no clock, no I/O, no memory of its own: `plan(question, outcomes, at_most)` reads the outcomes from the start each
time. A search that was killed goes on from what was written down, in any order, without repeating a trial.

    1. everything open         never healthy even so: there is nothing to find
    2. vacuum and unfolding    open what is called in vain, until it is healthy (where blocked calls are seen)
    3. sweep                   each dependency cut by itself, side by side
    4. essentials alone        what the sweep found needed; not enough: there are fallbacks
    5. siblings, gallop        pairs that look alike; then blocks of 1, 2, 4 ..., and a binary search where one breaks
    6. confirmation            the set itself passes; without any one of it, it does not
    7. reasons                 modes, and the cut sets behind every member

The set is minimal for a service that more open dependencies never hurt. Outcomes that contradict this are reported, and
from then on nothing is inferred: the set is reached by single steps, each tried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import msgspec

from belljar_tui.core.asker import Asker, Need, Unclear
from belljar_tui.core.minimal import Hopeless, minimal_set
from belljar_tui.core.question import Conclusion, Conflict, Found, Phase, Question, Wanted
from belljar_tui.core.reasons import explained
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict

__all__ = ["Conclusion", "Conflict", "Found", "Phase", "Plan", "Question", "Wanted", "expected", "plan"]
HEALTHY, BROKEN = TrialVerdict.HEALTHY, TrialVerdict.BROKEN


class Plan(msgspec.Struct, frozen=True):
    """What to do next: run the trials (most wanted first), or take the answer."""

    trials: tuple[Wanted, ...] = ()
    found: Found | None = None
    set_so_far: tuple[str, ...] | None = None
    """The smallest set known to work; None before any did."""


def plan(question: Question, outcomes: Sequence[Outcome], at_most: int = 1) -> Plan:
    """The next trials, at most `at_most` of them, or the answer.

    Where fewer are certain than asked for, the rest are guesses at what will be wanted next, both ways.
    """
    first = _step(question, outcomes)
    if isinstance(first, Found):
        return Plan(found=first, set_so_far=first.minimal)
    smallest = Asker(question, outcomes).smallest
    so_far = None if smallest is None else tuple(sorted(smallest))
    return Plan(tuple(_wanted(question, outcomes, first, at_most)), set_so_far=so_far)


def _step(question: Question, outcomes: Sequence[Outcome]) -> Found | Need:
    """As far as the outcomes carry."""
    try:
        asker = Asker(question, outcomes)
        return explained(asker, minimal_set(asker))
    except Need as need:
        return need
    except Hopeless:
        return Found(conclusion=Conclusion.NEVER_HEALTHY, detail=outcomes[-1].detail)
    except Unclear as unclear:
        words = [outcome.detail for outcome in outcomes if outcome.trial.open == unclear.trial.open]
        return Found(conclusion=Conclusion.INCONCLUSIVE, detail=words[-1] if words else "")


def _wanted(question: Question, outcomes: Sequence[Outcome], first: Need, at_most: int) -> list[Wanted]:
    """What is needed, then what would be after each way it may turn out, nearest first."""
    found: dict[Trial, Wanted] = {}
    futures: deque[tuple[tuple[Outcome, ...], Need]] = deque([((), first)])
    looked_at = 0
    while futures and len(found) < at_most and looked_at < 4 * at_most:
        supposed, need = futures.popleft()
        looked_at += 1
        for wanted in (*need.wanted, *need.likely):
            found.setdefault(wanted.trial, wanted)
        if len(found) >= at_most or need.likely:
            continue
        for verdict in (BROKEN, HEALTHY):
            future = (*supposed, Outcome(trial=need.wanted[0].trial, verdict=verdict))
            then = _step(question, [*outcomes, *future])
            if isinstance(then, Need):
                futures.append((future, then))
    return list(found.values())[:at_most]


def expected(question: Question, outcomes: Sequence[Outcome]) -> int:
    """About how many trials are still to come, if one cut alone is tolerated, as most are, and the rest is not."""
    ahead: list[Outcome] = []
    while len(ahead) < 400:
        step = _step(question, [*outcomes, *ahead])
        if isinstance(step, Found):
            break
        for wanted in step.wanted:
            is_soft = wanted.phase in (Phase.BASELINE, Phase.SWEEP, Phase.MODES, Phase.GALLOP, Phase.UNFOLD)
            ahead.append(Outcome(trial=wanted.trial, verdict=HEALTHY if is_soft else BROKEN))
    return len(ahead)
