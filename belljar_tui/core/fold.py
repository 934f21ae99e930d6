"""The fold: one step of it for each kind of event. Pure; live, replay, headless, reports and tests go through it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.fold_contained import CONTAINED
from belljar_tui.core.grown import Grown
from belljar_tui.core.host_name import CLAIMS_KEPT, host_name
from belljar_tui.core.model import Health, Mode, Settings, Wanted
from belljar_tui.core.search_view import searched
from belljar_tui.core.state import (
    BLOCKED_KEPT,
    BlockedLine,
    DependencyView,
    HealthSpan,
    Process,
    State,
    Trying,
)

Key = TypeVar("Key")
Value = TypeVar("Value")
_replace = msgspec.structs.replace


def fold(events: Iterable[ev.AnyEvent], start: State | None = None) -> State:
    """Apply every event in turn. What is copied for one event is copied once for all of them."""
    state = _with_dicts(start if start is not None else State(), _Owned)
    at = state.at
    for event in events:
        state = _STEPS[type(event)](state, event)
        if event.at > at:
            at = event.at
    return _with_dicts(_with(state, at=at), dict)


class _Owned(dict[Key, Value]):
    """Held by the state of a fold under way and by nobody else, so that it may be changed in place."""


def _with_dicts(state: State, kind: type[dict[Any, Any]]) -> State:
    return _with(state, processes=kind(state.processes), dependencies=kind(state.dependencies), names=kind(state.names))


def _set(known: dict[Key, Value], key: Key, value: Value) -> dict[Key, Value]:
    """`known` with one value more, or another one."""
    if type(known) is _Owned:
        known[key] = value
        return known
    return {**known, key: value}


def apply(state: State, event: ev.AnyEvent) -> State:
    """The state after `event`. Time never runs backwards: an early `at` keeps the later clock. No step reads it."""
    step = _STEPS[type(event)]
    moved: State = step(state, event)
    return _with(moved, at=event.at) if event.at > state.at else moved


def _with(state: State, **changes: Any) -> State:
    return _replace(state, **changes)


def _view(state: State, dependency: str, at: float) -> DependencyView:
    return state.dependencies.get(dependency) or DependencyView(dependency, active_at=at)


def _put(state: State, view: DependencyView, **changes: Any) -> State:
    return _keep(state, _replace(view, **changes))


def _keep(state: State, view: DependencyView) -> State:
    known = _set(state.dependencies, view.id, view)
    return state if known is state.dependencies else _with(state, dependencies=known)


def _session_started(state: State, event: ev.SessionStarted) -> State:
    return _with(
        state,
        name=event.name,
        jar=event.jar,
        command=tuple(event.command),
        checks=tuple(event.checks),
        started=event.started,
        drill=event.drill,
    )


def _agent_started(state: State, event: ev.AgentStarted) -> State:
    return _with(state, queue=event.queue, lacks=tuple(event.lacks), has_unix=event.unix)


def _seal_proven(state: State, event: ev.SealProven) -> State:
    return _with(state, proof=event)


def _unchanged(state: State, _event: ev.Event) -> State:
    return state


def _service_started(state: State, event: ev.ServiceStarted) -> State:
    return _with(state, service_pid=event.pid, service_started_at=event.at, exit_code=None)


def _service_exited(state: State, event: ev.ServiceExited) -> State:
    return _with(state, exit_code=event.code)


def _process_seen(state: State, event: ev.ProcessSeen) -> State:
    process = Process(event.pid, event.parent, event.name, event.command)
    return _with(state, processes=_set(state.processes, event.pid, process))


def _process_gone(state: State, event: ev.ProcessGone) -> State:
    known = state.processes.get(event.pid)
    if known is None:
        return state
    gone = msgspec.structs.replace(known, is_gone=True)
    return _with(state, processes=_set(state.processes, event.pid, gone))


def _dependency_seen(state: State, event: ev.DependencySeen) -> State:
    view = _view(state, event.dependency, event.at)
    endpoints = view.endpoints
    if event.endpoint and event.endpoint not in endpoints:
        endpoints = (*endpoints, event.endpoint)
    virtual = {**view.virtual, event.endpoint: event.virtual} if event.virtual else view.virtual
    callers = _callers(view, event.pid)
    return _put(state, view, endpoints=endpoints, virtual=virtual, callers=callers, active_at=event.at)


def _callers(view: DependencyView, pid: int | None) -> tuple[int, ...]:
    return view.callers if pid is None or pid in view.callers else (*view.callers, pid)


def _group_called(state: State, event: ev.GroupCalled) -> State:
    return _put(state, _view(state, event.dependency, event.at), reach=event.reach)


def _groups_joined(state: State, event: ev.GroupsJoined) -> State:
    return _with(state, groups=tuple(event.groups))


def _name_resolved(state: State, event: ev.NameResolved) -> State:
    known = state.names.get(event.name, ())
    reached = [event.virtual.get(address, address) for address in event.addresses] if event.virtual else event.addresses
    addresses = tuple(dict.fromkeys((*known, *reached)))
    return _with(state, names=_set(state.names, event.name, addresses))


def _name_claimed(state: State, event: ev.NameClaimed) -> State:
    """A stranger's bytes said so: only what can be a name goes on, whoever wrote the journal."""
    view = _view(state, event.dependency, event.at)
    is_name = event.name == host_name(event.name) != ""
    if not is_name or event.name in view.claims or len(view.claims) >= CLAIMS_KEPT:
        return state
    return _put(state, view, claims=(*view.claims, event.name))


