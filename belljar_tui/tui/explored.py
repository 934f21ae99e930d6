"""What every screen that looks at a session needs of it."""

from __future__ import annotations

from typing import Protocol

from belljar_tui.core import commands as cmd
from belljar_tui.core.state import State


class Explored(Protocol):
    """A session, live or recorded: what is true at its moment, and where commands go."""

    @property
    def state(self) -> State: ...
    def now(self) -> float:
        """Seconds since the session started."""
        ...

    async def do(self, command: cmd.AnyCommand) -> None: ...
