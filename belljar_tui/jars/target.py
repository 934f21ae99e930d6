"""What is to be attached to: a running container or a process, found by what a person calls it, and fit for it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from belljar_tui.errors import EngineError, NoEngine, NoSuchContainer, TargetUnfit, UsageError
from belljar_tui.jars.engine import Engine, Json
from belljar_tui.jars.labels import SESSION

PROJECT, SERVICE, NUMBER = (
    "com.docker.compose.project",
    "com.docker.compose.service",
    "com.docker.compose.container-number",
)
_LIST = "See which there are: belljar attach   (or: docker ps)"
_ID = re.compile(r"[0-9a-f]+")
_OTHERS_NAMED = 8


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A service that runs. One of `container` and `pid` says which."""

    name: str
    """The container's, or `process PID`."""
    container: str = ""
    """Its whole id."""
    pid: int = 0
    """Of a process that is not found through an engine."""
    command: tuple[str, ...] = ()
    image: str = ""
    has_own_check: bool = False
    """The container has a HEALTHCHECK."""
    labels: dict[str, str] = {}

    def is_same(self, name: str, labels: dict[str, str]) -> bool:
        """Whether a container of that name and these labels would take this one's place."""
        if labels.get(PROJECT) and all(labels.get(key) == self.labels.get(key) for key in (PROJECT, SERVICE, NUMBER)):
            return True
        return name == self.name


async def find(text: str) -> Target:
    """What `text` names. Raises UsageError, EngineError or TargetUnfit, and then nothing was touched."""
    if text.startswith("pid:"):
        return process_target(text.removeprefix("pid:"))
    if _is_pid(text):
        return await _process_or_container(text)
    return await _container_target(text)


async def _process_or_container(text: str) -> Target:
    try:
        container = await _container_target(text)
    except (EngineError, TargetUnfit, UsageError):
        return process_target(text)
    raise UsageError(
        f"{text} is both a process and the container {container.name} ({container.container[:12]}).",
        remedy=f"Write pid:{text} for the process, or the container's name.",
    )


async def _container_target(text: str) -> Target:
    engine = await Engine.connect()
    try:
        found = await one_of(engine, text)
        container = await engine.container(found)
        require_fit(container)
        return target_of(container)
    finally:
        await engine.close()


async def one_of(engine: Engine, text: str) -> str:
    """Id of the one container meant. Raises NoSuchContainer or UsageError."""
    listed = await engine.containers({})
    found = list(dict.fromkeys(each["Id"] for each in _matching(listed, text)))
    running = [each for each in listed if each["Id"] in found and each["State"] in ("running", "paused", "restarting")]
    if len(running) == 1 or (not running and len(found) == 1):
        return str(running[0]["Id"]) if running else str(found[0])
    if not found:
        raise NoSuchContainer(f"There is no container or Compose service {text}.", remedy=_LIST)
    several = running or [each for each in listed if each["Id"] in found]
    names = "\n".join(f"  {name_of(each)}  {each['Id'][:12]}  {each['Image']}" for each in several)
    raise UsageError(
        f"{text} could be {len(several)} containers:\n{names}", remedy="Name one of them by its name or id."
    )


def _matching(listed: Sequence[Json], text: str) -> Iterator[Json]:
    """Whatever `text` may mean: a name, a whole id or the beginning of one, a service, project/service."""
    project, slash, service = text.partition("/")
    for each in listed:
        labels = each.get("Labels") or {}
        if SESSION in labels:
            continue
        names = [name.lstrip("/") for name in each.get("Names") or ()]
        is_service = slash and (labels.get(PROJECT), labels.get(SERVICE)) == (project, service)
        is_id = _ID.fullmatch(text) is not None and each["Id"].startswith(text)
        if text in names or is_service or is_id or labels.get(SERVICE) == text:
            yield each


def name_of(listed: Json) -> str:
    """A listed container's own name; the others are links to it."""
    names = [str(name).lstrip("/") for name in listed.get("Names") or ()]
    return next((name for name in names if "/" not in name), listed["Id"][:12])


def target_of(container: Json) -> Target:
    """Of an inspected container."""
    config = container["Config"]
    check = config.get("Healthcheck") or {}
    return Target(
        name=str(container["Name"]).lstrip("/"),
        container=str(container["Id"]),
        command=(container["Path"], *container["Args"]),
        image=str(config["Image"]),
        has_own_check=bool(check.get("Test")) and check["Test"][0] != "NONE",
        labels=config.get("Labels") or {},
    )


