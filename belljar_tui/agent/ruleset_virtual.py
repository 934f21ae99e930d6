"""What translates virtual addresses: made in the table when the first one is given out, so that a jar without pays
nothing.

    map virtual4 { type ipv4_addr : ipv4_addr; }             # the jar's own address -> the real one
    map virtual6 { type ipv6_addr : ipv6_addr; }

    chain virtual { type nat hook output priority -104       # our own calls too: lanes call whom the service called
      ip daddr @virtual4 dnat to ip daddr map @virtual4; ip6 likewise }

    chain virtual_source  { type filter hook output priority -300    # what `provoke` sends belongs to no flow
      meta mark AGENT ip saddr @virtual4 notrack; ip6 likewise }
    chain virtual_observe { type filter hook output priority -130; ip daddr @virtual4 goto early_observe; ip6 likewise }
    chain virtual_enforce { type filter hook output priority -120; ip daddr @virtual4 goto early_enforce; ip6 likewise }
    chain virtual_fail    { type filter hook output priority -115; ip daddr @virtual4 goto fails; ip6 likewise }
    chain early_observe   { what `observe` has, but for loopback; port 53 accept before it }
    chain early_enforce   { what `enforce` has, likewise }
    # before all of that, once there are lanes:
      meta mark AGENT accept; ct reply saddr loopback accept; meta mark REACHED accept
      KEY @lane_hang4 / 6, @lane_slow4 / 6 (early_enforce: meta mark set REACHED) accept

    chain observe, enforce { ct original daddr @virtual4 accept; ip6 likewise     # first: they have been judged
      ... }

All nat chains of a hook run at priority -100, whatever their own, so a packet to a virtual address is judged before: to
maps, counters, queues and sockets the virtual address is the endpoint, and nothing but the translation knows the real
one. Everything else is judged where it always was. Port 53 is left alone early: `names` turns it to our name server.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator, Mapping

from belljar_tui.agent import expressions as ex
from belljar_tui.agent import nft
from belljar_tui.agent.netlink import CREATE, Message, attribute, be32, by_kind, nested, text
from belljar_tui.agent.nft import IP, IP6, TCP, UDP, chain, is_family, is_protocol, rule

OBSERVE, ENFORCE = "early_observe", "early_enforce"
_MAP = 8
_REAL = ex.DATA + 4
"""The register behind an address of either family."""
_FAMILIES = ((IP, 16, 4, "virtual4", b"\xc6", 7), (IP6, 24, 16, "virtual6", b"\xfd", 8))
"""Family, where the target stands in the header and how long it is, the map, what each of its keys begins with (most
packets need no look-up then), nft's type of an address."""


def messages(early: Iterable[Message]) -> list[Message]:
    """Maps, chains and rules. `early`: what stands in the chains OBSERVE and ENFORCE."""
    return [
        *(_map(name, length, kind) for _, _, length, name, _, kind in _FAMILIES),
        chain(OBSERVE),
        chain(ENFORCE),
        chain("virtual_source", "filter", -300),
        chain("virtual_observe", "filter", -130),
        chain("virtual_enforce", "filter", -120),
        chain("virtual_fail", "filter", -115),
        chain("virtual", "nat", -104),
        *(
            rule(name, [*_not_names(protocol), ex.verdict(ex.ACCEPT)])
            for name in (OBSERVE, ENFORCE)
            for protocol in (UDP, TCP)
        ),
        *early,
        *(rule("virtual_source", [*nft.from_agent(), *match, ex.no_track()]) for match in _from_virtual()),
        *_goto("virtual_observe", OBSERVE),
        *_goto("virtual_enforce", ENFORCE),
        *_goto("virtual_fail", "fails"),
        *(rule("virtual", [*match, ex.dnat(family, _REAL)]) for family, match in _to_virtual()),
        *(
            rule(name, [*match, ex.verdict(ex.ACCEPT)], is_first=True)
            for name in ("observe", "enforce")
            for match in _judged()
        ),
    ]


def element_messages(virtual_of: Mapping[str, str]) -> list[Message]:
    """More translations: virtual address -> real one."""
    content: list[Message] = []
    for family, _, _, name, _, _ in _FAMILIES:
        of = socket.AF_INET if family == IP else socket.AF_INET6
        packed = [
            nested(1, attribute(1, socket.inet_pton(of, virtual))) + nested(2, attribute(1, socket.inet_pton(of, real)))
            for virtual, real in virtual_of.items()
            if (":" in virtual) == (family == IP6)
        ]
        content += nft.element_messages(nft.NEWSETELEM, name, packed, CREATE)
    return content


def names() -> tuple[str, ...]:
    return tuple(each[3] for each in _FAMILIES)


def translation_of(fields: dict[int, memoryview]) -> tuple[str, str]:
    """An element's virtual and real address."""
    virtual, real = (bytes(by_kind(fields[kind])[1]) for kind in (1, 2))
    of = socket.AF_INET if len(virtual) == 4 else socket.AF_INET6
    return socket.inet_ntop(of, virtual), socket.inet_ntop(of, real)


def _map(name: str, length: int, kind: int) -> Message:
    body = text(1, nft.TABLE) + text(2, name) + be32(3, _MAP) + be32(4, kind) + be32(5, length)
    return Message(nft.kind(nft.NEWSET), body + be32(6, kind) + be32(7, length) + be32(10, 3), CREATE, nft.INET)


def _to_virtual() -> Iterator[tuple[int, list[bytes]]]:
    """`ip daddr @virtual4`, with what it stands for in the register _REAL"""
    for family, offset, length, name, first, _ in _FAMILIES:
        address = [ex.payload(ex.NETWORK, offset, length), ex.compare(first), ex.mapped(name, _REAL)]
        yield family, [*is_family(family), *address]


def _from_virtual() -> Iterator[list[bytes]]:
    """`ip saddr @virtual4`"""
    for family, offset, length, name, first, _ in _FAMILIES:
        address = [ex.payload(ex.NETWORK, offset - length, length), ex.compare(first), ex.mapped(name, _REAL)]
        yield [*is_family(family), *address]


def _judged() -> Iterator[list[bytes]]:
    """`ct original ip daddr @virtual4`"""
    for family, _, _, name, first, _ in _FAMILIES:
        key = ex.CT_TARGET4 if family == IP else ex.CT_TARGET6
        yield [*is_family(family), ex.ct_of(key, ex.ORIGINAL), ex.compare(first), ex.mapped(name, _REAL)]


def _goto(base: str, to: str) -> list[Message]:
    return [rule(base, [*match, ex.verdict(ex.GOTO, to)]) for _, match in _to_virtual()]


def _not_names(protocol: int) -> list[bytes]:
    return [*is_protocol(protocol), ex.payload(ex.TRANSPORT, 2, 2), ex.compare(struct.pack(">H", 53))]
