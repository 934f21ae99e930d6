"""What the command line asks to have run: a program of this machine, a container of an image, or a clone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from belljar_tui.core.model import Wanted
from belljar_tui.errors import UsageError
from belljar_tui.headless.container_options import ContainerAsked, cloned, looked_up, name_of, plan_of
from belljar_tui.headless.opening import Asked
from belljar_tui.headless.options import environment_of
from belljar_tui.jars.plan import Plan
from belljar_tui.wire.messages import Checks


def asked_for(
    command: Sequence[str],
    container: ContainerAsked,
    *,
    name: str | None,
    health: Checks,
    forward: Sequence[int],
    settings: Sequence[str],
    wanted: Wanted | None = None,
    journal: str | None = None,
) -> Asked:
    """Raises UsageError when it makes no sense, EngineError when the engine cannot do it."""
    added = tuple(setting.partition("=")[0] for setting in settings)
    plan: Plan | None
    if container.from_container is not None:
        called, plan, clone = cloned(container, container.from_container, command, settings)
        added = tuple(dict.fromkeys((*clone.variables, *added)))
        if clone.check and not health.checks:
            health = msgspec.structs.replace(health, checks=(clone.check,))
    else:
        plan = plan_of(container, command, settings)
        called = name_of(plan.image) if plan is not None else ""
    if plan is None:
        if not command:
            raise UsageError("What is to be run?", remedy="Give a command: belljar run -- COMMAND, or --image IMAGE")
        return Asked(
            name=name or Path(command[0]).name,
            command=tuple(command),
            health=health,
            wanted=wanted or Wanted(),
            environment=environment_of(settings),
            added=added,
            forward=tuple(forward),
            journal=journal,
        )
    if forward:
        raise UsageError(
            "--forward leads to this machine's loopback, which a container has no way to.",
            remedy="Join the network of what it calls: --network NAME",
        )
    plan, runs, health, digest = looked_up(plan, health)
    return Asked(
        name=name or called,
        command=runs,
        health=health,
        wanted=wanted or Wanted(),
        added=added,
        journal=journal,
        plan=plan,
        digest=digest,
    )
