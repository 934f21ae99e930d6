"""Searches for what the command line asked for: their oracle, and what the explorer starts with `x`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from belljar_tui.core import events as ev
from belljar_tui.core.given import TrialModes, set_apart
from belljar_tui.core.question import Question
from belljar_tui.core.trial import SOAK_S, Outcome, Recovery
from belljar_tui.headless.asked import Asked
from belljar_tui.headless.opening import jar_oracle, steady_oracle
from belljar_tui.session import NewSearch
from belljar_tui.trials.oracle import Oracle
from belljar_tui.trials.runner import SearchRunner
from belljar_tui.wire.messages import Checks

LAB_DEADLINE_S = 5.0
"""A lab's service is quick; so are its failures then."""


def oracle_of(asked: Asked, opening: ev.SearchStarted, folder: Path, recalled: Sequence[Outcome]) -> Oracle:
    """Jars to try it in; `folder` (it exists) takes each trial's output. Raises BellJarError."""
    make = steady_oracle if opening.recovery is Recovery.STEADY else jar_oracle
    return make(asked, folder, deadline_s=opening.deadline_s, soak_s=opening.soak_s, recalled=recalled)


def soak_s_of(recovery: Recovery, health: Checks) -> float:
    """Seconds a trial's health must hold, or a cut lasts, where nobody said."""
    return SOAK_S if recovery is Recovery.STEADY else 2 * health.every_s


def new_search_of(asked: Asked, folder: Path, modes: TrialModes, jobs: int) -> NewSearch:
    """What the explorer starts: cold trials of the session's own service."""
    opening = ev.SearchStarted(
        at=0.0,
        question=Question(modes=tuple(modes), settings=set_apart(modes)),
        deadline_s=LAB_DEADLINE_S if asked.lab else 0.0,
        soak_s=soak_s_of(Recovery.COLD, asked.health),
        jobs=jobs,
        has_virtual_addresses=asked.has_virtual_addresses,
    )

    def new(emit: Callable[[ev.AnyEvent], None], now: Callable[[], float], recalled: Sequence[Outcome]) -> SearchRunner:
        oracle = oracle_of(asked, opening, folder, recalled)
        return SearchRunner(oracle, opening, emit=emit, now=now, recalled=recalled)

    return new
