"""The words of the design as types: dependency ids, endpoints, verdicts, and the whole wanted state."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from enum import StrEnum
from typing import Annotated, Self

import msgspec

from belljar_tui.errors import BadDependencyId


class Protocol(StrEnum):
    """How the service reaches a dependency. `DNS` is name service as a whole."""

    TCP = "tcp"
    UDP = "udp"
    ICMP = "icmp"
    UNIX = "unix"
    DNS = "dns"


class Mode(StrEnum):
    """How a cut fails, as its caller meets it."""

    REFUSE = "refuse"
    """At once: TCP reset, ICMP port unreachable for the rest; established flows are destroyed."""
    BLACKHOLE = "blackhole"
    """Silence: packets are dropped, on new and on established flows."""
    RESET = "reset"
    """Whoever is there hangs up: established flows are reset, and so is what comes after; or a flow after N bytes."""
    UNREACHABLE = "unreachable"
    """At once: ICMP host unreachable; established flows hang."""
    DNS = "dns"
    """The name does not resolve; addresses that are known stay reachable."""
    SLOW = "slow"
    """Everything works, late: a delay on each round trip, a limit on the bandwidth (a lane)."""
    HANG = "hang"
    """Accepted, then never a byte (a lane); established flows are silent."""
    FLAKY = "flaky"
    """A fraction of new calls fails in another mode; established flows go on."""


class How(StrEnum):
    """How a host of a lab fails, in a drill."""

    DEAD = "dead"
    """Nothing listens there: refused at once."""
    HANG = "hang"
    """It accepts, and says nothing."""
    SLOW = "slow"
    """It answers, late."""
    COLD = "cold"
    """It starts from nothing, and waits for those it needs."""


class Answer(StrEnum):
    """What a name that does not resolve is answered with."""

    NXDOMAIN = "nxdomain"
    SERVFAIL = "servfail"
    NONE = "none"
    """No answer: the resolver library waits, asks again, and gives up."""


Fraction = Annotated[float, msgspec.Meta(ge=0.001, le=1.0)]
ByteCount = Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]
Delay = Annotated[float, msgspec.Meta(ge=0, le=3600)]
_SLOW_S = 1.0


class Settings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a cut's mode leaves open, and how long the cut lasts. Which belong to which mode says `core.failures`."""

    answer: Answer = Answer.NXDOMAIN
    """dns: what the name is answered with."""
    fraction: Fraction = 0.5
    """flaky: how many of the new calls fail, in steps of a thousandth."""
    fails_by: Mode = Mode.REFUSE
    """flaky: how they fail."""
    after_bytes: ByteCount | None = None
    """reset: calls are accepted, and a flow is reset once so many bytes went over it."""
    delay_s: Delay | None = None
    """slow: by how much each round trip is longer, the one of connecting too; absent: 1 s, or 0 beside a bandwidth."""
    jitter_s: Delay = 0.0
    """slow: the delay is anything from so much less to so much more."""
    bytes_per_s: ByteCount | None = None
    """slow: the most that all flows to the dependency carry together, each way."""
    until: float | None = None
    """When the cut ends by itself, in seconds on the session's clock."""

    @property
    def slow_by_s(self) -> float:
        """The delay that holds."""
        if self.delay_s is not None:
            return self.delay_s
        return _SLOW_S if self.bytes_per_s is None else 0.0


class Seal(StrEnum):
    """What happens to a dependency nobody has decided about."""

    OPEN = "open"
    VACUUM = "vacuum"


