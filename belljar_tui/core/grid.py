"""The grid of a search's trials: pure and deterministic, rows are dependencies, columns trials.

                  1 2 3 4
                  ✓ ✗ ✓ ✗
    auth.lab      ● ┄ ● ✂   ◆ needed
    cache.lab     ● ┄ ✂ ●     tolerated

A cell says what the trial did to the dependency; a column's heading what came of it; what a row says at its right end
is read from all of them, as the search itself reads them.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from belljar_tui.core.search import Conclusion, Found
from belljar_tui.core.search_view import SearchView, TrialView
from belljar_tui.core.trial import Outcome, TrialVerdict

Ids = frozenset[str]


class Cell(StrEnum):
    """What a trial did to a dependency."""

    OPEN = "open"
    CUT = "cut"
    """No call of it was seen to meet the cut."""
    BLOCKED = "cut, calls blocked"


class Heading(StrEnum):
    """What came of a trial."""

    HEALTHY = "healthy"
    BROKEN = "broken"
    INCONCLUSIVE = "inconclusive"
    RUNNING = "running"
    ABANDONED = "abandoned"


class Decision(StrEnum):
    """What is known of a dependency so far."""

    PINNED_OPEN = "pinned open"
    PINNED_CUT = "pinned cut"
    NEEDED = "needed"
    FALLBACK = "fallback"
    """One of several that can stand in for each other; known at the end."""
    TOLERATED = "tolerated"
    NEVER_CALLED = "never called"
    DOUBTFUL = "doubtful"
    """Trials contradict each other."""
    UNDECIDED = "undecided"


class Row(msgspec.Struct, frozen=True):
    dependency: str
    decision: Decision
    is_in_set: bool
    """In the smallest set known to work."""


class Column(msgspec.Struct, frozen=True):
    trial: TrialView
    cells: tuple[Cell, ...]
    """One per row."""

    @property
    def heading(self) -> Heading:
        if self.trial.verdict is not None:
            return Heading(self.trial.verdict)
        return Heading.ABANDONED if self.trial.is_abandoned else Heading.RUNNING


class Grid(msgspec.Struct, frozen=True):
    rows: tuple[Row, ...] = ()
    columns: tuple[Column, ...] = ()
    """By the trials' numbers."""


def grid(view: SearchView, before: Grid | None = None) -> Grid:
    """The grid of a search. `before` is an earlier one: its columns are used again where nothing has changed."""
    pinned = view.question.stay_open | view.question.stay_cut
    ids = sorted({*view.dependencies, *pinned}, key=lambda one: (one.partition("://")[2] or one, one))
    decided = decisions(view, frozenset(ids))
    so_far = frozenset(view.set_so_far or ())
    rows = tuple(Row(one, decided[one], one in so_far) for one in ids)
    is_same = before is not None and [row.dependency for row in before.rows] == ids
    kept = {column.trial.number: column for column in before.columns} if before is not None and is_same else {}
    columns = (_column(trial, ids, kept.get(number)) for number, trial in sorted(view.trials.items()))
    return Grid(rows, tuple(columns))


def _column(trial: TrialView, ids: Iterable[str], kept: Column | None) -> Column:
    if kept is not None and kept.trial is trial:
        return kept
    blocked = (trial.outcome.blocked if trial.outcome is not None else None) or frozenset()
    return Column(trial, tuple(_cell(trial, one, blocked) for one in ids))


def _cell(trial: TrialView, dependency: str, blocked: Ids) -> Cell:
    if trial.is_open(dependency):
        return Cell.OPEN
    return Cell.BLOCKED if dependency in blocked else Cell.CUT


def decisions(view: SearchView, universe: Ids) -> dict[str, Decision]:
    """What each of `universe` has been found to be."""
    question = view.question
    pins = {
        **dict.fromkeys(question.stay_open & universe, Decision.PINNED_OPEN),
        **dict.fromkeys(question.stay_cut & universe, Decision.PINNED_CUT),
    }
    if view.found is not None and view.found.conclusion is Conclusion.FOUND:
        return {one: pins.get(one) or _final(view.found, one) for one in universe}
    needed, tolerated = _shown_alone(view, universe)
    uncalled = universe - _called(view) if question.has_evidence else frozenset[str]()
    return {one: pins.get(one) or _so_far(one, needed, tolerated, uncalled) for one in universe}


def _final(found: Found, one: str) -> Decision:
    if (one,) in found.cut_sets:
        return Decision.NEEDED
    if any(one in cut for cut in found.cut_sets):
        return Decision.FALLBACK
    if one in found.never_called:
        return Decision.NEVER_CALLED
    if one in found.minimal:
        return Decision.NEEDED
    return Decision.TOLERATED if one in found.tolerated else Decision.DOUBTFUL


def _called(view: SearchView) -> Ids:
    seen = [ids for outcome in view.outcomes for ids in (outcome.called, outcome.blocked) if ids]
    return frozenset[str]().union(*seen)


def _so_far(one: str, needed: Ids, tolerated: Ids, uncalled: Ids) -> Decision:
    if one in tolerated and one in uncalled:
        return Decision.NEVER_CALLED
    if one in needed:
        return Decision.DOUBTFUL if one in tolerated else Decision.NEEDED
    return Decision.TOLERATED if one in tolerated else Decision.UNDECIDED


def _shown_alone(view: SearchView, universe: Ids) -> tuple[Ids, Ids]:
    """What the trials say of each cut by itself: (broken, healthy), with what was never called as good as absent."""
    cuttable = universe - view.question.stay_open - view.question.stay_cut
    needed: set[str] = set()
    tolerated: set[str] = set()
    for outcomes in _by_set(view).values():
        passed = [outcome for outcome in outcomes if outcome.verdict is TrialVerdict.HEALTHY]
        for outcome in passed:
            tolerated |= cuttable - _reached(outcome, universe)
        for outcome in outcomes:
            if not passed and outcome.verdict is TrialVerdict.BROKEN:
                needed |= _blamed(outcome, cuttable)
    return frozenset(needed), frozenset(tolerated)


def _by_set(view: SearchView) -> dict[Ids | None, list[Outcome]]:
    """Outcomes in the mode the set is sealed with, by what was open: one pass outweighs failures of the same set."""
    found: dict[Ids | None, list[Outcome]] = {}
    for outcome in view.outcomes:
        if outcome.trial.open is None or outcome.trial.mode is view.question.modes[0]:
            found.setdefault(outcome.trial.open, []).append(outcome)
    return found


def _reached(passed: Outcome, universe: Ids) -> Ids:
    """What was open and called."""
    opened = universe if passed.trial.open is None else passed.trial.open
    return opened if passed.called is None else opened & passed.called


def _blamed(broken: Outcome, cuttable: Ids) -> Ids:
    """The only one that can have broken it, if there is only one."""
    cut = cuttable - broken.trial.open if broken.trial.open is not None else frozenset[str]()
    met = cut & broken.blocked if broken.blocked else cut
    return met if len(met) == 1 else frozenset()
