"""The kernel's memory of redirected queries, so that name service is as it was at once when the table is gone.

A flow keeps the translation that its first packet met for as long as the kernel remembers the flow, whatever becomes
of the rule. Layout: linux/netfilter/nfnetlink_conntrack.h.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterator

from belljar_tui.agent.netlink import Message, Netfilter, NetlinkError, by_kind, nested

_SUBSYSTEM = 1
_GET, _DELETE = 1, 2
_ORIGINAL, _REPLY, _STATUS = 1, 2, 3
_PORTS, _PROTOCOL, _SOURCE_PORT, _TARGET_PORT = 2, 1, 2, 3
_SEEN_REPLY = 1 << 1
_NAMES_PORT = 53


def forget_redirected(port: int) -> int:
    """Forget every query that went to our own name server on `port`. Returns how many flows that were."""
    return _forget(lambda flow: flow.answers_from == port)


def forget_answered() -> int:
    """Forget the flows of sockets that ask again and again: the next query meets the redirect. One that still waits
    for its first answer is left alone, or the answer would not find it."""
    return _forget(lambda flow: flow.protocol == socket.IPPROTO_UDP and flow.is_answered)


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
