"""`belljar agent-image` and `belljar clean`: what is asked of the engine itself."""

from __future__ import annotations

import asyncio

from belljar_tui.headless import diagnostics, printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.jars import agent_image, leftovers
from belljar_tui.jars.engine import Engine
from belljar_tui.jars.reaching import HERE, address

__all__ = ["HERE", "address", "build_agent_image", "clean", "what_is_left"]


def build_agent_image(base: str | None) -> int:
    """Returns the exit code. Raises BellJarError."""
    chosen = base or agent_image.DEFAULT_BASE
    diagnostics.note(f"belljar: building {agent_image.TAG} on {chosen}")
    asyncio.run(_build(chosen))
    return Exit.HOLDS


async def _build(base: str) -> None:
    engine = await Engine.connect()
    try:
        await agent_image.build(engine, base)
    finally:
        await engine.close()


def clean() -> int:
    """Returns the exit code. Raises BellJarError."""
    removed = asyncio.run(_clean())
    if not removed:
        diagnostics.note("belljar: no killed session left anything in the engine")
    for each in removed:
        printer.line(f"removed {each.name} ({each.part} of session {each.session}, {each.status.lower()})".encode())
    return Exit.HOLDS


def what_is_left() -> tuple[str, list[leftovers.Leftover]]:
    """The engine's version, and what killed sessions left. Raises EngineError."""
    return asyncio.run(_look())


async def _look() -> tuple[str, list[leftovers.Leftover]]:
    engine = await Engine.connect()
    try:
        return str((await engine.version())["Version"]), await leftovers.find(engine)
    finally:
        await engine.close()


async def _clean() -> list[leftovers.Leftover]:
    engine = await Engine.connect()
    try:
        found = await leftovers.find(engine)
        await leftovers.remove(engine, found)
        return found
    finally:
        await engine.close()
