"""What is to be attached to and how, found out and seen to its end."""

from __future__ import annotations

import asyncio

import msgspec

from belljar_tui.core.check import IMAGE_CHECK
from belljar_tui.core.model import Seal, Wanted
from belljar_tui.errors import NoSuchImage, UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.asked import Asked, Attached
from belljar_tui.headless.opening import open_session
from belljar_tui.headless.picking import pick
from belljar_tui.headless.showing import show
from belljar_tui.jars.clone import Clone, clone_from
from belljar_tui.jars.engine import Engine, Json
from belljar_tui.jars.target import Target, find, owner_of
from belljar_tui.jars.waiting_agent import HOST, SIDECAR, WaitingAgent
from belljar_tui.jars.ways import why_not_host
from belljar_tui.wire.messages import Checks

AUTO = "auto"


def see(
    target: str | None,
    waiting: WaitingAgent | None,
    *,
    via: str,
    name: str | None,
    health: Checks,
    seal: str,
    headless: bool,
    journal: str | None,
) -> int:
    """Returns the exit code. Raises BellJarError.

    Args:
        waiting: an agent for `host`; of use as long as that is the way.
    """
    found, chosen = asyncio.run(_found(target or pick(may_ask=not headless), via))
    if not health.checks and found.has_own_check:
        health = msgspec.structs.replace(health, checks=(IMAGE_CHECK,))
    asked = Asked(
        name=name or found.name.replace(" ", "-"),
        command=found.command,
        health=health,
        wanted=Wanted(seal=Seal(seal)),
        journal=journal,
        added=chosen.clone.variables if chosen.clone else (),
        attached=Attached(found, chosen.way, waiting if chosen.way == HOST else None, chosen.clone),
    )
    if chosen.way == SIDECAR and waiting is not None:
        waiting.dismiss()
    if chosen.why:
        diagnostics.note(f"belljar: attaching to {found.name} via {chosen.way}: {chosen.why}")
    return show(lambda: open_session(asked), headless=headless)


class _Chosen(msgspec.Struct, frozen=True):
    way: str
    why: str = ""
    clone: Clone | None = None


async def _found(text: str, via: str) -> tuple[Target, _Chosen]:
    target = await find(text)
    if not target.container:
        if via == SIDECAR:
            raise UsageError("A process that no engine knows is entered via host; a sidecar is a container's.")
        return target, _Chosen(HOST)
    engine = await Engine.connect()
    try:
        container = await engine.container(target.container)
        why_not = why_not_host(container, owner_of(container))
        if why_not:
            await find(text)  # one that has stopped since is told as that
        clone = await _clone(engine, container)
    finally:
        await engine.close()
    if via == HOST and why_not:
        raise UsageError(
            f"{target.name} cannot be entered via host: {why_not}.", remedy="Let it be a sidecar: --via sidecar"
        )
    if via == AUTO:
        why = why_not or "this is the engine's own machine"
        return target, _Chosen(SIDECAR if why_not else HOST, why, clone)
    return target, _Chosen(via, clone=clone)


async def _clone(engine: Engine, container: Json) -> Clone | None:
    try:
        return clone_from(container, await engine.image(str(container["Image"])))
    except NoSuchImage:  # it was removed from under the container: nobody can start another one
        return None
