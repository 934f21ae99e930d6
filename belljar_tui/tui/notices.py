"""What is said for a moment, in a corner of the screen: news that no panel is made for."""

from __future__ import annotations

from typing import Literal

import msgspec

from belljar_tui.core import events as ev

Severity = Literal["information", "warning", "error"]


class Notice(msgspec.Struct, frozen=True):
    text: str
    title: str = ""
    severity: Severity = "information"


def notice_of(event: ev.AnyEvent) -> Notice | None:
    """None for most events."""
    match event:
        case ev.CommandRejected():
            return Notice(event.reason, "Not done", "warning")
        case ev.ProfileSaved():
            return Notice(f"{event.path}\nProve it again: belljar verify {event.path}", "Saved")
        case ev.EventsLost(source="journal"):
            return Notice("Its disk takes no more events. The session goes on.", "The journal", "error")
        case ev.LaneBroke():
            return Notice(event.detail, "A lane broke", "error")
        case ev.TargetEntered(unsealed_s=float(gap_s)):
            text = f"{_capital(event.because)}: it ran {gap_s:.2f} s without the seal. Every cut is in force again."
            return Notice(text, event.target)
        case ev.TargetLost():
            end = "Nothing came in its place." if event.is_for_good else "Its cuts are kept for its return."
            return Notice(f"It {HOW.get(event.how, event.how)}. {end}", "The target", "warning")
        case ev.TargetRenamed():
            return Notice(f"{event.before} is called {event.name} now.", "The target")
        case ev.EngineLost():
            return Notice("It does not answer. What is sealed stays sealed.", "The engine", "warning")
        case ev.EngineReturned():
            return Notice("It answers again.", "The engine")
        case _:
            return None


HOW = {
    "exited": "ended",
    "killed": "was killed",
    "out of memory": "was killed: out of memory",
    "removed": "was removed",
}
"""How a target ended, as a sentence goes on."""


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
