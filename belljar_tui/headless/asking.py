"""What the command line asks to have run: a program of this machine, a container of an image, or a clone."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from belljar_tui.core.check import IMAGE_CHECK
from belljar_tui.core.model import Wanted
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.asked import Asked
from belljar_tui.headless.container_options import ContainerAsked, cloned, looked_up, name_of, plan_of
from belljar_tui.headless.options import environment_of
from belljar_tui.jars.early import EarlyAgent
from belljar_tui.jars.plan import Plan, require_sensible
from belljar_tui.wire.messages import Checks

if TYPE_CHECKING:
    from belljar_tui.jars.beginning import Beginning, Found


class Ahead:
    """What is asked for, begun while the rest of BellJar loads. What no jar has taken over is gone at the end."""

    def __init__(self) -> None:
        self.beginning: Beginning | None = None

    def look(self, plan: Plan) -> Found:
        """What the engine has for it; the jar's first container is on its way. Raises EngineError or UsageError."""
        require_sensible(plan)
        session = os.urandom(6).hex()
        early = EarlyAgent.begin(plan, session)
        try:
            from belljar_tui.jars.beginning import Beginning  # loaded while the engine starts that

            self.beginning = Beginning(plan, diagnostics.note, session, early)
        except BaseException:  # nobody else knows of it yet
            if early is not None:
                early.dismiss()
            raise
        return self.beginning.found()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self.beginning is not None:
            self.beginning.dismiss()


def require_something(command: Sequence[str], container: ContainerAsked) -> None:
    """Raises UsageError when there is nothing to run."""
    if not command and container.image is None and container.from_container is None:
        raise UsageError("What is to be run?", remedy="Give a command: belljar run -- COMMAND, or --image IMAGE")


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
    look: Callable[[Plan], Found] = looked_up,
) -> Asked:
    """Raises UsageError when it makes no sense, EngineError when the engine cannot do it."""
    require_something(command, container)
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
    found = look(plan)
    if not health.checks and found.has_own_check:
        health = msgspec.structs.replace(health, checks=(IMAGE_CHECK,))
    return Asked(
        name=name or called,
        command=found.command,
        health=health,
        wanted=wanted or Wanted(),
        added=added,
        journal=journal,
        plan=plan,
        digest=found.digest,
    )
