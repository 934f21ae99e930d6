"""`belljar agent-image`: what is asked of the engine itself."""

from __future__ import annotations

import asyncio

from belljar_tui.headless import diagnostics
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.jars import agent_image
from belljar_tui.jars.engine import Engine


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
