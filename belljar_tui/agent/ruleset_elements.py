"""The elements of the table's maps: what a cut is, packed and read back."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable

import msgspec

from belljar_tui.agent import expressions as ex
from belljar_tui.agent import modes, nft
from belljar_tui.agent.counts import Count, Counts, Verdict
from belljar_tui.agent.netlink import CREATE, Message, attribute, by_kind, nested, text
from belljar_tui.agent.nft import ICMP, ICMP6, IP, IP6, TCP, UDP
from belljar_tui.core.model import Endpoint, Protocol

_NUMBERS = {Protocol.TCP: TCP, Protocol.UDP: UDP}
_PROTOCOLS = {TCP: Protocol.TCP, UDP: Protocol.UDP, ICMP: Protocol.ICMP, ICMP6: Protocol.ICMP}
_MILLISECONDS = 1000
_KEY4 = (7 << 12) | (12 << 6) | 13
_KEY6 = (8 << 12) | (12 << 6) | 13


class Map(msgspec.Struct, frozen=True):
    """One of the maps (or sets) by endpoint."""

    name: str
    v6: bool
    counts: str
    """Which field of Counts its counters are; empty: none."""
    is_timed: bool = False

    @property
    def is_map(self) -> bool:
        return self.counts in ("packets", "calls", "")

    @property
    def is_watch(self) -> bool:
        return "watch" in self.name


MAPS = tuple(
    Map(f"{prefix}{6 if v6 else 4}", v6, counts, prefix.startswith("timed"))
    for prefix, counts in (
        ("verdict", "packets"),
        ("watch", "calls"),
        ("failed", "failed"),
        ("timed", ""),
        ("timed_watch", ""),
    )
    for v6 in (False, True)
)
LASTING = tuple(each for each in MAPS if not each.is_timed)
LET = tuple(
    Map(f"{prefix}{6 if v6 else 4}", v6, counts)
    for prefix, counts in (("let", "let_calls"), ("let_packets", "let_packets"))
    for v6 in (False, True)
)
"""What a lane let through: there once there are lanes."""
TIMED = tuple(each for each in MAPS if each.is_timed)


def is_v6(endpoint: Endpoint) -> bool:
    return ":" in endpoint.address


def key_set(name: str, *, v6: bool, is_map: bool = False, expires: bool = False) -> Message:
    """A set, or a map, by endpoint."""
    return nft.counted_set(name, _KEY6 if v6 else _KEY4, 24 if v6 else 12, is_map=is_map, expires=expires)


def key(endpoint: Endpoint) -> bytes:
    """The element's key, as the attribute that every element begins with."""
    family = socket.AF_INET6 if is_v6(endpoint) else socket.AF_INET
    number = _NUMBERS.get(endpoint.protocol) or (ICMP6 if is_v6(endpoint) else ICMP)
    packed = socket.inet_pton(family, endpoint.address) + struct.pack(">B3xH2x", number, endpoint.port)
    return nested(1, attribute(1, packed))


def element(where: Map, endpoint: Endpoint, verdict: Verdict) -> bytes:
    """What stands in one of the lasting maps for an endpoint that is failed by `verdict`."""
    if not where.is_map:
        return key(endpoint)
    if where.is_watch:
        target = (ex.GOTO, modes.watch_chain(verdict, is_timed=False))
    else:
        target = (ex.ACCEPT, "") if verdict is None else (ex.GOTO, verdict)
    return key(endpoint) + ex.verdict_data(2, *target)


def timed_element(where: Map, endpoint: Endpoint, verdict: str, left_s: float) -> bytes:
    """The same over it, for `left_s` seconds more. A jump: what the chain does not fail goes on to what lies below."""
    target = modes.watch_chain(verdict, is_timed=True) if where.is_watch else verdict
    return key(endpoint) + ex.verdict_data(2, ex.JUMP, target) + _timeout(left_s)


def expiring_key(endpoint: Endpoint, left_s: float | None) -> bytes:
    """A set's element, for `left_s` seconds more (None: for good)."""
    return key(endpoint) + (_timeout(left_s) if left_s is not None else b"")


