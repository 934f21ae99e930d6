"""The options of a service that is a container. They read like those of `docker run`."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from belljar_tui.core.check import IMAGE_CHECK
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.jars.plan import Plan
from belljar_tui.wire.messages import Checks

Command = TypeVar("Command", bound=Callable[..., Any])
_SIZE = re.compile(r"(\d+)([bkmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


class Bytes(click.ParamType[int]):
    """512m, 2g, as `docker run` reads them."""

    name = "bytes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        read = _SIZE.fullmatch(str(value))
        if read is None:
            self.fail(f"{value!r} is no size. Write it like 512m or 2g.", param, ctx)
        return int(read[1]) * _UNITS[read[2].lower()]


class Mount(click.ParamType[str]):
    """SOURCE:PATH[:ro]; a relative source is a path of this folder."""

    name = "mount"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        source, colon, rest = str(value).partition(":")
        if not colon or not source or not rest.startswith("/"):
            self.fail(f"{value!r} is no mount. Write it like ./conf:/conf:ro or volume:/data.", param, ctx)
        if source.startswith((".", "~")):
            source = str(Path(source).expanduser().resolve())
        return f"{source}:{rest}"


class ContainerAsked(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says of the service's container."""

    image: str | None = None
    network: tuple[str, ...] = ()
    network_alias: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    volume: tuple[str, ...] = ()
    without_mount: tuple[str, ...] = ()
    publish: tuple[str, ...] = ()
    user: str | None = None
    workdir: str | None = None
    entrypoint: str | None = None
    memory: int | None = None
    cpus: float | None = None
    own_pid: bool = False


def container_options(command: Command) -> Command:
    """What `docker run` would be told."""
    for option in (
        click.option("--own-pid", is_flag=True, help="With --image: leave the service PID 1 of a PID namespace of its "
                     "own. Calls cannot be tied to processes then."),
        click.option("--cpus", type=click.FloatRange(0.01), help="With --image: limit of processors."),
        click.option("--memory", "-m", type=Bytes(), help="With --image: limit of memory, like 512m."),
        click.option("--entrypoint", metavar="PROGRAM", help="With --image: instead of the image's."),
        click.option("--workdir", "-w", metavar="PATH", help="With --image: the service's working folder."),
        click.option("--user", "-u", metavar="USER[:GROUP]", help="With --image: who the service is."),
        click.option("--publish", "-p", multiple=True, metavar="[[IP:]PORT:]PORT",
                     help="With --image: publish a port of the service to the host. Repeat for several."),
        click.option("--without-mount", multiple=True, metavar="PATH",
                     help="With --image: leave this mount away, and with it the hole it is in the seal."),
        click.option("--volume", "-v", multiple=True, type=Mount(), metavar="SOURCE:PATH[:ro]",
                     help="With --image: mount a file, a folder or a volume. Repeat for several."),
        click.option("--dns", multiple=True, metavar="ADDRESS",
                     help="With --image: ask this name server. Repeat for several."),
        click.option("--network-alias", multiple=True, metavar="NAME",
                     help="With --image: what others on its networks may call the service."),
        click.option("--network", multiple=True, metavar="NETWORK",
                     help="With --image: join this network. Repeat for several."),
        click.option("--image", metavar="IMAGE", help="Run a container of this image, with COMMAND if there is one."),
    ):  # fmt: skip
        command = option(command)
    return command


def plan_of(asked: ContainerAsked, command: Sequence[str], settings: Sequence[str]) -> Plan | None:
    """The service's container; None without --image. Raises UsageError for options that go with an image only."""
    if asked.image is None:
        for name, value in msgspec.structs.asdict(asked).items():
            if value:
                raise UsageError(
                    f"--{name.replace('_', '-')} goes with --image.", remedy="Name an image: --image IMAGE"
                )
        return None
    return Plan(
        image=asked.image,
        command=tuple(command),
        entrypoint=asked.entrypoint,
        networks=asked.network,
        aliases=asked.network_alias,
        dns=asked.dns,
        environment=tuple(_setting(each) for each in settings),
        mounts=asked.volume,
        without_mounts=asked.without_mount,
        ports=asked.publish,
        user=asked.user or "",
        directory=asked.workdir or "",
        memory_bytes=asked.memory or 0,
        cpus=asked.cpus or 0.0,
        has_own_pid=asked.own_pid,
    )


def looked_up(plan: Plan, health: Checks) -> tuple[Plan, tuple[str, ...], Checks, str]:
    """The plan, what will run, how health is measured, and the image's digest. Raises EngineError or UsageError."""
    from belljar_tui.jars.docker import look_up

    with ThreadPoolExecutor(1) as apart:  # a loop of its own: whoever asks may have one running
        found = apart.submit(lambda: asyncio.run(look_up(plan, diagnostics.note))).result()
    if not health.checks and found.has_own_check:
        health = msgspec.structs.replace(health, checks=(IMAGE_CHECK,))
    return plan, found.command, health, found.digest


def name_of(image: str) -> str:
    """`shop/checkout:1.4` is checkout."""
    return image.rpartition("/")[2].partition("@")[0].partition(":")[0] or image


def _setting(text: str) -> str:
    name, equals, _ = text.partition("=")
    if not name:
        raise UsageError(f"-e {text}: the name is missing.", remedy="Write it like -e NAME=VALUE")
    if equals:
        return text
    if name not in os.environ:
        raise UsageError(f"-e {name}: there is no such variable.", remedy=f"Give it a value: -e {name}=VALUE")
    return f"{name}={os.environ[name]}"
