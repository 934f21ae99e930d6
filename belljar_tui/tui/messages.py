"""Everything widgets tell the app, in the past tense."""

from __future__ import annotations

from textual.message import Message


class DependencySelected(Message):
    """A row was chosen with the mouse."""

    def __init__(self, dependency: str) -> None:
        super().__init__()
        self.dependency = dependency


class CutToggled(Message):
    """A row's glyph was clicked, or a row was clicked twice."""

    def __init__(self, dependency: str) -> None:
        super().__init__()
        self.dependency = dependency


class TrialSelected(Message):
    """A trial, or a row of the grid of trials, was chosen with keys or mouse, or a newer one came."""


class MomentChosen(Message):
    """A moment on the time line was pointed at, in seconds since the session's start."""

    def __init__(self, at: float) -> None:
        super().__init__()
        self.at = at


class EventStepped(Message):
    """The wheel was turned on the time line: so many events on, or back."""

    def __init__(self, events: int) -> None:
        super().__init__()
        self.events = events
