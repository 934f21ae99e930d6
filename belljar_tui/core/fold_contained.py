"""The fold's steps for what only jars of containers, and what is attached to, tell: neighbours, holes, the target, the
engine. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.state import Neighbour, State, Target

_replace = msgspec.structs.replace


def _neighbour_changed(state: State, event: ev.NeighbourChanged) -> State:
    neighbour = Neighbour(event.name, tuple(event.names), tuple(event.addresses), event.is_up)
    return _replace(state, neighbours={**state.neighbours, event.name: neighbour})


def _hole_found(state: State, event: ev.HoleFound) -> State:
    return _replace(state, holes=(*state.holes, event))


def _target_entered(state: State, event: ev.TargetEntered) -> State:
    entries = state.target.entries if state.target else 0
    target = Target(
        event.target,
        event.via,
        event.owner,
        tuple(event.shared_with),
        entries + 1,
        event.because,
        event.unsealed_s,
        event.at,
    )
    return _replace(state, target=target)


def _target_lost(state: State, event: ev.TargetLost) -> State:
    target = state.target or Target(state.name)
    return _replace(state, target=_replace(target, lost=event.how, is_for_good=event.is_for_good))


def _target_renamed(state: State, event: ev.TargetRenamed) -> State:
    return _replace(state, target=_replace(state.target or Target(event.name), name=event.name))


def _engine_lost(state: State, _event: ev.EngineLost) -> State:
    return _replace(state, is_engine_lost=True)


def _engine_returned(state: State, _event: ev.EngineReturned) -> State:
    return _replace(state, is_engine_lost=False)


CONTAINED: dict[type[ev.Event], Callable[[State, Any], State]] = {
    ev.NeighbourChanged: _neighbour_changed,
    ev.HoleFound: _hole_found,
    ev.TargetEntered: _target_entered,
    ev.TargetLost: _target_lost,
    ev.TargetRenamed: _target_renamed,
    ev.EngineLost: _engine_lost,
    ev.EngineReturned: _engine_returned,
}
"""Kind of event -> its step."""
