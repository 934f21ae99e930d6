"""How a container was started, as a plan for another one like it that leaves the first alone.

What would take the first one's calls stays with it: published ports, and its aliases, which lead the clone to itself.
What the clone is to Compose is what `docker compose run` makes: a one-off container of the service.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

import msgspec

from belljar_tui.errors import NoSuchImage, UsageError
from belljar_tui.jars.engine import Engine, Json
from belljar_tui.jars.plan import DEFAULT_NETWORK, Plan
from belljar_tui.jars.target import PROJECT, SERVICE, one_of

_ONE_OFF = "com.docker.compose.oneoff"
_ANONYMOUS = re.compile(r"[0-9a-f]{64}")
_NOT_CARRIED = {
    "Privileged": "--privileged",
    "CapAdd": "--cap-add",
    "CapDrop": "--cap-drop",
    "Devices": "--device",
    "DeviceRequests": "--gpus",
    "GroupAdd": "--group-add",
    "ReadonlyRootfs": "--read-only",
    "SecurityOpt": "--security-opt",
    "Sysctls": "--sysctl",
    "Ulimits": "--ulimit",
}
"""What may make the clone behave otherwise, by its name in the engine's API."""


class Clone(msgspec.Struct, frozen=True):
    plan: Plan
    """Without the values of variables, ports and aliases: another one must not take the first one's calls."""
    settings: tuple[str, ...]
    """`NAME=VALUE` of the variables it was given beside its image's. Never to be written down."""
    digest: str
    check: str = ""
    """Its own health check as one of ours, where that is not the image's."""
    not_carried: tuple[str, ...] = ()
    """Options of `docker run` that a clone does without."""

    @property
    def variables(self) -> tuple[str, ...]:
        return tuple(each.partition("=")[0] for each in self.settings)

    @property
    def shared(self) -> tuple[str, ...]:
        """Mounts that both may write to."""
        return tuple(each for each in self.plan.mounts if "ro" not in each.split(":")[2:])

    def __repr__(self) -> str:
        return f"Clone({self.plan!r}, {self.variables!r}, {self.digest!r})"


async def clone_named(text: str) -> tuple[str, Clone]:
    """Name and clone of the container that `text` names; it need not run. Raises UsageError or EngineError."""
    engine = await Engine.connect()
    try:
        container = await engine.container(await one_of(engine, text))
        name = str(container["Name"]).lstrip("/")
        _require_own_network(name, container)
        try:
            image = await engine.image(str(container["Image"]))
        except NoSuchImage as error:
            raise NoSuchImage(
                f"The image that {name} was started from is gone.",
                "It was removed from under the container; another one cannot be started.",
                f"Get it again ({container['Config']['Image']}), and use belljar run --image.",
            ) from error
        return name, clone_from(container, image, has_name=await _is_still(engine, container))
    finally:
        await engine.close()


def clone_from(container: Json, image: Json, *, has_name: bool = True) -> Clone:
    """Of an inspected container and its inspected image: what the image says by itself is not said again.

    Args:
        has_name: the image's name still means that image, so the plan may say it.
    """
    given, own, host = container["Config"], image["Config"] or {}, container["HostConfig"]
    entrypoint, command = _program(given, own)
    networks = tuple(container["NetworkSettings"]["Networks"] or {})
    digests = image.get("RepoDigests") or []
    plan = Plan(
        image=str(given["Image"] if has_name else image["Id"]),
        command=command,
        entrypoint=entrypoint,
        networks=() if networks == (DEFAULT_NETWORK,) else networks,
        dns=tuple(host.get("Dns") or ()),
        mounts=tuple(_mounts(container)),
        hosts=(*(host.get("ExtraHosts") or ()), *_itself(container)),
        tmpfs=tuple(f"{path}:{options}" if options else path for path, options in (host.get("Tmpfs") or {}).items()),
        user=_unless_same(given, own, "User"),
        directory=_unless_same(given, own, "WorkingDir"),
        memory_bytes=int(host.get("Memory") or 0),
        cpus=_cpus(host),
        labels=_compose_labels(given.get("Labels") or {}),
    )
    settings = sorted(set(given.get("Env") or ()) - set(own.get("Env") or ()))
    return Clone(
        plan,
        tuple(settings),
        str(digests[0].rpartition("@")[2] if digests else image["Id"]),
        check=_check(given, own),
        not_carried=tuple(name for key, name in _NOT_CARRIED.items() if host.get(key)),
    )