class Health(StrEnum):
    """The service's health from all checks."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


UNIX_MODES = (Mode.REFUSE, Mode.BLACKHOLE)
"""How a unix socket can fail: no packet goes to it that could be reset or be told that there is no way. Under a seal
of another mode it refuses."""

NAME_SERVICE = "dns:"
"""The id of name service as a whole. The vacuum seal leaves it open unless it is cut by itself:
without names nobody could say *what* was blocked."""


class Dependency(msgspec.Struct, frozen=True, order=True):
    """A remote end the service calls. `str()` gives the id, `parse` reads one."""

    protocol: Protocol
    host: str
    """A name or a raw address, lower case; a path for `unix`; empty for `dns`."""
    port: int = 0
    """0 where the protocol has no ports."""

    def __str__(self) -> str:
        match self.protocol:
            case Protocol.DNS:
                return NAME_SERVICE
            case Protocol.UNIX:
                return f"unix:{self.host}"
            case Protocol.ICMP:
                return f"icmp://{_bracketed(self.host)}"
            case Protocol.TCP | Protocol.UDP:
                return f"{self.protocol}://{_bracketed(self.host)}:{self.port}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read an id such as `tcp://orders-db:5432`, `icmp://gw`, `unix:/run/docker.sock` or `dns:`.

        Raises:
            BadDependencyId: the text is not an id; the message says what one looks like.
        """
        if text == NAME_SERVICE:
            return cls(Protocol.DNS, "")
        if text.startswith("unix:/"):
            return cls(Protocol.UNIX, text.removeprefix("unix:"))
        scheme, separator, rest = text.partition("://")
        if not separator or scheme not in ("tcp", "udp", "icmp"):
            raise BadDependencyId(text, "it starts with none of tcp:// udp:// icmp:// unix:/ dns:")
        protocol = Protocol(scheme)
        host, port = _split(text, rest)
        if protocol is Protocol.ICMP:
            if port is not None:
                raise BadDependencyId(text, "icmp has no port")
            return cls(protocol, host)
        if port is None:
            raise BadDependencyId(text, "the port is missing")
        return cls(protocol, host, port)

    @property
    def label(self) -> str:
        """What a row shows: the host, the path, or `name service`."""
        return "name service" if self.protocol is Protocol.DNS else self.host


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _split(text: str, rest: str) -> tuple[str, int | None]:
    """Host and port of `host`, `host:port` or `[v6]:port`."""
    if rest.startswith("["):
        host, bracket, tail = rest[1:].partition("]")
        if not bracket or (tail and not tail.startswith(":")) or not _is_v6(host):
            raise BadDependencyId(text, "the bracketed IPv6 address is not one")
        digits = tail.removeprefix(":")
        has_port = bool(tail)
    else:
        host, colon, digits = rest.partition(":")
        has_port = bool(colon)
    if not host or any(c.isspace() or c in "/[]@" or not c.isprintable() for c in host):
        raise BadDependencyId(text, "the host is missing or has a character no host has")
    if not has_port:
        return host.lower(), None
    if not (digits.isascii() and digits.isdigit() and 1 <= int(digits) <= 65535 and len(digits) <= 5):
        raise BadDependencyId(text, f"the port {digits!r} is not a number from 1 to 65535")
    return host.lower(), int(digits)


class Reach(StrEnum):
    """Whom calls to a dependency go to."""

    HOST = "host"
    MULTICAST = "multicast"
    """Whoever has joined the group."""
    BROADCAST = "broadcast"
    """Everybody on the network."""


def reach_of(address: str, broadcasts: Collection[str] = ()) -> Reach:
    """Whom an address reaches; `broadcasts` are those of the networks that the jar is on."""
    if address == "255.255.255.255" or address in broadcasts:
        return Reach.BROADCAST
    return Reach.MULTICAST if ipaddress.ip_address(address).is_multicast else Reach.HOST


def is_address(host: str) -> bool:
    """Whether a dependency's host is a raw address, not a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_v6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


class Endpoint(msgspec.Struct, frozen=True, order=True):
    """An address, protocol and port behind a dependency. Port 0 where the protocol has none."""

    address: str
    protocol: Protocol
    port: int

    def __str__(self) -> str:
        return f"{self.protocol} {_bracketed(self.address)}:{self.port}"


class Wanted(msgspec.Struct, frozen=True):
    """The whole wanted state. The agent is always told all of it, so a lost or repeated message is harmless."""

    seal: Seal = Seal.OPEN
    seal_mode: Mode = Mode.REFUSE
    """How the vacuum seal fails an undecided dependency."""
    cuts: dict[str, Mode] = msgspec.field(default_factory=dict[str, Mode])
    """Dependency id -> how it is cut."""
    opens: frozenset[str] = frozenset()
    """Dependency ids that stay open under a vacuum seal."""
    settings: dict[str, Settings] = msgspec.field(default_factory=dict[str, Settings])
    """Dependency id -> what its cut's mode leaves open, where that is not the default."""

    def mode_of(self, dependency: str) -> Mode | None:
        """How `dependency` (an id) fails under this state; None when it is open."""
        if dependency in self.cuts:
            return self.cuts[dependency]
        if self.seal is Seal.OPEN or dependency in self.opens or dependency == NAME_SERVICE:
            return None
        return Mode.REFUSE if dependency.startswith("unix:") and self.seal_mode not in UNIX_MODES else self.seal_mode

    def settings_of(self, dependency: str) -> Settings:
        """The parameters of its cut; a seal has none."""
        return self.settings.get(dependency, Settings()) if dependency in self.cuts else Settings()

    def until(self, dependency: str) -> float | None:
        """When the cut of `dependency` ends by itself."""
        return self.settings_of(dependency).until

    def without(self, dependencies: Collection[str]) -> Wanted:
        """The same with these not cut by themselves (a seal may still hold them)."""
        if not self.cuts.keys() & set(dependencies):
            return self
        cuts = {identity: mode for identity, mode in self.cuts.items() if identity not in dependencies}
        settings = {identity: each for identity, each in self.settings.items() if identity in cuts}
        return msgspec.structs.replace(self, cuts=cuts, settings=settings)

    def at(self, now: float) -> Wanted:
        """What is left of it at a moment (seconds on the session's clock): cuts whose time is up are gone."""
        return self.without([d for d in self.settings if (until := self.until(d)) is not None and until <= now])

    @property
    def lasting(self) -> Wanted:
        """The same without the cuts that have a time limit."""
        return self.without([d for d in self.settings if self.until(d) is not None])