def _call_blocked(state: State, event: ev.CallBlocked) -> State:
    view = _view(state, event.dependency, event.at)
    changed = _replace(
        view,
        blocked=view.blocked + event.count,
        blocked_now=view.blocked_now + event.count,
        blocked_at=event.at,
        active_at=event.at,
        callers=_callers(view, event.pid),
    )
    state = _keep(state, changed)
    if state.health is Health.UNHEALTHY and event.dependency == state.last_cut and not view.blocked_now:
        state = _blamed(state, state.health_since)  # health turned before the call was told of
    line = BlockedLine(event.at, event.dependency, event.mode, event.pid, event.process, event.count)
    before, last = _lined(state.blocked_before, state.blocked_last, line)
    return _replace(state, blocked=state.blocked + event.count, blocked_before=before, blocked_last=last)


def _lined(
    before: Grown[BlockedLine], last: BlockedLine | None, line: BlockedLine
) -> tuple[Grown[BlockedLine], BlockedLine]:
    """One line more, or more in the last line when it is the same caller and cut within a second."""
    if last is None:
        return before, line
    is_same = last.dependency == line.dependency and last.mode is line.mode and last.pid == line.pid
    if is_same and line.at - last.at < 1.0:
        return before, _replace(last, count=last.count + line.count)
    return before.appended(last, BLOCKED_KEPT - 1), line


def _traffic_counted(state: State, event: ev.TrafficCounted) -> State:
    view = _view(state, event.dependency, event.at)
    span = event.at - view.counted_at
    grown = event.bytes - view.bytes
    changed = _replace(
        view,
        calls=event.calls,
        packets=event.packets,
        bytes=event.bytes,
        bytes_per_s=(grown if grown > 0 else 0) / span if span > 0 else view.bytes_per_s,
        active_at=event.at if (event.calls, event.packets) > (view.calls, view.packets) else view.active_at,
        counted_at=event.at,
    )
    state = _keep(state, changed)
    is_suspect = view.mode is Mode.SLOW and event.dependency == state.last_cut and not view.met_now
    if is_suspect and state.health is Health.UNHEALTHY:
        return _blamed(state, state.health_since)  # health turned before its calls were told of
    return state


def _cut_applied(state: State, event: ev.CutApplied) -> State:
    view = _settled(state, _view(state, event.dependency, event.at))  # another mode ends the cut that was
    if event.by == "user":
        state = _with(state, last_cut=event.dependency, last_cut_at=event.at, recovered_after_s=None)
    return _put(
        state,
        view,
        mode=event.mode,
        cut_by=event.by,
        cut_at=event.at,
        settings=event.settings,
        blocked_now=0,
        calls_at_cut=view.calls,
        tried=_tried(view, Trying(event.mode, Health.UNKNOWN)) if _is_a_trial(view, event) else view.tried,
    )


def _is_a_trial(view: DependencyView, event: ev.CutApplied) -> bool:
    """Under a vacuum all are cut at once: that unsays nothing that a cut by itself has shown. Nor does a time limit
    that a standing cut is given."""
    if event.by != "user":
        return all(t.mode is not event.mode or t.health is Health.UNKNOWN for t in view.tried)
    return view.mode is not event.mode or _replace(view.settings, until=None) != _replace(event.settings, until=None)


def _tried(view: DependencyView, trying: Trying) -> tuple[Trying, ...]:
    if any(t.mode is trying.mode for t in view.tried):
        return tuple(trying if t.mode is trying.mode else t for t in view.tried)
    return (*view.tried, trying)


def _cut_restored(state: State, event: ev.CutRestored) -> State:
    view = _view(state, event.dependency, event.at)
    state = _with(
        state,
        restored=event.dependency,
        restored_at=event.at,
        recovered_after_s=None,
        last_cut="" if state.last_cut == event.dependency else state.last_cut,
    )
    return _put(
        state, _settled(state, view), mode=None, cut_by="", cut_at=None, settings=Settings(), recovered_after_s=None
    )


def _settled(state: State, view: DependencyView) -> DependencyView:
    """A cut that ends with calls that met it and the service healthy was tolerated."""
    pending = next((t for t in view.tried if t.mode is view.mode), None)
    was_tolerated = (
        pending is not None and pending.health is Health.UNKNOWN and view.met_now > 0 and state.health is Health.HEALTHY
    )
    if not was_tolerated or view.mode is None:
        return view
    return msgspec.structs.replace(view, tried=_tried(view, Trying(view.mode, Health.HEALTHY)))


