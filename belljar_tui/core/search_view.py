"""The fold of a search: from its events to what a screen, a report or a resumed search needs of it. Pure."""

from __future__ import annotations

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode
from belljar_tui.core.search import Found, Phase, Question
from belljar_tui.core.trial import Outcome, Recovery, TrialVerdict


class TrialView(msgspec.Struct, frozen=True):
    """One column of the grid."""

    number: int
    open: frozenset[str] | None
    """None: everything."""
    mode: Mode
    phase: Phase | None
    """None for a recalled trial."""
    about: str = ""
    started_at: float = 0.0
    ended_at: float | None = None
    outcome: Outcome | None = None
    """None while it runs, and for one that was abandoned."""
    is_abandoned: bool = False
    is_recalled: bool = False

    @property
    def is_running(self) -> bool:
        return self.outcome is None and not self.is_abandoned

    @property
    def verdict(self) -> TrialVerdict | None:
        return self.outcome.verdict if self.outcome is not None else None

    def is_open(self, dependency: str) -> bool:
        return self.open is None or dependency in self.open


class SearchView(msgspec.Struct, frozen=True):
    """All that is known of the last search."""

    question: Question
    recovery: Recovery = Recovery.COLD
    deadline_s: float = 0.0
    soak_s: float = 0.0
    jobs: int = 1
    has_virtual_addresses: bool = True
    started_at: float = 0.0
    ended_at: float | None = None
    trials: dict[int, TrialView] = {}
    """By number."""
    expected: int = 0
    """About how many trials are still to come."""
    set_so_far: tuple[str, ...] | None = None
    is_paused: bool = False
    stopped: str = ""
    """Why it ended without an answer."""
    found: Found | None = None

    @property
    def is_running(self) -> bool:
        return self.ended_at is None

    @property
    def outcomes(self) -> list[Outcome]:
        """In the order of their numbers: what a resumed search goes on from."""
        return [view.outcome for _, view in sorted(self.trials.items()) if view.outcome is not None]

    @property
    def done(self) -> int:
        """Trials with an outcome."""
        return len(self.outcomes)

    @property
    def repeated(self) -> int:
        """How many of them were a second or third attempt."""
        return sum(outcome.trial.attempt > 1 for outcome in self.outcomes)

    @property
    def dependencies(self) -> tuple[str, ...]:
        """Rows of the grid: every id known or called, by name."""
        found = set(self.question.candidates)
        for outcome in self.outcomes:
            found |= (outcome.called or frozenset()) | (outcome.blocked or frozenset())
        return tuple(sorted(found, key=lambda identity: (identity.partition("://")[2] or identity, identity)))

    @property
    def endpoints(self) -> dict[str, tuple[str, ...]]:
        """Id -> where it was called in any trial."""
        found: dict[str, set[str]] = {}
        for outcome in self.outcomes:
            for identity, seen in outcome.endpoints.items():
                found.setdefault(identity, set()).update(seen)
        return {identity: tuple(sorted(seen)) for identity, seen in sorted(found.items())}

    def time_left_s(self, now: float) -> float | None:
        """Seconds still to go, from the pace up to the last verdict; None before the first trial ended."""
        ends = [t.ended_at for t in self.trials.values() if t.outcome is not None and not t.is_recalled and t.ended_at]
        if not ends or self.ended_at is not None:
            return None
        pace_s = (max(ends) - self.started_at) / len(ends)
        return max(0.0, self.expected * pace_s - (now - max(ends)))


def searched(view: SearchView | None, event: ev.Event) -> SearchView | None:
    """The view after one of the search's events; others change nothing."""
    if isinstance(event, ev.SearchStarted):
        return SearchView(
            event.question,
            event.recovery,
            event.deadline_s,
            event.soak_s,
            event.jobs,
            event.has_virtual_addresses,
            started_at=event.at,
        )
    return view if view is None else _moved(view, event)


def _moved(view: SearchView, event: ev.Event) -> SearchView:
    change = msgspec.structs.replace
    match event:
        case ev.TrialStarted(number=number, trial=trial, phase=phase, about=about):
            started = TrialView(number, trial.open, trial.mode, phase, about, started_at=event.at)
            return change(view, trials={**view.trials, number: started})
        case ev.TrialEnded():
            return _ended(view, event)
        case ev.TrialAbandoned(number=number) if number in view.trials:
            gone = change(view.trials[number], is_abandoned=True, ended_at=event.at)
            return change(view, trials={**view.trials, number: gone})
        case ev.SearchProgressed(expected=expected, set_so_far=set_so_far):
            return change(view, expected=expected, set_so_far=None if set_so_far is None else tuple(set_so_far))
        case ev.SearchPaused():
            return change(view, is_paused=True)
        case ev.SearchResumed():
            return change(view, is_paused=False)
        case ev.SearchStopped(reason=reason):
            return change(view, stopped=reason, is_paused=False, expected=0, ended_at=event.at)
        case ev.SearchEnded(found=found):
            return change(view, found=found, set_so_far=found.minimal, is_paused=False, expected=0, ended_at=event.at)
        case _:
            return view


def _ended(view: SearchView, event: ev.TrialEnded) -> SearchView:
    trial = event.outcome.trial
    before = view.trials.get(event.number) or TrialView(
        event.number, trial.open, trial.mode, None, started_at=event.at, is_recalled=event.is_recalled
    )
    ended = msgspec.structs.replace(before, outcome=event.outcome, ended_at=event.at)
    return msgspec.structs.replace(view, trials={**view.trials, event.number: ended})
