"""The table `inet belljar`: static rules, and maps whose elements are the cuts.

What the messages built here stand for:

    table inet belljar {
      flags owner                     # dies with our socket, whatever killed us; nobody else may change it
      map verdict4 { type ipv4_addr . inet_proto . inet_service : verdict; counter; }    # all packets, per endpoint
      map verdict6 { type ipv6_addr . inet_proto . inet_service : verdict; counter; }
      map watch4, watch6 { the same keys : verdict; counter; }                           # new calls, per endpoint
      map seal_verdict, seal_watch { type nf_proto : verdict; counter; }                 # everything undecided
      set forwarded { type inet_service; }                   # loopback ports that lead out of the jar

      chain observe  { type filter hook output priority -10
        meta mark AGENT accept
        ct state != new accept
        <address . protocol . port> vmap @watch4 / @watch6   # open: goto seen; cut: goto hold
        neighbour discovery accept
        loopback: the resolver's port accept; not @forwarded goto seen
        meta nfproto vmap @seal_watch }
      chain seen     { log group 5 accept }
      chain meet     { queue num 5 bypass }                  # an open endpoint's first call: held, to be attributed
      chain hold     { meta l4proto != tcp meta mark set NEW_CALL accept   # held below, where it fails
                       queue num 5 bypass }                                # held until its process is known
      chain enforce  { type filter hook output priority 0
        meta mark AGENT accept
        ct direction reply accept                            # the service may answer its callers
        <address . protocol . port> vmap @verdict4 / @verdict6
        neighbour discovery accept
        loopback, not @forwarded: accept
        meta nfproto vmap @seal_verdict }
      chain refuse   { meta l4proto tcp reject with tcp reset
                       meta mark NEW_CALL meta mark set REFUSED queue num 5 bypass
                       meta mark set REFUSED queue num 6 bypass }
      chain blackhole { the same, with drop and DROPPED }
      chain fail     { type filter hook output priority 10
        meta mark REFUSED reject with icmpx port-unreachable
        meta mark DROPPED drop }
      chain names    { type nat hook output priority -110
        meta mark AGENT accept
        meta l4proto { tcp, udp } th dport 53 redirect to :RESOLVER }
    }

A packet that was held leaves the queue at the next hook priority, so observing and enforcing are two base chains; with
`bypass` a missing reader means unattributed, never unenforced.

A datagram dropped on the output hook would fail its sender's `send` with EPERM, as no network does (measured); one that
was queued first is already sent as far as its sender knows. So whatever is not TCP passes a queue before it fails: 5 if
it is a new call; 6, which looks at nothing, if it is not.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Callable, Iterable, Mapping

import msgspec

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.netlink import (
    CREATE,
    ECHO,
    Message,
    Netfilter,
    NetlinkError,
    attribute,
    attributes,
    be32,
    by_kind,
    nested,
    text,
)
from belljar_tui.core.model import Endpoint, Mode, Protocol

TABLE = "belljar"
AGENT_MARK = 0xBE11
LOG_GROUP = 5
QUEUE = 5
FOLLOWERS = 6
"""The queue of datagrams that are cut but no new call."""
SNAP_LENGTH = 64
_NEW_CALL, _REFUSED, _DROPPED = 0xBE12, 0xBE13, 0xBE14
_SUBSYSTEM = 10
_NEWTABLE, _NEWCHAIN, _NEWRULE, _DELRULE, _NEWSET, _NEWSETELEM, _GETSETELEM, _DELSETELEM = 0, 3, 6, 8, 9, 12, 13, 14
_INET = 1
_OWNER_FLAG = 2
_SET_MAP = 8
_VERDICT_TYPE = 0xFFFFFF00
_IP, _IP6 = 2, 10
_TCP, _UDP, _ICMP, _ICMP6 = 6, 17, 1, 58
_KEY4 = (7 << 12) | (12 << 6) | 13
_KEY6 = (8 << 12) | (12 << 6) | 13
_NUMBERS = {Protocol.TCP: _TCP, Protocol.UDP: _UDP}
PROTOCOLS = {_TCP: Protocol.TCP, _UDP: Protocol.UDP, _ICMP: Protocol.ICMP, _ICMP6: Protocol.ICMP}

Verdict = Mode | None
"""None is open."""

QueueTo = Callable[[int], bytes]
"""The expression that hands a packet to a numbered queue."""


class Count(msgspec.Struct, frozen=True):
    packets: int = 0
    bytes: int = 0

    def plus(self, other: Count) -> Count:
        return Count(self.packets + other.packets, self.bytes + other.bytes)


class Counts(msgspec.Struct, frozen=True):
    """What the kernel counted for one endpoint."""

    calls: Count = Count()
    """New flows only (a retransmitted SYN that never got through is new again)."""
    packets: Count = Count()
    """Every packet sent to it."""

    def plus(self, other: Counts) -> Counts:
        return Counts(self.calls.plus(other.calls), self.packets.plus(other.packets))


class Tally(msgspec.Struct, frozen=True):
    """What was counted for an endpoint or a dependency since the start, apart for each way it stood."""

    is_open: Counts = Counts()
    """While it was open."""
    is_cut: Counts = Counts()
    """While it was cut."""

    def plus(self, verdict: Verdict, counts: Counts) -> Tally:
        if verdict is None:
            return Tally(self.is_open.plus(counts), self.is_cut)
        return Tally(self.is_open, self.is_cut.plus(counts))

    def joined(self, other: Tally) -> Tally:
        return Tally(self.is_open.plus(other.is_open), self.is_cut.plus(other.is_cut))


class Ruleset:
    """The kernel's side of the wanted state. Synchronous: one change is one netlink round trip.

    Raises NetlinkError (an OSError) where the kernel refuses.
    """

    def __init__(self, netfilter: Netfilter, resolver_port: int, forwarded: Iterable[int]) -> None:
        self._netfilter = netfilter
        self._resolver_port = resolver_port
        self._forwarded = tuple(forwarded)
        self.queue = "none"
        """`native`, `xtables` or `none`: what holds a blocked call for attribution."""
        self.logs = False
        """Open flows are logged."""

    def create(self) -> None:
        """Make the table, with the best queue and log this kernel has, as one transaction per attempt."""
        attempts: tuple[tuple[str, QueueTo | None, bool], ...] = (
            ("native", ex.queue_native, True),
            ("xtables", ex.queue_xtables, True),
            ("none", None, True),
            ("none", None, False),
        )
        for queue, queue_to, has_log in attempts:
            try:
                self._netfilter.batch(_SUBSYSTEM, self._table(queue_to, has_log))
            except NetlinkError as error:
                if error.errno not in (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL) or not has_log:
                    raise
                continue
            self.queue, self.logs = queue, has_log
            return

    def change(
        self,
        remove: Iterable[Endpoint],
        add: Mapping[Endpoint, Verdict],
        seal: Verdict,
        *,
        seal_changes: bool,
    ) -> dict[Endpoint, Counts]:
        """One atomic batch: these elements out, these in, and the seal.

        Returns:
            What the removed elements had counted, read as they were removed, so that no count is lost.
        """
        content: list[Message] = []
        gone = list(remove)
        for name, v6, is_watch in _MAPS:
            removed = [_element(e) for e in gone if _is_v6(e) == v6]
            content += _element_messages(_DELSETELEM, name, removed, ECHO)
            added = [_element(e, _target(verdict, is_watch)) for e, verdict in add.items() if _is_v6(e) == v6]
            content += _element_messages(_NEWSETELEM, name, added, CREATE)
        if seal_changes:
            content += _seal_messages(_DELSETELEM, None)
            content += _seal_messages(_NEWSETELEM, seal)
        if not content:
            return {}
        return _counts_of_echoes(self._netfilter.batch(_SUBSYSTEM, content))

    def read(self) -> dict[Endpoint, tuple[Verdict, Counts]]:
        """Every element as the kernel has it: its verdict and counters."""
        found: dict[Endpoint, tuple[Verdict, Counts]] = {}
        for name, v6, is_watch in _MAPS:
            for endpoint, target, count in self._elements(name, v6):
                verdict, counts = found.get(endpoint, (None, Counts()))
                if is_watch:
                    found[endpoint] = (verdict, msgspec.structs.replace(counts, calls=count))
                else:
                    found[endpoint] = (_verdict_of(target), msgspec.structs.replace(counts, packets=count))
        return found

    def read_seal(self) -> tuple[Verdict, int]:
        """The seal as the kernel has it, and how many new undecided calls have met it."""
        body = text(1, TABLE) + text(2, "seal_watch")
        calls = sum(
            _count(fields).packets
            for payload in self._netfilter.dump(_kind(_GETSETELEM), _INET, body)
            for fields in _list_elements(payload)
        )
        body = text(1, TABLE) + text(2, "seal_verdict")
        targets = {
            _target_name(fields)
            for payload in self._netfilter.dump(_kind(_GETSETELEM), _INET, body)
            for fields in _list_elements(payload)
        }
        return _verdict_of(targets.pop() if targets else ""), calls

    def _elements(self, name: str, v6: bool) -> Iterable[tuple[Endpoint, str, Count]]:
        body = text(1, TABLE) + text(2, name)
        for payload in self._netfilter.dump(_kind(_GETSETELEM), _INET, body):
            for fields in _list_elements(payload):
                yield _endpoint(fields, v6), _target_name(fields), _count(fields)

    def _table(self, queue_to: QueueTo | None, has_log: bool) -> list[Message]:
        seen = [*([ex.log(LOG_GROUP, SNAP_LENGTH)] if has_log else []), ex.verdict(ex.ACCEPT)]
        content = [Message(_kind(_NEWTABLE), text(1, TABLE) + be32(2, _OWNER_FLAG), CREATE, _INET)]
        content += [_set(name, _KEY6 if v6 else _KEY4, 24 if v6 else 12) for name, v6, _ in _MAPS]
        content += [_set(name, 1, 1) for name in ("seal_verdict", "seal_watch")]
        content.append(_forwarded_set())
        for name in ("seen", "meet", "hold", "refuse", "blackhole", "inner_observe", "inner_enforce"):
            content.append(_chain(name))
        content.append(_chain("observe", "filter", -10))
        content.append(_chain("enforce", "filter", 0))
        content.append(_chain("fail", "filter", 10))
        content.append(_chain("names", "nat", -110))
        content += _element_messages(
            _NEWSETELEM, "forwarded", [nested(1, _key(struct.pack(">H", p))) for p in self._forwarded], CREATE
        )
        content += _seal_messages(_NEWSETELEM, None)
        content.append(_rule("seen", seen))
        content.append(_rule("meet", [queue_to(QUEUE)] if queue_to is not None else seen))
        content += _hold(queue_to, seen) + _failures(queue_to) + self._inner() + _observe() + _enforce() + self._names()
        return content

    def _inner(self) -> list[Message]:
        """Loopback: a call to a forwarded port goes on to the seal, the rest stays inside the jar."""
        port = ex.payload(ex.TRANSPORT, 2, 2)
        resolver = [port, ex.compare(struct.pack(">H", self._resolver_port)), ex.verdict(ex.ACCEPT)]
        leads_out = [ex.meta(ex.META_L4PROTO), ex.compare(bytes([_TCP])), port, ex.in_set("forwarded")]
        return [
            _rule("inner_observe", resolver),
            _rule("inner_observe", [*leads_out, ex.verdict(ex.RETURN)]),
            _rule("inner_observe", [ex.verdict(ex.GOTO, "seen")]),
            _rule("inner_enforce", [*leads_out, ex.verdict(ex.RETURN)]),
            _rule("inner_enforce", [ex.verdict(ex.ACCEPT)]),
        ]

    def _names(self) -> list[Message]:
        rules = [_rule("names", [*_from_agent(), ex.verdict(ex.ACCEPT)])]
        for protocol in (_UDP, _TCP):
            match = [ex.meta(ex.META_L4PROTO), ex.compare(bytes([protocol]))]
            match += [ex.payload(ex.TRANSPORT, 2, 2), ex.compare(struct.pack(">H", 53))]
            rules.append(_rule("names", [*match, *ex.redirect(self._resolver_port)]))
        return rules


_MAPS = (
    ("verdict4", False, False),
    ("verdict6", True, False),
    ("watch4", False, True),
    ("watch6", True, True),
)
"""Name, is IPv6, and whether it watches new calls (or decides all packets)."""


def _kind(message: int) -> int:
    return _SUBSYSTEM << 8 | message


def _is_v6(endpoint: Endpoint) -> bool:
    return ":" in endpoint.address


def _set(name: str, key_type: int, key_length: int) -> Message:
    body = text(1, TABLE) + text(2, name) + be32(3, _SET_MAP) + be32(4, key_type) + be32(5, key_length)
    body += be32(6, _VERDICT_TYPE) + be32(7, 16) + be32(10, 1) + ex.counter_template(17)
    return Message(_kind(_NEWSET), body, CREATE, _INET)


def _forwarded_set() -> Message:
    body = text(1, TABLE) + text(2, "forwarded") + be32(3, 0) + be32(4, 13) + be32(5, 2) + be32(10, 2)
    return Message(_kind(_NEWSET), body, CREATE, _INET)


def _chain(name: str, kind: str = "", priority: int = 0) -> Message:
    """A plain chain, or with `kind` a base chain on the output hook (3) that accepts by default."""
    body = text(1, TABLE) + text(3, name)
    if kind:
        body += nested(4, be32(1, 3), be32(2, priority)) + be32(5, ex.ACCEPT) + text(7, kind)
    return Message(_kind(_NEWCHAIN), body, CREATE, _INET)


def _rule(chain: str, expressions: Iterable[bytes]) -> Message:
    body = text(1, TABLE) + text(2, chain) + nested(4, *expressions)
    return Message(_kind(_NEWRULE), body, CREATE | 0x800, _INET)


def _from_agent() -> list[bytes]:
    return _has_mark(AGENT_MARK)


def _has_mark(mark: int) -> list[bytes]:
    return [ex.meta(ex.META_MARK), ex.compare(struct.pack("=I", mark))]


def _hold(queue_to: QueueTo | None, seen: list[bytes]) -> list[Message]:
    """Without a queue a blocked call is logged at best."""
    if queue_to is None:
        return [_rule("hold", seen)]
    not_tcp = [ex.meta(ex.META_L4PROTO), ex.compare(bytes([_TCP]), ex.NOT_EQUAL)]
    return [
        _rule("hold", [*not_tcp, *ex.set_mark(_NEW_CALL), ex.verdict(ex.ACCEPT)]),
        _rule("hold", [queue_to(QUEUE)]),
    ]


def _failures(queue_to: QueueTo | None) -> list[Message]:
    is_tcp = [ex.meta(ex.META_L4PROTO), ex.compare(bytes([_TCP]))]
    rules = [
        _rule("refuse", [*is_tcp, ex.reject_tcp_reset()]),
        _rule("blackhole", [*is_tcp, ex.verdict(ex.DROP)]),
    ]
    for chain, mark, failure in (
        ("refuse", _REFUSED, ex.reject_port_unreachable()),
        ("blackhole", _DROPPED, ex.verdict(ex.DROP)),
    ):
        if queue_to is None:
            rules.append(_rule(chain, [failure]))
            continue
        rules.append(_rule(chain, [*_has_mark(_NEW_CALL), *ex.set_mark(mark), queue_to(QUEUE)]))
        rules.append(_rule(chain, [*ex.set_mark(mark), queue_to(FOLLOWERS)]))
        rules.append(_rule("fail", [*_has_mark(mark), failure]))
    return rules


def _observe() -> list[Message]:
    not_new = [ex.ct(ex.CT_STATE), ex.masked(ex.NEW_FLOW), ex.compare(struct.pack("=I", 0))]
    return [
        _rule("observe", [*_from_agent(), ex.verdict(ex.ACCEPT)]),
        _rule("observe", [*not_new, ex.verdict(ex.ACCEPT)]),
        *_by_endpoint("observe", "watch"),
        *_loopback("observe", "inner_observe"),
        _rule("observe", [ex.meta(ex.META_NFPROTO), ex.vmap("seal_watch")]),
    ]


def _enforce() -> list[Message]:
    return [
        _rule("enforce", [*_from_agent(), ex.verdict(ex.ACCEPT)]),
        _rule("enforce", [ex.ct(ex.CT_DIRECTION), ex.compare(b"\1"), ex.verdict(ex.ACCEPT)]),
        *_by_endpoint("enforce", "verdict"),
        *_loopback("enforce", "inner_enforce"),
        _rule("enforce", [ex.meta(ex.META_NFPROTO), ex.vmap("seal_verdict")]),
    ]


def _by_endpoint(chain: str, prefix: str) -> list[Message]:
    """Look the destination up: with its port for TCP and UDP, with port 0 for ICMP."""
    rules = []
    port = ex.payload(ex.TRANSPORT, 2, 2, 0)
    for family, offset, length, name in ((_IP, 16, 4, f"{prefix}4"), (_IP6, 24, 16, f"{prefix}6")):
        after = ex.DATA + length // 4
        for protocol in (_TCP, _UDP, _ICMP if family == _IP else _ICMP6):
            port = ex.payload(ex.TRANSPORT, 2, 2, after + 1)
            if protocol in (_ICMP, _ICMP6):
                port = ex.immediate(b"\0\0\0\0", after + 1)
            rules.append(
                _rule(
                    chain,
                    [
                        ex.meta(ex.META_NFPROTO),
                        ex.compare(bytes([family])),
                        ex.meta(ex.META_L4PROTO),
                        ex.compare(bytes([protocol])),
                        ex.payload(ex.NETWORK, offset, length),
                        ex.meta(ex.META_L4PROTO, after),
                        port,
                        ex.vmap(name),
                    ],
                )
            )
    return rules


def _loopback(chain: str, inner: str) -> list[Message]:
    """Neighbour discovery passes. Loopback is matched by address too: after the resolver's redirect the packet's
    device is still the old one within this hook."""
    v4 = [ex.meta(ex.META_NFPROTO), ex.compare(bytes([_IP]))]
    v6 = [ex.meta(ex.META_NFPROTO), ex.compare(bytes([_IP6]))]
    discovery = [ex.meta(ex.META_L4PROTO), ex.compare(bytes([_ICMP6]))]
    discovery += [ex.payload(ex.TRANSPORT, 0, 1), ex.between(bytes([130]), bytes([143]))]
    return [
        _rule(chain, [*v6, *discovery, ex.verdict(ex.ACCEPT)]),
        _rule(chain, [*v4, ex.payload(ex.NETWORK, 16, 1), ex.compare(bytes([127])), ex.verdict(ex.JUMP, inner)]),
        _rule(
            chain,
            [
                *v6,
                ex.payload(ex.NETWORK, 24, 16),
                ex.compare(socket.inet_pton(socket.AF_INET6, "::1")),
                ex.verdict(ex.JUMP, inner),
            ],
        ),
        _rule(chain, [ex.meta(ex.META_OIF), ex.compare(struct.pack("=I", 1)), ex.verdict(ex.JUMP, inner)]),
    ]


def _key(packed: bytes) -> bytes:
    return nested(1, attribute(1, packed)) if len(packed) > 2 else attribute(1, packed)


def _element(endpoint: Endpoint, target: tuple[int, str] | None = None) -> bytes:
    family = socket.AF_INET6 if _is_v6(endpoint) else socket.AF_INET
    number = _NUMBERS.get(endpoint.protocol) or (_ICMP6 if _is_v6(endpoint) else _ICMP)
    packed = socket.inet_pton(family, endpoint.address) + struct.pack(">B3xH2x", number, endpoint.port)
    body = nested(1, attribute(1, packed))
    if target is not None:
        body += ex.verdict_data(2, *target)
    return body


def _target(verdict: Verdict, is_watch: bool) -> tuple[int, str]:
    if is_watch:
        return (ex.GOTO, "seen" if verdict is None else "hold")
    return (ex.ACCEPT, "") if verdict is None else (ex.GOTO, str(verdict))


def _seal_messages(message: int, verdict: Verdict) -> list[Message]:
    content: list[Message] = []
    for name, is_watch in (("seal_verdict", False), ("seal_watch", True)):
        elements = []
        for family in (_IP, _IP6):
            body = nested(1, attribute(1, bytes([family])))
            if message == _NEWSETELEM:
                is_meeting = is_watch and verdict is None
                body += ex.verdict_data(2, *((ex.GOTO, "meet") if is_meeting else _target(verdict, is_watch)))
            elements.append(body)
        content += _element_messages(message, name, elements, CREATE if message == _NEWSETELEM else 0)
    return content


def _element_messages(message: int, name: str, elements: list[bytes], flags: int) -> list[Message]:
    """Elements in messages of at most 400: an attribute's length is 16 bits."""
    return [
        Message(
            _kind(message),
            text(1, TABLE) + text(2, name) + nested(3, *(nested(1, e) for e in elements[start : start + 400])),
            flags,
            _INET,
        )
        for start in range(0, len(elements), 400)
    ]


