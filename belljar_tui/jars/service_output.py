"""What a service in a container says, into the session's log: from its own streams in its first life, and from the
engine's log of it after somebody restarted it, as nobody can be attached before a start that is another's."""

from __future__ import annotations

import os

from belljar_tui.agent.service_log import ServiceLog
from belljar_tui.jars.attached import Attached
from belljar_tui.jars.engine import Engine, Json


class ServiceOutput:
    """Of one container; the log is never longer than the disk can bear."""

    def __init__(self, engine: Engine, container: str, log_path: str) -> None:
        self._engine = engine
        self._container = container
        self._log_path = log_path
        self._ended_s = 0.0
        """The engine's clock when the last life was over, and all it had said was in the engine's log."""
        self._attached: Attached | None = None

    def saw_end(self, died: Json) -> None:
        """`died`: the engine's event of it."""
        self._ended_s = int(died["timeNano"]) / 1e9

    async def attach(self) -> None:
        """Before the first start. Raises EngineError."""
        self._attached = await self._engine.attach(self._container)

    async def attach_again(self) -> None:
        """Before the next start, where the engine's log cannot be read; it may be too late. Raises EngineError."""
        if not await self._engine.has_log(self._container):
            await self.attach()

    async def keep(self) -> None:
        """Of the life that begins, until its end. Raises EngineError."""
        attached, self._attached = self._attached, None
        said = attached.frames() if attached is not None else self._engine.log_since(self._container, self._ended_s)
        log = ServiceLog(self._log_path)
        try:
            async for _, data in said:
                os.write(log.descriptor, data)
                log.trim()
        finally:
            os.close(log.descriptor)
            if attached is not None:
                attached.close()
