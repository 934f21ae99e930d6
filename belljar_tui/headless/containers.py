"""Containers in profiles: written down so that they can be started again, and started again."""

from __future__ import annotations

import os

import msgspec

from belljar_tui.core.check import IMAGE_CHECK
from belljar_tui.core.profile import Container, Limits, Profile
from belljar_tui.headless import diagnostics
from belljar_tui.headless.container_options import looked_up
from belljar_tui.jars.plan import Plan

_MB = 1 << 20


def with_container(profile: Profile, plan: Plan, digest: str) -> Profile:
    """The profile of a service that ran as `plan` says. Ports are left out: a proof needs none."""
    container = Container(
        image=plan.image,
        digest=digest,
        entrypoint=plan.entrypoint,
        networks=plan.networks,
        aliases=plan.aliases,
        dns=plan.dns,
        mounts=plan.kept_mounts,
        tmpfs=plan.tmpfs,
        hosts=plan.hosts,
        user=plan.user,
        directory=plan.directory,
        own_pid=plan.has_own_pid,
    )
    service = msgspec.structs.replace(profile.service, command=plan.command, container=container)
    if plan.memory_bytes or plan.cpus:
        limits = Limits(memory_mb=-(-plan.memory_bytes // _MB) or None, cpus=plan.cpus or None)
        service = msgspec.structs.replace(service, limits=limits)
    return msgspec.structs.replace(profile, service=service)


def with_own_check(profile: Profile, check: str) -> Profile:
    """The profile of a container whose HEALTHCHECK is not its image's: another one would not have it."""
    healthy = profile.healthy
    checks = tuple(check if each == IMAGE_CHECK else each for each in healthy.checks)
    return msgspec.structs.replace(profile, healthy=msgspec.structs.replace(healthy, checks=checks))


def plan_of_profile(profile: Profile) -> Plan | None:
    """The container to start; None where the service is none. Variables that are not set here are left out."""
    service, container = profile.service, profile.service.container
    if container is None:
        return None
    return Plan(
        image=container.image,
        command=service.command,
        entrypoint=container.entrypoint,
        networks=container.networks,
        aliases=container.aliases,
        dns=container.dns,
        environment=tuple(f"{name}={os.environ[name]}" for name in service.environment if name in os.environ),
        mounts=container.mounts,
        tmpfs=container.tmpfs,
        hosts=container.hosts,
        user=container.user,
        directory=container.directory,
        memory_bytes=(service.limits.memory_mb or 0) * _MB,
        cpus=service.limits.cpus or 0.0,
        has_own_pid=container.own_pid,
    )


def command_of_profile(profile: Profile, plan: Plan) -> tuple[str, ...]:
    """What will run. Says so when the image is another than the profile's. Raises EngineError."""
    found = looked_up(plan)
    known = profile.service.container.digest if profile.service.container is not None else ""
    if known and known != found.digest:
        now = _short(found.digest)
        diagnostics.note(f"belljar: {plan.image} has changed since the profile: it was {_short(known)}, and is {now}")
    return found.command


def _short(digest: str) -> str:
    """As the engine's own lists show it."""
    return digest.removeprefix("sha256:")[:12]
