"""What a session that was killed left in the engine. There should be nothing: see `jars.docker`."""

from __future__ import annotations

import asyncio

import msgspec

from belljar_tui.jars.engine import Engine
from belljar_tui.jars.labels import PART, SESSION


class Leftover(msgspec.Struct, frozen=True):
    """A container of a session that nobody runs any more."""

    id: str
    name: str
    session: str
    part: str
    """`agent` or `service`."""
    status: str
    """In the engine's words: `Up 3 minutes`."""


async def find(engine: Engine) -> list[Leftover]:
    """Containers of ours whose agent does not run. While it does, somebody holds its stdin: the session lives."""
    listed = await engine.containers({"label": [SESSION]})
    living = {
        each["Labels"][SESSION]
        for each in listed
        if each["Labels"].get(PART) == "agent" and each.get("State") == "running"
    }
    return [
        Leftover(
            id=str(each["Id"]),
            name=str((each.get("Names") or [each["Id"][:12]])[0]).lstrip("/"),
            session=str(each["Labels"][SESSION]),
            part=str(each["Labels"].get(PART, "")),
            status=str(each.get("Status", "")),
        )
        for each in listed
        if each["Labels"][SESSION] not in living
    ]


async def remove(engine: Engine, leftovers: list[Leftover]) -> None:
    """Remove them. Raises EngineError."""
    await asyncio.gather(*(engine.remove(each.id) for each in leftovers))
