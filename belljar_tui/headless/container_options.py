"""The options of a service that is a container. They read like those of `docker run`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Coroutine, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.options import complete_targets
from belljar_tui.jars.plan import Plan

if TYPE_CHECKING:
    from belljar_tui.jars.beginning import Found
    from belljar_tui.jars.clone import Clone

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")
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
    from_container: str | None = None
    """A container whose configuration is taken; what is said beside it is instead or in addition."""
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

    @property
    def is_any(self) -> bool:
        """Whether there is to be a container at all."""
        return self.image is not None or self.from_container is not None


def container_options(command: Command) -> Command:
    """What `docker run` would be told."""
    for option in (
        click.option("--own-pid", is_flag=True, help="With --image or --from: leave the service PID 1 of a PID "
                     "namespace of its own. Calls cannot be tied to processes then."),
        click.option("--cpus", type=click.FloatRange(0.01), help="With --image or --from: limit of processors."),
        click.option("--memory", "-m", type=Bytes(), help="With --image or --from: limit of memory, like 512m."),
        click.option("--entrypoint", metavar="PROGRAM", help="With --image or --from: instead of the image's."),
        click.option("--workdir", "-w", metavar="PATH", help="With --image or --from: the service's working folder."),
        click.option("--user", "-u", metavar="USER[:GROUP]", help="With --image or --from: who the service is."),
        click.option("--publish", "-p", multiple=True, metavar="[[IP:]PORT:]PORT",
                     help="With --image or --from: publish a port of the service to the host. Repeat for several."),
        click.option("--without-mount", multiple=True, metavar="PATH",
                     help="With --image or --from: leave this mount away, and with it the hole it is in the seal."),
        click.option("--volume", "-v", multiple=True, type=Mount(), metavar="SOURCE:PATH[:ro]",
                     help="With --image or --from: mount a file, a folder or a volume. Repeat for several."),
        click.option("--dns", multiple=True, metavar="ADDRESS",
                     help="With --image or --from: ask this name server. Repeat for several."),
        click.option("--network-alias", multiple=True, metavar="NAME",
                     help="With --image or --from: what others on its networks may call the service."),
        click.option("--network", multiple=True, metavar="NETWORK",
                     help="With --image or --from: join this network. Repeat for several."),
        click.option("--from", "from_container", metavar="CONTAINER", shell_complete=complete_targets,
                     help="Run a clone of this container: its image, command, variables, mounts, networks and limits. "
                     "The container stays as it is. The other options change or add."),
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
                    f"--{name.replace('_', '-')} goes with --image or --from.", remedy="Name an image: --image IMAGE"
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


def cloned(
    asked: ContainerAsked, source: str, command: Sequence[str], settings: Sequence[str]
) -> tuple[str, Plan, Clone]:
    """Name of the container that `source` names, the plan of its clone, and what that was made from.

    Raises UsageError or EngineError.
    """
    from belljar_tui.jars.clone import clone_named

    if asked.image is not None:
        raise UsageError("--image and --from are two ways to say what is to run.", remedy="Give one of them.")
    name, clone = _apart(clone_named(source))
    for line in _notes(name, clone, asked.without_mount):
        diagnostics.note(line)
    plan = clone.plan
    changes = {
        "command": tuple(command) or (plan.command if asked.entrypoint is None else ()),
        "entrypoint": plan.entrypoint if asked.entrypoint is None else asked.entrypoint,
        "networks": asked.network or plan.networks,
        "aliases": asked.network_alias,
        "dns": asked.dns or plan.dns,
        "environment": tuple(_merged([*clone.settings, *(_setting(each) for each in settings)])),
        "mounts": (*plan.mounts, *asked.volume),
        "without_mounts": asked.without_mount,
        "ports": asked.publish,
        "user": asked.user or plan.user,
        "directory": asked.workdir or plan.directory,
        "memory_bytes": asked.memory or plan.memory_bytes,
        "cpus": asked.cpus or plan.cpus,
        "has_own_pid": asked.own_pid,
    }
    return name, msgspec.structs.replace(plan, **changes), clone


def _notes(name: str, clone: Clone, without: Sequence[str]) -> Iterator[str]:
    """What a person should know of the clone before it runs."""
    if clone.not_carried:
        yield f"belljar: the clone of {name} does without {', '.join(clone.not_carried)}"
    for mount in clone.shared:
        path = mount.split(":")[1]
        if not set(mount.split(":")[:2]) & set(without):
            yield f"belljar: {name} and its clone both may write to {path}; leave it away with --without-mount {path}"


def _merged(settings: Sequence[str]) -> Iterator[str]:
    """The last of each name."""
    yield from {each.partition("=")[0]: each for each in settings}.values()


def looked_up(plan: Plan) -> Found:
    """What the engine has for it. Raises EngineError or UsageError."""
    from belljar_tui.jars.beginning import look_up

    return _apart(look_up(plan, diagnostics.note))


def _apart(work: Coroutine[Any, Any, T]) -> T:
    """Run it in a loop of its own: whoever asks may have one running."""
    import asyncio  # `--help` needs neither
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as apart:
        return apart.submit(asyncio.run, work).result()


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
