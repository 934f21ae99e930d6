"""What a jar's fold amounts to as evidence of one trial."""

from __future__ import annotations

from pathlib import Path

from belljar_tui.core.model import Health
from belljar_tui.core.state import DependencyView, State
from belljar_tui.trials.log import last_line
from belljar_tui.trials.trial_jar import TrialJar

_NOTHING = DependencyView("")


def called(state: State, before: State | None = None) -> frozenset[str]:
    """Ids called between two moments, open ones and cut ones."""
    return frozenset(view.id for view, old in _pairs(state, before) if _activity(view) != _activity(old))


def blocked(state: State, before: State | None = None) -> frozenset[str]:
    """Ids whose calls met a cut between two moments."""
    return frozenset(view.id for view, old in _pairs(state, before) if view.blocked > old.blocked)


def endpoints(state: State) -> dict[str, tuple[str, ...]]:
    """Where each id was called, as far as was seen."""
    return {view.id: view.endpoints for view in state.dependencies.values() if view.endpoints}


def why_nothing_was_learned(jar: TrialJar) -> str:
    """Why no verdict may be built on this jar; empty when one may."""
    state = jar.state
    if jar.lost is not None:
        return str(jar.lost)
    if state.proof is None or not state.proof.ok:
        return f"the seal was not proven: {state.proof.detail if state.proof else 'no proof came'}"
    if state.has_stalled:
        return "a part of the jar was stopped meanwhile"
    if state.audit_failures:
        return state.audit_failures[-1]
    # with a queue every endpoint's first call is held, so that a lost log line hides nothing
    harmful = jar.lost_from - {"callers", "lane"} - ({"log"} if state.queue not in ("", "none") else set())
    if harmful:
        return f"calls may have gone unseen: events of {' and '.join(sorted(harmful))} were lost"
    return ""


def words(state: State, log: Path) -> str:
    """What the check says; of a service that has ended, its exit and its last line."""
    if state.exit_code is None:
        return state.health_detail or "the service never answered its check"
    line = last_line(log)
    return f"the service ended with exit code {state.exit_code}" + (f": {line}" if line else "")


def healthy_after_s(state: State) -> float | None:
    """Seconds from the service's start to the health that lasts; None when it is not healthy."""
    if state.health is not Health.HEALTHY:
        return None
    return round(state.health_since - state.service_started_at, 3)


def _pairs(state: State, before: State | None) -> list[tuple[DependencyView, DependencyView]]:
    earlier = before.dependencies if before is not None else {}
    return [(view, earlier.get(view.id, _NOTHING)) for view in state.dependencies.values()]


def _activity(view: DependencyView) -> tuple[int, int, int, int]:
    return len(view.endpoints), view.calls, view.packets, view.blocked