def _seal_changed(state: State, event: ev.SealChanged) -> State:
    return _with(state, seal=event.seal, seal_mode=event.mode)


def _health_changed(state: State, event: ev.HealthChanged) -> State:
    is_turn = event.health is not state.health
    span = HealthSpan(event.at, event.health, event.check, event.detail)
    state = _with(
        state,
        health=event.health,
        health_check=event.check,
        health_detail=event.detail,
        health_since=event.at if is_turn else state.health_since,
        health_spans=state.health_spans.appended(span),
    )
    if is_turn and event.health is Health.UNHEALTHY:
        return _blamed(state, event.at)
    if is_turn and event.health is Health.HEALTHY:
        return _recovered(state, event.at)
    return state


def _blamed(state: State, at: float) -> State:
    """Unhealthy: write the effect beside the last cut made by hand, if it has met a call."""
    view = state.dependencies.get(state.last_cut)
    if view is None or view.mode is None or not view.met_now or state.last_cut_at is None or at < state.last_cut_at:
        return state
    trying = Trying(view.mode, Health.UNHEALTHY, at - state.last_cut_at)
    return _put(state, view, tried=_tried(view, trying))


def _recovered(state: State, at: float) -> State:
    if state.restored_at is None or state.recovered_after_s is not None:
        return state
    after_s = at - state.restored_at
    state = _with(state, recovered_after_s=after_s)
    view = state.dependencies.get(state.restored)
    return state if view is None or view.is_cut else _put(state, view, recovered_after_s=after_s)


def _events_lost(state: State, event: ev.EventsLost) -> State:
    return _with(state, lost=state.lost + event.count)


def _jar_stalled(state: State, event: ev.JarStalled) -> State:
    return _with(state, stalled=(*state.stalled, event.part), has_stalled=True)


def _jar_went_on(state: State, event: ev.JarWentOn) -> State:
    return _with(state, stalled=tuple(part for part in state.stalled if part != event.part))


def _audit_failed(state: State, event: ev.AuditFailed) -> State:
    return _with(state, audit_failures=state.audit_failures.appended(event.detail))


def _lane_broke(state: State, event: ev.LaneBroke) -> State:
    return _with(state, audit_failures=state.audit_failures.appended(f"a lane broke: {event.detail}"))


def _command_rejected(state: State, event: ev.CommandRejected) -> State:
    return _with(state, rejected=state.rejected.appended(event))


def _note_added(state: State, event: ev.NoteAdded) -> State:
    return _with(state, notes=state.notes.appended(event))


def _profile_saved(state: State, event: ev.ProfileSaved) -> State:
    return _with(state, saved=state.saved.appended(event.path))


def _searched(state: State, event: ev.Event) -> State:
    return _with(state, search=searched(state.search, event))


def _session_ended(state: State, event: ev.SessionEnded) -> State:
    return _with(state, ended=event.reason)


_STEPS: dict[type[ev.Event], Callable[[State, Any], State]] = {
    ev.SessionStarted: _session_started,
    ev.AgentStarted: _agent_started,
    ev.SealProven: _seal_proven,
    ev.ServiceAwaited: _unchanged,
    **CONTAINED,
    ev.ServiceStarted: _service_started,
    ev.ServiceExited: _service_exited,
    ev.ProcessSeen: _process_seen,
    ev.ProcessGone: _process_gone,
    ev.DependencySeen: _dependency_seen,
    ev.GroupCalled: _group_called,
    ev.GroupsJoined: _groups_joined,
    ev.NameResolved: _name_resolved,
    ev.NameClaimed: _name_claimed,
    ev.CallBlocked: _call_blocked,
    ev.TrafficCounted: _traffic_counted,
    ev.CutApplied: _cut_applied,
    ev.CutRestored: _cut_restored,
    ev.SealChanged: _seal_changed,
    ev.HealthChanged: _health_changed,
    ev.EventsLost: _events_lost,
    ev.JarStalled: _jar_stalled,
    ev.JarWentOn: _jar_went_on,
    ev.AuditFailed: _audit_failed,
    ev.LaneBroke: _lane_broke,
    ev.CommandRejected: _command_rejected,
    ev.NoteAdded: _note_added,
    ev.ProfileSaved: _profile_saved,
    ev.SearchStarted: _searched,
    ev.TrialStarted: _searched,
    ev.TrialEnded: _searched,
    ev.TrialAbandoned: _searched,
    ev.SearchProgressed: _searched,
    ev.SearchPaused: _searched,
    ev.SearchResumed: _searched,
    ev.SearchStopped: _searched,
    ev.SearchEnded: _searched,
    ev.SessionEnded: _session_ended,
}


def settled(state: State, wanted: Wanted) -> State:
    """The state as it will be once `wanted` has come back as events: what a profile saved right now should say."""
    views = {
        identity: msgspec.structs.replace(view, mode=wanted.mode_of(identity))
        for identity, view in state.dependencies.items()
    }
    return _with(state, dependencies=views, seal=wanted.seal, seal_mode=wanted.seal_mode)
