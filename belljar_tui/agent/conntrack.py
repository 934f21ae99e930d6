"""The kernel's memory of flows: who called whom before there was a table, and no redirected query when it is gone.

A flow keeps the translation that its first packet met for as long as the kernel remembers the flow, whatever becomes
of the rule. Layout: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Callable, Iterable, Iterator

from belljar_tui.agent.netlink import (
    CREATE,
    EXCLUSIVE,
    Message,
    Netfilter,
    NetlinkError,
    attribute,
    be16,
    be32,
    by_kind,
    nested,
)
from belljar_tui.agent.sockets import Address, Connection
from belljar_tui.core.model import Protocol

_SUBSYSTEM = 1
_NEW, _GET, _DELETE = 0, 1, 2
_ORIGINAL, _REPLY, _STATUS, _PROTOCOL_STATE, _TIMEOUT = 1, 2, 3, 4, 7
_PORTS, _PROTOCOL, _SOURCE_PORT, _TARGET_PORT = 2, 1, 2, 3
_SEEN_REPLY, _ASSURED, _CONFIRMED = 1 << 1, 1 << 2, 1 << 3
_ESTABLISHED, _LIBERAL = 3, 0x08
_KEPT_S = 3600
_NAMES_PORT = 53


def forget_redirected(port: int) -> int:
    """Forget every query that went to our own name server on `port`. Returns how many flows that were."""
    return _forget(lambda flow: flow.answers_from == port)


def forget_answered() -> int:
    """Forget the flows of sockets that ask again and again: the next query meets the redirect. One that still waits
    for its first answer is left alone, or the answer would not find it."""
    return _forget(lambda flow: flow.protocol == socket.IPPROTO_UDP and flow.is_answered)


def remember(connections: Iterable[Connection]) -> int:
    """Tell the kernel who called whom. Where nothing was tracked before, it takes whoever speaks first for the caller,
    and so a caller's answer for a call, and a call for an answer that passes every cut. Returns how many were new."""
    try:
        netfilter = Netfilter()
    except OSError:
        return 0
    told = 0
    try:
        for each in connections:
            if each.protocol is Protocol.TCP:
                with contextlib.suppress(NetlinkError):  # it is known already, or this kernel keeps no memory
                    netfilter.ask(_established(each))
                    told += 1
    finally:
        netfilter.close()
    return told


def _established(connection: Connection) -> Message:
    caller, called = (connection.near, connection.far) if connection.is_call else (connection.far, connection.near)
    is_v6 = ":" in caller[0]
    tracking = struct.pack("BB", _LIBERAL, _LIBERAL)  # it has not seen the windows grow
    state = nested(1, attribute(1, bytes([_ESTABLISHED])), attribute(4, tracking), attribute(5, tracking))
    body = [
        nested(_ORIGINAL, *_tuple(caller, called)),
        nested(_REPLY, *_tuple(called, caller)),
        be32(_STATUS, _SEEN_REPLY | _ASSURED | _CONFIRMED),
        nested(_PROTOCOL_STATE, state),
        be32(_TIMEOUT, _KEPT_S),
    ]
    family = socket.AF_INET6 if is_v6 else socket.AF_INET
    return Message(_SUBSYSTEM << 8 | _NEW, b"".join(body), CREATE | EXCLUSIVE, family)


def _tuple(source: Address, target: Address) -> tuple[bytes, bytes]:
    is_v6 = ":" in source[0]
    family, first = (socket.AF_INET6, 3) if is_v6 else (socket.AF_INET, 1)
    addresses = [attribute(first + n, socket.inet_pton(family, each[0])) for n, each in enumerate((source, target))]
    ports = [be16(_SOURCE_PORT + n, each[1]) for n, each in enumerate((source, target))]
    return nested(1, *addresses), nested(_PORTS, attribute(_PROTOCOL, bytes([socket.IPPROTO_TCP])), *ports)


class _Flow:
    """A remembered flow to port 53."""

    def __init__(self, family: int, payload: memoryview) -> None:
        self.family = family
        fields = by_kind(payload)
        self.original = bytes(fields[_ORIGINAL])
        asked = by_kind(by_kind(fields[_ORIGINAL])[_PORTS])
        answered = by_kind(by_kind(fields[_REPLY])[_PORTS])
        self.protocol = asked[_PROTOCOL][0]
        self.target_port = _port(asked, _TARGET_PORT)
        self.answers_from = _port(answered, _SOURCE_PORT)
        status = struct.unpack(">I", fields[_STATUS])[0] if _STATUS in fields else 0
        self.is_answered = bool(status & _SEEN_REPLY)


def _port(fields: dict[int, memoryview], kind: int) -> int:
    return int.from_bytes(fields[kind], "big") if kind in fields else 0


def _forget(is_meant: Callable[[_Flow], bool]) -> int:
    try:
        netfilter = Netfilter()
    except OSError:
        return 0
    gone = 0
    try:
        for flow in [flow for flow in _flows(netfilter) if is_meant(flow)]:
            try:
                netfilter.ask(Message(_SUBSYSTEM << 8 | _DELETE, nested(_ORIGINAL, flow.original), 0, flow.family))
                gone += 1
            except NetlinkError:  # it ended by itself
                continue
    except NetlinkError:  # this kernel keeps no memory, or does not show it
        return gone
    finally:
        netfilter.close()
    return gone


def _flows(netfilter: Netfilter) -> Iterator[_Flow]:
    for family in (socket.AF_INET, socket.AF_INET6):
        for payload in netfilter.dump(_SUBSYSTEM << 8 | _GET, family, b""):
            flow = _Flow(family, payload)
            if flow.target_port == _NAMES_PORT:
                yield flow
