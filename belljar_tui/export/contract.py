"""What a profile knows, ready to be said in another tool's words. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from belljar_tui.core.model import Dependency, Endpoint, Mode, Protocol
from belljar_tui.core.profile import DependencyEvidence, Profile, Verdict, claim_of
from belljar_tui.errors import BadDependencyId, CannotExport

LOOPBACK = ("127.0.0.1", "::1")


class Exported(msgspec.Struct, frozen=True):
    """A file for another tool."""

    text: str
    notes: tuple[str, ...] = ()
    """What the format cannot say, or says otherwise, about this profile: a sentence each."""


class Contract(msgspec.Struct, frozen=True):
    """A profile, and where its members are."""

    profile: Profile
    claim: str
    members: tuple[Dependency, ...]
    """The working set, sorted by id."""
    sealed: tuple[str, ...]
    """Ids of the known dependencies outside the working set, sorted."""
    cut_sets: tuple[frozenset[str], ...]
    never_called: frozenset[str]
    """Ids about which nothing was learned."""
    evidence: Mapping[str, DependencyEvidence]
    """Id -> what it showed."""
    resolved: Mapping[str, Sequence[str]] = {}
    """Host -> its addresses, where they were looked up for this export."""

    @classmethod
    def of(cls, profile: Profile, resolved: Mapping[str, Sequence[str]] | None = None) -> Contract:
        """Read a profile without flaws."""
        members = {str(d): d for d in map(Dependency.parse, profile.allow)}
        evidence = {canonical(one.id): one for one in profile.evidence.dependencies}
        never_called = frozenset(map(canonical, profile.evidence.never_exercised))
        return cls(
            profile,
            claim_of(profile),
            tuple(members[identity] for identity in sorted(members)),
            tuple(sorted((never_called | set(evidence)) - set(members))),
            tuple(frozenset(map(canonical, cut)) for cut in profile.evidence.cut_sets),
            never_called,
            evidence,
            resolved or {},
        )

    @property
    def has_names(self) -> bool:
        """Whether name service is a member."""
        return any(member.protocol is Protocol.DNS for member in self.members)

    def endpoints(self, dependency: Dependency) -> tuple[Endpoint, ...]:
        """Where a TCP, UDP or ICMP dependency is, sorted; empty when nobody knows.

        Raises:
            CannotExport: what the profile recorded is not an endpoint.
        """
        if is_address(dependency.host):
            return (_at(dependency.host, dependency),)
        if dependency.host in self.resolved:
            return _sorted(_at(address, dependency) for address in self.resolved[dependency.host])
        recorded = self.evidence.get(str(dependency))
        texts = recorded.endpoints if recorded else ()
        found = _sorted(e for text in texts if (e := parse_endpoint(text)).protocol is dependency.protocol)
        if not found and is_local(dependency.host):
            return tuple(_at(address, dependency) for address in LOOPBACK)
        return found

    def required_endpoints(self, dependency: Dependency, wanted_by: str) -> tuple[Endpoint, ...]:
        """The same. Raises CannotExport when there is none, too; `wanted_by` says what needs one."""
        if found := self.endpoints(dependency):
            return found
        raise CannotExport(
            f"No address is known for {dependency}.",
            f"{wanted_by} knows addresses, not names, and the profile recorded none for it.",
            "Save the profile from a session in which the service calls it, or add --resolve to look names up now.",
        )

    def sealed_dependencies(self) -> tuple[Dependency, ...]:
        """The sealed ones whose ids can be read (an outside trial command may name its own as it likes)."""
        return tuple(d for identity in self.sealed if (d := _read(identity)) is not None)

    def verdict(self, identity: str, mode: Mode) -> Verdict | None:
        """What cutting it alone in this mode told; None when that was not tried."""
        return self.evidence[identity].verdicts.get(mode) if identity in self.evidence else None

    def hanging(self) -> tuple[str, ...]:
        """Sealed ids that the service can miss when they are refused, but not when they are silent."""
        return tuple(one for one in self.sealed if self._needs_an_answer(one))

    def _needs_an_answer(self, identity: str) -> bool:
        return any(self.verdict(identity, mode) is Verdict.NEEDED for mode in (Mode.BLACKHOLE, Mode.HANG))

    def sharing(self) -> tuple[tuple[str, str, Endpoint], ...]:
        """Sealed ids on an endpoint of a member, which addresses cannot tell apart: (sealed, member, endpoint)."""
        owners = {e: str(m) for m in self.members if has_address(m) for e in self._readable(m)}
        sealed = [(d, e) for d in self.sealed_dependencies() if has_address(d) for e in self._readable(d)]
        return tuple((str(d), owners[e], e) for d, e in sealed if e in owners)

    def addresses_for_names(self) -> str:
        """What to know where members' names are written as addresses; empty when no member has a name."""
        named = [str(member) for member in self.members if is_looked_up(member)]
        if not named:
            return ""
        where = "looked up just now" if self.resolved else "that the session called, and no others"
        return f"Names stand here as the addresses {where}; when those change, export again: {', '.join(named)}."

    def _readable(self, dependency: Dependency) -> tuple[Endpoint, ...]:
        try:
            return self.endpoints(dependency)
        except CannotExport:
            return ()


def canonical(identity: str) -> str:
    """An id as BellJar writes it, however a person wrote it; as it is when it is nobody's of ours."""
    dependency = _read(identity)
    return identity if dependency is None else str(dependency)


def parse_endpoint(text: str) -> Endpoint:
    """Read `tcp 10.77.1.10:5432` or `tcp [fd77:1::11]:9000`. Raises CannotExport."""
    protocol, _, place = text.partition(" ")
    address, _, port = place.rpartition(":")
    address = address.removeprefix("[").removesuffix("]")
    is_port = port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535
    if protocol not in ("tcp", "udp", "icmp") or not is_address(address) or not is_port:
        remedy = "It should look like tcp 10.77.1.10:5432 or udp [fd77:1::11]:53. Save the profile again."
        raise CannotExport(f"The profile's evidence has {text!r}, which is not an endpoint.", remedy=remedy)
    return Endpoint(plain_address(address), Protocol(protocol), int(port))


def is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def plain_address(host: str) -> str:
    """The address as packets carry it: no zone, and IPv4 where IPv6 only wraps it."""
    address = ipaddress.ip_address(host)
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ipaddress.IPv6Address(address.packed))


def is_local(host: str) -> bool:
    """Whether a host is the caller's own loopback."""
    if is_address(host):
        return ipaddress.ip_address(plain_address(host)).is_loopback
    return host == "localhost" or host.endswith(".localhost")


def has_address(dependency: Dependency) -> bool:
    """Whether packets go to an address of its own."""
    return dependency.protocol in (Protocol.TCP, Protocol.UDP, Protocol.ICMP)


def is_looked_up(dependency: Dependency) -> bool:
    """Whether reaching it begins with a lookup of its name."""
    return has_address(dependency) and not is_address(dependency.host) and not is_local(dependency.host)


def _at(address: str, dependency: Dependency) -> Endpoint:
    return Endpoint(plain_address(address), dependency.protocol, dependency.port)


def _sorted(endpoints: Iterable[Endpoint]) -> tuple[Endpoint, ...]:
    """IPv4 before IPv6, then by number."""
    unique = set(endpoints)
    return tuple(sorted(unique, key=lambda e: (":" in e.address, ipaddress.ip_address(e.address).packed, e.port)))


def _read(identity: str) -> Dependency | None:
    try:
        return Dependency.parse(identity)
    except BadDependencyId:
        return None
