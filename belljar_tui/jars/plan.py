"""What a jar of containers is to be: the service's container as asked for, and both containers as the engine's API
wants them (Docker's API reference, "create a container").

The agent's container holds the network (and PID) namespace, and so the networks, their aliases and the published
ports; the service's joins it. Whatever else was asked for is the service's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from belljar_tui.errors import UsageError
from belljar_tui.jars.labels import labels_of

Json = dict[str, Any]
DEFAULT_NETWORK = "bridge"
AGENT_COMMAND = ("python3", "-S", "-P", "-c", "from belljar_tui.agent.jar import run; run()")
AGENT_MAY = ("NET_ADMIN", "SYS_PTRACE")
"""To make the table and destroy sockets; to see whose a socket is. Everything else is dropped."""
_SERVICE_MAY_NOT = ("NET_ADMIN", "NET_RAW")
"""Raw sockets would pass the seal; the first is not in the engine's default set, and must not come in."""
_CHECKED_EVERY_NS = 1_000_000_000
"""The image's own check is asked this often at least: an image's 30 s are made for a long life, not for a trial."""
IMAGE_DEFAULT_NS = 30_000_000_000
"""How often the engine asks where the image does not say."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A service's container, in the words of `docker run`."""

    image: str
    command: tuple[str, ...] = ()
    """Empty: the image's own."""
    entrypoint: str | None = None
    """None: the image's own; empty: none."""
    networks: tuple[str, ...] = ()
    """Names; empty: the engine's default network."""
    aliases: tuple[str, ...] = ()
    """What others on the networks may call the service."""
    dns: tuple[str, ...] = ()
    """Name servers instead of the engine's own choice."""
    environment: tuple[str, ...] = ()
    """`NAME=VALUE`."""
    mounts: tuple[str, ...] = ()
    """`SOURCE:PATH[:OPTIONS]`; a source without a slash is a volume."""
    without_mounts: tuple[str, ...] = ()
    """Paths or sources of mounts that are left away."""
    ports: tuple[str, ...] = ()
    """`[[IP:]HOST:]CONTAINER[/PROTOCOL]`."""
    user: str = ""
    directory: str = ""
    memory_bytes: int = 0
    cpus: float = 0.0
    hosts: tuple[str, ...] = ()
    """`NAME:ADDRESS`, for the service's /etc/hosts."""
    tmpfs: tuple[str, ...] = ()
    """`PATH[:OPTIONS]`."""
    labels: dict[str, str] = {}
    """Of the service's container, beside ours."""
    has_own_pid: bool = False
    """The service is PID 1 of a namespace of its own, out of the agent's sight."""

    @property
    def kept_mounts(self) -> tuple[str, ...]:
        return tuple(mount for mount in self.mounts if not set(mount.split(":")[:2]) & set(self.without_mounts))


def require_sensible(plan: Plan) -> None:
    """Raises UsageError saying what cannot be."""
    for network in plan.networks:
        kind = network.partition(":")[0]
        if kind == "host":
            raise UsageError(
                "--network host cannot be sealed: it is the host's own network.",
                "A cut there would cut the host.",
                "Name a network that containers have of their own: docker network ls",
            )
        if kind in ("container", "service"):
            raise UsageError(
                f"--network {network} cannot be sealed: that network is another container's, and a cut would be too.",
                remedy="Name a network: docker network ls",
            )
    if "none" in plan.networks and len(plan.networks) > 1:
        raise UsageError("--network none goes with no other network.")
    mounted = {part for mount in plan.mounts for part in mount.split(":")[:2]}
    for path in plan.without_mounts:
        if path not in mounted:
            raise UsageError(f"--without-mount {path}: nothing is mounted there.", remedy="Name a path that -v names.")
    _ports(plan)


def agent_config(plan: Plan, image: str, session: str) -> Json:
    """The agent's container: all it may do, and nothing more."""
    network = plan.networks[0] if plan.networks else DEFAULT_NETWORK
    bindings = _ports(plan)
    return {
        "Image": image,
        "Cmd": list(AGENT_COMMAND),
        "Labels": labels_of(session, "agent"),
        "StopSignal": "SIGKILL",  # as PID 1 it hears no other, and has nothing to put in order
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "ExposedPorts": {port: {} for port in bindings},
        "HostConfig": {
            "AutoRemove": True,
            "CapDrop": ["ALL"],
            "CapAdd": list(AGENT_MAY),
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "LogConfig": {"Type": "none"},
            "NetworkMode": network,
            "Dns": list(plan.dns),
            "ExtraHosts": list(plan.hosts),
            "PortBindings": bindings,
        },
        "NetworkingConfig": {"EndpointsConfig": {network: {"Aliases": list(plan.aliases)}} if plan.aliases else {}},
    }


def service_config(
    plan: Plan, agent: str, session: str, *, environment: Mapping[str, str], own_check: Json | None
) -> Json:
    """The service's container. `own_check`: the image's HEALTHCHECK where it is to be run, as the image has it."""
    config: Json = {
        "Image": plan.image,
        "Labels": {**plan.labels, **labels_of(session, "service")},
        "Env": [*plan.environment, *(f"{name}={value}" for name, value in environment.items())],
        "AttachStdout": True,
        "AttachStderr": True,
        "Healthcheck": _hurried(own_check) if own_check is not None else {"Test": ["NONE"]},
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": f"container:{agent}",
            "CapDrop": list(_SERVICE_MAY_NOT),
            "Binds": list(plan.kept_mounts),
            "Tmpfs": {path: options for path, _, options in (each.partition(":") for each in plan.tmpfs)},
            "Memory": plan.memory_bytes,
            "NanoCpus": round(plan.cpus * 1e9),
        },
    }
    if not plan.has_own_pid:
        config["HostConfig"]["PidMode"] = f"container:{agent}"
    if plan.command:
        config["Cmd"] = list(plan.command)
    if plan.entrypoint is not None:
        config["Entrypoint"] = [plan.entrypoint] if plan.entrypoint else [""]
    if plan.user:
        config["User"] = plan.user
    if plan.directory:
        config["WorkingDir"] = plan.directory
    return config


def command_of(plan: Plan, image: Json) -> tuple[str, ...]:
    """The command line that will run, from what was asked and what the image says."""
    config = image["Config"]
    if plan.entrypoint is not None:
        entrypoint = [plan.entrypoint] if plan.entrypoint else []
        command = plan.command
    else:
        entrypoint = config.get("Entrypoint") or []
        command = plan.command or config.get("Cmd") or ()
    return (*entrypoint, *command)


def own_check_of(image: Json) -> Json | None:
    """The image's HEALTHCHECK; None when it has none, or says there is to be none."""
    check: Json | None = image["Config"].get("Healthcheck")
    return check if check and check.get("Test") and check["Test"][0] != "NONE" else None


def _hurried(check: Json) -> Json:
    interval = check.get("Interval") or IMAGE_DEFAULT_NS
    return {**check, "Interval": min(interval, _CHECKED_EVERY_NS)}


def _ports(plan: Plan) -> dict[str, Any]:
    if not plan.ports:
        return {}
    from docker.utils.ports import build_port_bindings  # the SDK is heavy, and a plan may never be carried out
    from docker.utils.utils import convert_port_bindings

    try:
        bindings: dict[str, Any] = convert_port_bindings(build_port_bindings(list(plan.ports)))
    except ValueError as error:
        raise UsageError(
            f"-p: {error}", remedy="Write it like -p 8080:80, -p 127.0.0.1:8080:80 or -p 53:53/udp"
        ) from error
    return bindings
