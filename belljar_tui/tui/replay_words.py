"""How a recorded session is spoken of."""

from __future__ import annotations

from belljar_tui.core import events as ev
from belljar_tui.core.host_name import host_name
from belljar_tui.tui import words


def moment(seconds: float) -> str:
    """00:12.3"""
    tenths = int(max(0.0, seconds) * 10 + 1e-6)
    return f"{words.clock(tenths // 10)}.{tenths % 10}"


def event_in_words(event: ev.AnyEvent) -> str:
    """One line, e.g. `cut applied · auth.lab:9000 · refuse`."""
    match event:
        case ev.CutApplied(dependency=one, mode=mode, by=by):
            parts = ["cut applied", _short(one), mode, "by the seal" if by == "seal" else ""]
        case ev.CallBlocked(dependency=one, process=process, count=count):
            parts = ["call blocked", _short(one), process or "not held", f"×{count}"]
        case ev.HealthChanged(health=health, detail=detail):
            parts = [health, detail]
        case ev.NoteAdded(text=text, dependency=one):
            parts = ["note", _short(one or ""), text]
        case ev.DependencySeen(dependency=one) | ev.TrafficCounted(dependency=one) | ev.CutRestored(dependency=one):
            parts = [_name(event), _short(one)]
        case ev.ServiceExited(code=code):
            parts = [_name(event), f"code {code}"]
        case ev.ProcessSeen(name=name, pid=pid):
            parts = [_name(event), f"{name} ({pid})"]
        case ev.NameResolved(name=name, addresses=addresses, detail=detail):
            parts = [_name(event), name, ", ".join(addresses[:2]) or detail]
        case ev.GroupCalled(dependency=one, reach=reach):
            parts = [_name(event), _short(one), reach]
        case ev.GroupsJoined(groups=groups):
            parts = [_name(event), ", ".join(groups) or "none"]
        case ev.NameClaimed(dependency=one, name=name):
            parts = [_name(event), _short(one), host_name(name)]
        case ev.TrialStarted(number=number, phase=phase, about=one):
            parts = [f"trial {number} started", phase, _short(one)]
        case ev.TrialEnded(number=number, outcome=outcome):
            parts = [f"trial {number} ended", outcome.verdict]
        case ev.SessionEnded(reason=reason):
            parts = [_name(event), reason]
        case _:
            parts = [_name(event)]
    return " · ".join(part for part in parts if part)


def _name(event: ev.AnyEvent) -> str:
    return str(event.__struct_config__.tag).replace("_", " ")


def _short(dependency: str) -> str:
    return dependency.partition("://")[2] or dependency