def _timeout(left_s: float) -> bytes:
    return attribute(4, struct.pack(">Q", max(1, round(left_s * _MILLISECONDS))))


def alive_messages(name: str, for_s: float | None) -> list[Message]:
    """What lets calls be held for so long (None: for good; 0: not at all): renewed again and again, it is gone soon
    after its agent hangs."""
    if for_s == 0:
        return [nft.flush(name)]
    timeout = attribute(4, struct.pack(">Q", round(for_s * _MILLISECONDS))) if for_s is not None else b""
    families = [nested(1, attribute(1, bytes([family]))) + timeout for family in (IP, IP6)]
    return [nft.flush(name), *nft.element_messages(nft.NEWSETELEM, name, families, CREATE)]


def seal_messages(message: int, verdict: Verdict, flags: int = CREATE) -> list[Message]:
    """What makes or takes away the elements of everything undecided."""
    content: list[Message] = []
    for name in ("seal_verdict", "seal_watch"):
        elements = []
        for family in (IP, IP6):
            body = nested(1, attribute(1, bytes([family])))
            if message == nft.NEWSETELEM:
                body += ex.verdict_data(2, *_seal_target(name, verdict))
            elements.append(body)
        content += nft.element_messages(message, name, elements, flags)
    return content


def _seal_target(name: str, verdict: Verdict) -> tuple[int, str]:
    if name == "seal_watch":
        return ex.GOTO, "meet" if verdict is None else "strange"
    return (ex.ACCEPT, "") if verdict is None else (ex.GOTO, verdict)


def dump_body(name: str) -> bytes:
    return text(1, nft.TABLE) + text(2, name)


def endpoint_of(fields: dict[int, memoryview], v6: bool) -> Endpoint:
    packed = bytes(by_kind(fields[1])[1])
    length = 16 if v6 else 4
    address = socket.inet_ntop(socket.AF_INET6 if v6 else socket.AF_INET, packed[:length])
    number, port = struct.unpack_from(">B3xH", packed, length)
    return Endpoint(address, _PROTOCOLS[number], port)


def verdict_of(fields: dict[int, memoryview]) -> Verdict:
    """The chain an element leads to; None for accept."""
    data = fields.get(2)
    if data is None:
        return None
    chain = by_kind(by_kind(data)[2]).get(2)
    return bytes(chain).rstrip(b"\0").decode() if chain is not None else None


def count_of(fields: dict[int, memoryview]) -> Count:
    expression = fields.get(7)
    if expression is None:
        return Count()
    data = by_kind(by_kind(expression)[2])
    return Count(packets=struct.unpack(">Q", data[2])[0], bytes=struct.unpack(">Q", data[1])[0])


def counts_of(where: Map, count: Count) -> Counts:
    return Counts(**{where.counts: count}) if where.counts else Counts()


def seal_calls_of_echoes(echoes: Iterable[memoryview]) -> int:
    """New undecided calls that had met the seal, from the echoes of its removed elements (an added one counts 0)."""
    return sum(
        count_of(fields).packets
        for echo in echoes
        if _set_of(echo) == "seal_watch"
        for fields in nft.list_elements(echo)
    )


def _set_of(echo: memoryview) -> str:
    return bytes(by_kind(echo).get(2, memoryview(b""))).rstrip(b"\0").decode()


def counts_of_echoes(echoes: Iterable[memoryview]) -> dict[Endpoint, Counts]:
    """Counters carried by the echoes of removed elements (an echo of an added one counts 0)."""
    totals: dict[Endpoint, Counts] = {}
    by_name = {each.name: each for each in (*LASTING, *LET)}
    for echo in echoes:
        where = by_name.get(_set_of(echo))
        if where is None:
            continue
        for fields in nft.list_elements(echo):
            endpoint = endpoint_of(fields, where.v6)
            counts = counts_of(where, count_of(fields))
            totals[endpoint] = totals.get(endpoint, Counts()).plus(counts)
    return totals
