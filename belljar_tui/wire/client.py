"""The one door between the user's side and an agent. The live client, the replay and a test's fake are equals."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Protocol

from belljar_tui.core.events import AnyEvent
from belljar_tui.core.model import Wanted


class AgentClient(Protocol):
    """Starts a jar and speaks with its agent."""

    async def start(self) -> None:
        """Make the jar and begin. Raises errors.JarError when it cannot be made or sealed."""

    def events(self) -> AsyncIterator[AnyEvent]:
        """Every event until the agent ends. Raises errors.AgentLost when it ends unasked."""

    async def want(self, wanted: Wanted) -> None:
        """Tell the agent the whole wanted state."""

    async def finish(self) -> None:
        """End the service and the agent; leave nothing behind. Safe to call twice."""