def _list_elements(payload: memoryview) -> Iterable[dict[int, memoryview]]:
    """Fields of every element of a NEWSETELEM or DELSETELEM message."""
    listed = by_kind(payload).get(3)
    if listed is None:
        return []
    return [by_kind(value) for _, value in attributes(listed)]


def _endpoint(fields: dict[int, memoryview], v6: bool) -> Endpoint:
    packed = bytes(by_kind(fields[1])[1])
    length = 16 if v6 else 4
    address = socket.inet_ntop(socket.AF_INET6 if v6 else socket.AF_INET, packed[:length])
    number, port = struct.unpack_from(">B3xH", packed, length)
    return Endpoint(address, PROTOCOLS[number], port)


def _target_name(fields: dict[int, memoryview]) -> str:
    """The chain an element leads to; empty for accept."""
    data = fields.get(2)
    if data is None:
        return ""
    chain = by_kind(by_kind(data)[2]).get(2)
    return bytes(chain).rstrip(b"\0").decode() if chain is not None else ""


def _verdict_of(chain: str) -> Verdict:
    return Mode(chain) if chain in Mode.__members__.values() else None


def _count(fields: dict[int, memoryview]) -> Count:
    expression = fields.get(7)
    if expression is None:
        return Count()
    data = by_kind(by_kind(expression)[2])
    return Count(packets=struct.unpack(">Q", data[2])[0], bytes=struct.unpack(">Q", data[1])[0])


def _counts_of_echoes(echoes: list[memoryview]) -> dict[Endpoint, Counts]:
    """Counters carried by the echoes of removed elements (an echo of an added one counts 0)."""
    totals: dict[Endpoint, Counts] = {}
    names = {name: (v6, is_watch) for name, v6, is_watch in _MAPS}
    for echo in echoes:
        name = bytes(by_kind(echo).get(2, memoryview(b""))).rstrip(b"\0").decode()
        if name not in names:
            continue
        v6, is_watch = names[name]
        for fields in _list_elements(echo):
            endpoint, count = _endpoint(fields, v6), _count(fields)
            counts = Counts(calls=count) if is_watch else Counts(packets=count)
            totals[endpoint] = totals.get(endpoint, Counts()).plus(counts)
    return totals
