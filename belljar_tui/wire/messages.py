"""What the user's side tells the agent. One JSON object a line, tag `message`; an empty one is a beat (`wire.silence`).
The agent answers with events (`core.events`), so there is no second vocabulary for what happened."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from belljar_tui.core.model import Wanted


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Message(msgspec.Struct, frozen=True, tag_field="message", tag=_snake, forbid_unknown_fields=True):
    pass


class Place(StrEnum):
    """Where the agent lives, and so what of the jar is its work."""

    NATIVE = "native"
    """PID 1 of fresh namespaces: it lays the mounts, raises loopback and starts the service as its child."""
    CONTAINER = "container"
    """A container whose namespaces the engine made: the service is another container, and we are told of it."""
    ATTACHED = "attached"
    """The namespaces of a service that ran before and will run on: nothing of theirs is ours but the table."""


class Neighbour(msgspec.Struct, frozen=True):
    """A container on the jar's networks, as the engine has it."""

    name: str
    """What the service would most likely call it: its Compose service, else an alias, else its own name."""
    names: tuple[str, ...] = ()
    """Every name it answers to, `name` among them."""
    addresses: tuple[str, ...] = ()
    """On the jar's networks; of one that stopped, the last known."""
    is_up: bool = True


class Checks(msgspec.Struct, frozen=True):
    """How health is measured."""

    checks: tuple[str, ...] = ()
    """`http://localhost:8080/ready`, `tcp://localhost:5432`, `exec:CMD`."""
    every_s: float = 0.5
    timeout_s: float = 2.0
    healthy_for: int = 2
    """Healthy = all checks pass this many times in a row."""


class Prepare(Message, frozen=True):
    """First message: seal the jar with `wanted`, prove it, then start `service` where there is one."""

    service: tuple[str, ...]
    """Command line; where the agent is attached, that of what runs already."""
    wanted: Wanted = Wanted()
    health: Checks = Checks()
    environment: dict[str, str] = {}
    directory: str = "/"
    user: int = 0
    """The uid the service sees itself as, and its gid: the caller's own."""
    group: int = 0
    nameservers: tuple[str, ...] = ()
    """Upstream name servers as `address` or `address#port`; empty: names cannot be resolved."""
    search: tuple[str, ...] = ()
    """Search domains of the resolver file the service sees."""
    forwarded: tuple[int, ...] = ()
    """TCP ports of the jar's loopback that lead out (to the host's loopback): dependencies, not internal."""
    wait_for_network_s: float = 0.0
    """How long to wait for a default route before starting the service."""
    log_path: str = ""
    """Where the service's output goes; empty: nowhere."""
    clock_zero: float = 0.0
    """CLOCK_MONOTONIC at the session's start, seconds; `at` counts from here (one clock per machine)."""
    is_waiting: bool = False
    """Do not start the service before Begin: a jar made ahead of its trial."""
    machine_sockets: int = -1
    """Descriptor, inherited, of a netlink socket that tells of the machine's unix sockets; -1: there is none."""
    place: Place = Place.NATIVE
    target: int = 0
    """Where the agent is attached: the service's first process as the agent sees it; 0: the first there is."""
    boot_id: str = ""
    """Of the kernel that `clock_zero` counts on; an agent on another kernel counts from `sent_at_s` instead."""
    has_virtual_addresses: bool = False
    """Of names that share an address, each but the first is given one of the jar's own, and can be cut alone."""
    sent_at_s: float = 0.0
    """Seconds since the session's start when this message was sent."""
    silence_s: float = 0.0
    """An agent on another kernel that has heard nothing for so long lets go, or ends the jar; 0: never."""


class Enter(Message, frozen=True):
    """Before Prepare, to an agent that waits outside of a target: the namespaces to enter, as paths; empty: stay."""

    net: str
    pid: str = ""
    user: str = ""


class Begin(Message, frozen=True):
    """Start the service of a waiting jar, with this wanted state in force from its first instruction."""

    wanted: Wanted
    environment: dict[str, str] = {}
    """Beside what Prepare said."""
    log_path: str = ""
    """Where the service's output goes; empty: as Prepare said."""


class Want(Message, frozen=True):
    """The whole wanted state, to be applied in one batch."""

    wanted: Wanted


class Finish(Message, frozen=True):
    """End the service (SIGTERM, then SIGKILL after `grace_s`; with 0 SIGKILL at once) and leave."""

    grace_s: float = 2.0


class ServiceBegan(Message, frozen=True):
    """The service's container was started. Only where the agent lives in one of its own, as the next three."""

    command: tuple[str, ...]


class ServiceEnded(Message, frozen=True):
    """The service's container has ended."""

    code: int
    """Exit code; negative is a signal's number."""


class CheckAnswered(Message, frozen=True):
    """What a check said that only the engine can run: `exec:`, or the image's own."""

    check: str
    """The command of an `exec:` check, or `image:healthcheck`."""
    code: int
    """0 passes."""
    said: str = ""


class NeighboursKnown(Message, frozen=True):
    """Every container on the jar's networks, as of now."""

    neighbours: tuple[Neighbour, ...]


AnyMessage = Prepare | Enter | Begin | Want | Finish | ServiceBegan | ServiceEnded | CheckAnswered | NeighboursKnown

_decoder: msgspec.json.Decoder[AnyMessage] = msgspec.json.Decoder(AnyMessage)
_encoder = msgspec.json.Encoder()


def encode(message: AnyMessage) -> bytes:
    """One JSON object without a line end."""
    return _encoder.encode(message)


def decode(line: bytes | str) -> AnyMessage:
    """Raises msgspec.ValidationError or msgspec.DecodeError when `line` is not a message."""
    return _decoder.decode(line)
