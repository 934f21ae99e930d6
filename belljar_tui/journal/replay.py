"""A recorded session as an agent client: the same events through the same fold."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from belljar_tui.core.events import AnyEvent, SessionStarted
from belljar_tui.core.model import Wanted
from belljar_tui.journal.reader import read_journal

BREATH = 256
"""Events between two turns of the event loop, so that a long journal never freezes the screen."""


class ReplayClient:
    """An AgentClient over recorded events. What is wanted of the past changes nothing."""

    def __init__(self, events: Sequence[AnyEvent], name: str = "replay") -> None:
        """`name` is the session's where the recording does not say."""
        self.opening = next(
            (event for event in events if isinstance(event, SessionStarted)),
            SessionStarted(at=0.0, name=name, jar="", command=[]),
        )
        """The recorded opening: what to give a Session as its own."""
        self._events = [event for event in events if event is not self.opening]
        self._is_finished = False

    @classmethod
    def of(cls, path: Path) -> ReplayClient:
        """The journal at `path`. Raises BadJournal."""
        return cls(read_journal(path), path.name.partition(".")[0])

    async def start(self) -> None:
        """Nothing is made: the past needs no jar."""

    async def events(self) -> AsyncIterator[AnyEvent]:
        """Every recorded event but the opening, at once."""
        for index, event in enumerate(self._events):
            if self._is_finished:
                return
            if index % BREATH == 0:
                await asyncio.sleep(0)
            yield event

    async def want(self, wanted: Wanted) -> None:
        """The past cannot be changed."""

    async def finish(self) -> None:
        """No more events."""
        self._is_finished = True