def require_fit(container: Json) -> None:
    """Whether there is something to seal. Raises UsageError or TargetUnfit, saying why not."""
    name, state = str(container["Name"]).lstrip("/"), container["State"]
    if state.get("Restarting"):
        raise TargetUnfit(
            f"{name} is between two restarts.", f"It ended with code {state.get('ExitCode')}.", "Try again in a moment."
        )
    if not state["Running"]:
        raise TargetUnfit(f"{name} does not run.", "attach seals what runs.", f"Start it: docker start {name}")
    if state.get("Paused"):
        raise TargetUnfit(
            f"{name} is paused: it would call nothing.", remedy=f"Let it go on first: docker unpause {name}"
        )
    mode = container["HostConfig"]["NetworkMode"]
    if mode == "host":
        raise UsageError(
            f"{name} uses the host's own network, which cannot be sealed.",
            "A cut there would cut the host.",
            "Give it a network of its own, or try it in one: belljar run --image IMAGE --network NAME",
        )
    if mode == "none":
        raise UsageError(f"{name} has no network (network mode none): there is nothing to cut.")
    if not mode.startswith("container:") and not container["NetworkSettings"]["Networks"]:
        raise TargetUnfit(
            f"{name} is on no network any more: there is nothing to cut.",
            "It was disconnected from those it was started with.",
            f"Connect it: docker network connect NETWORK {name}",
        )


def owner_of(container: Json) -> str:
    """Id or name of the container whose network namespace this one uses; empty where it is its own."""
    kind, colon, owner = str(container["HostConfig"]["NetworkMode"]).partition(":")
    return owner if kind == "container" and colon else ""


class Company(msgspec.Struct, frozen=True):
    """Who lives in the target's network namespace."""

    owner: str = ""
    """Name of the container whose it is, where that is another one."""
    others: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    """Of the owner."""


async def company_of(engine: Engine, container: Json) -> Company:
    """What the engine knows of it."""
    holder = container
    if owner_of(container):
        holder = await engine.container(owner_of(container))
    listed = await engine.containers({"status": ["running"]})
    mode = f"container:{holder['Id']}"
    inside = [each for each in listed if each["HostConfig"].get("NetworkMode") == mode or each["Id"] == holder["Id"]]
    others = [each for each in inside if each["Id"] != container["Id"] and SESSION not in (each.get("Labels") or {})]
    return Company(
        owner=str(holder["Name"]).lstrip("/") if holder is not container else "",
        others=tuple(sorted(name_of(each) for each in others)),
        networks=tuple(holder["NetworkSettings"]["Networks"] or {}),
    )


def process_target(text: str) -> Target:
    """A process in a network namespace of its own. Raises UsageError or TargetUnfit."""
    if not text.isdigit() or not Path("/proc", text).is_dir():
        raise UsageError(f"There is no process {text}.")
    pid = int(text)
    try:
        namespace = _netns(pid)
        hosts = {_netns(os.getpid())}
    except OSError as error:
        raise TargetUnfit(
            f"The namespaces of process {pid} are closed to this user.",
            str(error.strerror).lower(),
            "Run belljar as root (sudo).",
        ) from error
    with contextlib.suppress(OSError):
        hosts.add(_netns(1))
    if namespace in hosts:
        raise UsageError(
            f"Process {pid} is in the host's own network namespace, which cannot be sealed.",
            "A cut there would cut the host.",
            f"Run it in a jar instead: belljar run -- {' '.join(_command(pid)) or 'COMMAND'}",
        )
    return Target(name=f"process {pid}", pid=pid, command=_command(pid))


def company_of_process(pid: int) -> Company:
    """Other processes in its network namespace, those it started left out."""
    own, others = {pid}, []
    with contextlib.suppress(OSError):
        namespace = _netns(pid)
        for each in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
            with contextlib.suppress(OSError, ValueError, IndexError):
                if each == pid or _netns(each) != namespace:
                    continue
                stat = Path(f"/proc/{each}/stat").read_text()
                if int(stat.rpartition(")")[2].split()[1]) in own:
                    own.add(each)
                else:
                    others.append(f"{stat.partition('(')[2].rpartition(')')[0]} ({each})")
    more = [f"and {len(others) - _OTHERS_NAMED} more"] if len(others) > _OTHERS_NAMED else []
    return Company(others=(*others[:_OTHERS_NAMED], *more))


def names_of_running() -> list[str]:
    """Names, services and the like of everything that could be attached to, for completion. Empty without an engine."""
    try:
        return asyncio.run(_names())
    except (NoEngine, EngineError):
        return []


async def _names() -> list[str]:
    return [name_of(each) for each in await running()]


async def running() -> list[Json]:
    """Every container that runs, as the engine lists them; our own left out. Raises EngineError."""
    engine = await Engine.connect()
    try:
        listed = await engine.containers({"status": ["running"]})
    finally:
        await engine.close()
    return sorted((each for each in listed if SESSION not in (each.get("Labels") or {})), key=name_of)


def _is_pid(text: str) -> bool:
    return text.isdigit() and len(text) < 8 and Path("/proc", text).is_dir()


def _netns(pid: int) -> int:
    return os.stat(f"/proc/{pid}/ns/net").st_ino  # noqa: PTH116


def _command(pid: int) -> tuple[str, ...]:
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return ()
    return tuple(word.decode(errors="replace") for word in words if word)
