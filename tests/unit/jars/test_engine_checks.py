"""Checks that the engine runs for us."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from belljar_tui.jars.engine import Json
from belljar_tui.jars.engine_checks import EngineChecks
from belljar_tui.wire.messages import CheckAnswered, Checks

NO_SHELL = 'OCI runtime exec failed: exec: "/bin/sh": stat /bin/sh: no such file or directory: unknown'


class Room:
    """Answers every command with this."""

    def __init__(self, code: int, said: str) -> None:
        self._answer = code, said

    async def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        return self._answer

    async def container(self, name: str) -> Json:
        return {}


def answered(code: int, said: str) -> CheckAnswered:
    """What the agent is told of a check whose command came to this."""

    async def first() -> CheckAnswered:
        told: asyncio.Queue[CheckAnswered] = asyncio.Queue()
        checks = EngineChecks(Room(code, said), "it", Checks(checks=("exec:true",)), told.put)
        checks.start()
        try:
            return await told.get()
        finally:
            checks.stop()

    return asyncio.run(first())


def test_an_image_without_a_shell_is_called_that_with_what_to_do() -> None:
    for code in (126, 127):
        assert "has no /bin/sh" in answered(code, NO_SHELL).said
        assert "tcp://" in answered(code, NO_SHELL).said


def test_a_command_that_fails_has_its_own_words() -> None:
    assert answered(127, "sh: nonsuch: not found").said == "sh: nonsuch: not found"
    assert answered(0, "ready").said == "ready"
