"""`nft`: a ruleset for the network namespace of the service, without BellJar: `nsenter -t PID -n nft -f FILE`.

It seals the output of that whole namespace: the working set passes, over TCP, UDP and ICMP, IPv4 and IPv6, and so do
replies to the service's own callers, loopback, and name service when `dns:` is a member. The rest fails as the
profile's `sealed` mode says, counted. Loading it again replaces it.

It cannot say: names (addresses are those of the evidence, or looked up with --resolve; when they change, export
again), Unix sockets, and two dependencies on one endpoint apart. Pings that are sealed, and datagrams of flows older
than the rules, meet EPERM.

Needs nftables 1.0 and Linux 5.7 (counters of set elements).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from belljar_tui.core.model import Dependency, Endpoint, Mode, Protocol
from belljar_tui.export.comment import heading
from belljar_tui.export.contract import Contract, Exported, has_address, is_local
from belljar_tui.export.names import slug

_COMMENT_BYTES = 120
"""nft allows 128 bytes in a comment and has no escapes in it."""

Elements = dict[str, list[str]]
"""An element of a set -> the dependencies behind it."""

_FAILING = {
    Mode.REFUSE: ["meta l4proto tcp counter reject with tcp reset", "counter reject with icmpx port-unreachable"],
    Mode.BLACKHOLE: ["counter drop"],
    Mode.UNREACHABLE: ["counter reject with icmpx host-unreachable"],
}
_FAILING[Mode.HANG] = _FAILING[Mode.BLACKHOLE]  # nobody is there who could accept
_FAILING[Mode.RESET] = _FAILING[Mode.REFUSE]  # what sets it apart are flows that were there before
_DATAGRAM_FAILING = {mode: rules[-1] for mode, rules in _FAILING.items()}
_ASIDE = "udp dport 1 ct status dnat"
"""Sealed datagrams: the port they are led to, and that they were led there."""
_NAMES = "meta l4proto { tcp, udp } th dport 53"
_FAMILIES = (("4", "ip", "ipv4_addr", "icmp"), ("6", "ip6", "ipv6_addr", "ipv6-icmp"))


def export(contract: Contract) -> Exported:
    notes = tuple(_notes(contract))
    table = f"belljar_{slug(contract.profile.name).replace('-', '_')}"
    purpose = (
        "The working set as an nftables ruleset. It seals everything that runs in the network namespace it is loaded "
        "into, so load it into the service's own: nsenter --target PID --net nft --file FILE. Counters: nft list table "
        f"inet {table}. Undo: nft delete table inet {table}."
    )
    lines = ["#!/usr/sbin/nft -f", *heading(contract, purpose, notes), ""]
    # Made before it is deleted, so that the first load finds one to delete; all of it is one transaction.
    lines += [f"table inet {table}", f"delete table inet {table}", f"table inet {table} {{"]
    lines += [f"\t{line}" if line else "" for line in _body(contract)]
    return Exported("\n".join([*lines, "}", ""]), notes)


def _body(contract: Contract) -> Iterator[str]:
    """Sets, then chains."""
    members = [m for m in contract.members if has_address(m)]
    where = {m: contract.required_endpoints(m, "An nftables ruleset") for m in members}
    remote = {m: e for m, e in where.items() if not is_local(m.host)}
    sealed = {d: contract.endpoints(d) for d in contract.sealed_dependencies() if has_address(d) and is_local(d.host)}
    taken = {endpoint for endpoints in where.values() for endpoint in endpoints}
    sealed = {d: tuple(e for e in endpoints if e not in taken) for d, endpoints in sealed.items()}
    closing = list(_matches("sealed", sealed, "goto sealed"))
    opening = list(_matches("member", remote, "accept"))
    for declaration, _ in [*closing, *opening]:
        yield from declaration
    passing = [f"{_NAMES} counter accept"] if contract.has_names else []
    passing += [rule for _, rule in opening]
    yield from _aside(passing)
    yield from _output([rule for _, rule in closing], passing)
    yield from ("chain sealed {", *(f"\t{rule}" for rule in _FAILING[contract.profile.sealed]), "}", "")
    yield from ("chain sealed_datagrams {", "\ttype filter hook input priority filter; policy accept;")
    yield from (f'\tiifname "lo" {_ASIDE} {_DATAGRAM_FAILING[contract.profile.sealed]}', "}")


def _aside(passing: list[str]) -> Iterator[str]:
    """A datagram that an output chain drops or rejects shows as EPERM to its sender, which no network does. So new
    sealed ones are led to loopback, and fail there, on their way in."""
    yield from ("chain datagrams {", "\ttype nat hook output priority -100; policy accept;")
    yield from ("\tmeta l4proto != udp accept", '\toifname "lo" accept')
    yield from (f"\t{rule.replace(' counter', '')}" for rule in passing if "icmp" not in rule)
    yield from ("\tmeta l4proto udp redirect to :1", "}", "")


def _output(closing: list[str], passing: list[str]) -> Iterator[str]:
    yield from ("chain output {", "\ttype filter hook output priority filter; policy drop;")
    yield '\tct direction reply counter accept comment "answers to those who call the service"'
    yield from (f"\t{rule}" for rule in closing)
    yield '\toifname "lo" accept'
    yield f'\t{_ASIDE} accept comment "to the chain sealed_datagrams"'
    yield "\ticmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, mld2-listener-report } accept"
    yield '\tct state related meta l4proto { icmp, ipv6-icmp } accept comment "errors about open flows"'
    yield from (f"\t{rule}" for rule in passing)
    yield from ("\tgoto sealed", "}", "")


def _matches(name: str, where: dict[Dependency, tuple[Endpoint, ...]], verdict: str) -> Iterator[tuple[list[str], str]]:
    """For each kind of address a set that is not empty, and the rule that asks it."""
    for number, keyword, kind, icmp in _FAMILIES:
        ported = _elements(where, number, (Protocol.TCP, Protocol.UDP))
        if ported:
            declaration = _set(f"{name}{number}", f"{kind} . inet_proto . inet_service", ported)
            yield declaration, f"{keyword} daddr . meta l4proto . th dport @{name}{number} {verdict}"
        pinged = _elements(where, number, (Protocol.ICMP,))
        if pinged:
            declaration = _set(f"{name}{number}_icmp", kind, pinged)
            yield declaration, f"meta l4proto {icmp} {keyword} daddr @{name}{number}_icmp {verdict}"


def _elements(where: dict[Dependency, tuple[Endpoint, ...]], number: str, protocols: tuple[Protocol, ...]) -> Elements:
    found: Elements = {}
    for dependency, endpoints in where.items():
        for endpoint in endpoints:
            if endpoint.protocol in protocols and (":" in endpoint.address) == (number == "6"):
                found.setdefault(_element(endpoint), []).append(str(dependency))
    return found


def _element(endpoint: Endpoint) -> str:
    if endpoint.protocol is Protocol.ICMP:
        return endpoint.address
    return f"{endpoint.address} . {endpoint.protocol} . {endpoint.port}"


def _set(name: str, kind: str, elements: Elements) -> list[str]:
    rows = [f'\t\t{element} comment "{_comment(ids)}",' for element, ids in elements.items()]
    return [f"set {name} {{", f"\ttype {kind}", "\tcounter", "\telements = {", *rows, "\t}", "}", ""]


def _comment(ids: Iterable[str]) -> str:
    return re.sub(r"[^A-Za-z0-9.:/_\[\], -]", "?", ", ".join(ids))[:_COMMENT_BYTES]


def _notes(contract: Contract) -> Iterator[str]:
    if contract.profile.sealed is Mode.HANG:
        yield "The profile has everything else accepted and silent; no packet filter accepts, so it is dropped here."
    for member in contract.members:
        if member.protocol is Protocol.UNIX:
            yield f"{member}: a Unix socket is a file, and no packet filter sees it: it stays as reachable as it was."
    if told := contract.addresses_for_names():
        yield told
        if not contract.has_names:
            yield "dns: is not a member, so lookups fail here: the service needs its names in /etc/hosts."
    for shared, owner, endpoint in contract.sharing():
        yield f"{shared}: shares {endpoint} with the member {owner}, so it passes too."
    for outside in contract.sealed_dependencies():
        if outside.protocol is Protocol.UNIX:
            yield f"{outside}: a Unix socket is a file, and no packet filter sees it: it is not sealed here."
