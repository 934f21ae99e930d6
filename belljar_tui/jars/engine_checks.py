"""Checks that only the engine can run: a command in the service's container, and the image's own HEALTHCHECK."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from belljar_tui.core.check import EXEC, IMAGE, Check, parse_check
from belljar_tui.errors import EngineError
from belljar_tui.jars.engine import Json
from belljar_tui.jars.plan import IMAGE_DEFAULT_NS
from belljar_tui.wire.messages import CheckAnswered, Checks

_OFTEN_S = 2.0
_SHELL = "/bin/sh"
_NOT_RUN = (126, 127)
_NO_SHELL = f"the container has no {_SHELL}, so no command can be its check: take http:// or tcp://"

Tell = Callable[[CheckAnswered], Awaitable[None]]


class Executes(Protocol):
    """What runs a command where the service is."""

    async def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Exit code and output. Raises EngineError."""

    async def container(self, name: str) -> Json:
        """As the engine has it. Raises EngineError."""


class EngineChecks:
    """Answers each such check again and again; the agent judges."""

    def __init__(self, engine: Executes, container: str, health: Checks, tell: Tell) -> None:
        self._engine = engine
        self._container = container
        self._every_s = health.every_s
        self._checks = [check for text in health.checks if (check := parse_check(text)).kind in (EXEC, IMAGE)]
        self._tell = tell
        self._asking: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._asking = [asyncio.create_task(self._ask(check)) for check in self._checks]

    def stop(self) -> None:
        """Safe to call twice."""
        for task in self._asking:
            task.cancel()

    async def _ask(self, check: Check) -> None:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            try:
                code, said = await (self._executed(check) if check.kind == EXEC else self._state_of_health())
            except EngineError as error:  # the container is on its way out: its end is told by others
                code, said = 1, error.why or error.what
            await self._tell(CheckAnswered(check.command or str(check), code, said))
            await asyncio.sleep(max(0.0, self._every_s - (clock() - began)))

    async def _executed(self, check: Check) -> tuple[int, str]:
        code, said = await self._engine.execute(self._container, (_SHELL, "-c", check.command))
        has_no_shell = code in _NOT_RUN and f'"{_SHELL}"' in said
        return code, _NO_SHELL if has_no_shell else said

    async def _state_of_health(self) -> tuple[int, str]:
        """As the engine has it, with the last probe's own words."""
        container = await self._engine.container(self._container)
        health = container["State"].get("Health") or {}
        last = (health.get("Log") or [{}])[-1]
        status = str(health.get("Status", "none"))
        said = str(last.get("Output", "")).strip() or status
        return (0 if status == "healthy" else 1), said + _how_rarely(container)


def _how_rarely(container: Json) -> str:
    """How old an answer may be, where the engine asks so seldom that a person would wonder."""
    every_s = ((container["Config"].get("Healthcheck") or {}).get("Interval") or IMAGE_DEFAULT_NS) / 1e9
    return f" (asked every {every_s:g} s)" if every_s > _OFTEN_S else ""