def _require_own_network(name: str, container: Json) -> None:
    """Raises UsageError."""
    kind, _, owner = str(container["HostConfig"]["NetworkMode"]).partition(":")
    if kind == "host":
        raise UsageError(
            f"{name} uses the host's own network, which cannot be sealed.",
            remedy="Try it in one of its own: belljar run --image IMAGE --network NAME",
        )
    if kind == "container":
        raise UsageError(
            f"{name} lives in the network of another container ({owner[:12]}), and so would its clone.",
            "A cut there would be a cut for both.",
            "Seal it where it is (belljar attach), or clone the other one.",
        )


async def _is_still(engine: Engine, container: Json) -> bool:
    """Whether the name of its image still means the one it was started from."""
    try:
        return bool((await engine.image(str(container["Config"]["Image"])))["Id"] == container["Image"])
    except NoSuchImage:
        return False


def _program(given: Json, own: Json) -> tuple[str | None, tuple[str, ...]]:
    """Entrypoint and command, where they are not the image's."""
    entrypoint, command = given.get("Entrypoint") or [], given.get("Cmd") or []
    if entrypoint == (own.get("Entrypoint") or []):
        return None, () if command == (own.get("Cmd") or []) else tuple(command)
    return (entrypoint[0], (*entrypoint[1:], *command)) if entrypoint else ("", tuple(command))


def _mounts(container: Json) -> Iterator[str]:
    """Anonymous volumes are left out: the engine makes fresh ones for the clone where the image wants them."""
    for each in container.get("Mounts") or ():
        is_volume = each.get("Type") == "volume"
        source = each["Name"] if is_volume else each.get("Source")
        if each.get("Type") in ("bind", "volume") and source and not (is_volume and _ANONYMOUS.fullmatch(source)):
            yield f"{source}:{each['Destination']}" + ("" if each.get("RW") else ":ro")


def _itself(container: Json) -> Iterator[str]:
    """Its own names on its networks, which lead it to itself: the clone too, and others still to the first."""
    ends = (container["NetworkSettings"]["Networks"] or {}).values()
    names = {alias for end in ends for alias in end.get("Aliases") or () if alias != str(container.get("Id", ""))[:12]}
    yield from (f"{name}:127.0.0.1" for name in sorted(names))


def _cpus(host: Json) -> float:
    """Compose's `cpus`, or the quota that older tools write."""
    if host.get("NanoCpus"):
        return float(host["NanoCpus"]) / 1e9
    period = host.get("CpuPeriod") or 100_000
    return max(0, host.get("CpuQuota") or 0) / period


def _compose_labels(given: dict[str, str]) -> dict[str, str]:
    """One-off: `docker compose up` neither counts nor removes it, `docker compose down` does."""
    found = {key: given[key] for key in (PROJECT, SERVICE) if key in given}
    return {**found, _ONE_OFF: "True"} if found else {}


def _check(given: Json, own: Json) -> str:
    """A HEALTHCHECK that was given to the container, and not by its image, as a command in it."""
    check = given.get("Healthcheck") or {}
    kind, *words = check.get("Test") or [""]
    if not words or check.get("Test") == (own.get("Healthcheck") or {}).get("Test"):
        return ""
    return f"exec:{words[0] if kind == 'CMD-SHELL' else shlex.join(words)}"


def _unless_same(given: Json, own: Json, field: str) -> str:
    value = str(given.get(field) or "")
    return "" if value == (own.get(field) or "") else value
