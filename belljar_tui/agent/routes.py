"""Routes of virtual addresses: each leaves the jar as the real one behind it does.

A caller's source address and interface are chosen by the route, before there is a packet that could be translated, and
a network without a default route has none for an address nobody knows. Layouts: linux/rtnetlink.h; by hand for the same
reason as `netlink`.
"""

from __future__ import annotations

import ipaddress
import socket
import struct

from belljar_tui.agent.netlink import ACK, CREATE, NLMSG_ERROR, REQUEST, NetlinkError, attribute, by_kind, error_of
from belljar_tui.agent.netlink import messages as parsed

_NEW, _GET = 24, 26
_REPLACE = 0x100
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")
_TARGET, _INTERFACE, _GATEWAY, _SOURCE, _METRICS, _VIA = 1, 4, 5, 7, 8, 18
_COPIED = (_INTERFACE, _GATEWAY, _SOURCE, _METRICS, _VIA)
_MAIN, _STATIC, _UNICAST = 254, 4, 1
_LINK_SCOPE, _ONLINK = 253, 4
_LOOPBACK = 1


class Routes:
    """The routes of the network namespace it was made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._made: dict[str, bytes] = {}
        """Virtual address -> its route as it was made."""

    def lead(self, virtual: str, real: str) -> bool:
        """Have `virtual` leave as `real` does now. False where `real` is not another machine's: loopback, our own, a
        group's, one of a link, or one that nothing leads to. Raises NetlinkError when the kernel takes no route."""
        way = self._way_to(real)
        if way is None:
            return False
        body = _route(virtual, way)
        if self._made.get(virtual) != body:
            self._ask(_NEW, ACK | CREATE | _REPLACE, body)
            self._made[virtual] = body
        return True

    def _way_to(self, real: str) -> dict[int, memoryview] | None:
        address = ipaddress.ip_address(real)
        if address.is_multicast or address.is_link_local or address.is_loopback or address.is_unspecified:
            return None
        head = _ROUTE.pack(_family(real), len(address.packed) * 8, 0, 0, 0, 0, 0, 0, 0)
        try:
            found = self._ask(_GET, 0, head + attribute(_TARGET, address.packed))
        except NetlinkError:
            return None
        if found is None or found[7] != _UNICAST:
            return None
        way = by_kind(found[_ROUTE.size :])
        interface = struct.unpack("=I", way.get(_INTERFACE, bytes(4)))[0]
        return None if interface in (0, _LOOPBACK) else way

    def _ask(self, kind: int, flags: int, body: bytes) -> memoryview | None:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, REQUEST | flags, self._sequence, 0)
        self._socket.send(header + body)
        while True:
            for answered, sequence, payload in parsed(self._socket.recv(1 << 16)):
                if sequence != self._sequence:
                    continue
                if answered != NLMSG_ERROR:
                    return payload
                if error_of(payload):
                    raise NetlinkError(error_of(payload))
                return None


def _family(address: str) -> int:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def _route(virtual: str, way: dict[int, memoryview]) -> bytes:
    """`ip route replace VIRTUAL via GATEWAY dev INTERFACE src SOURCE onlink`"""
    has_gateway = _GATEWAY in way or _VIA in way
    scope, flags = (0, _ONLINK) if has_gateway else (_LINK_SCOPE, 0)
    target = socket.inet_pton(_family(virtual), virtual)
    head = _ROUTE.pack(_family(virtual), len(target) * 8, 0, 0, _MAIN, _STATIC, scope, _UNICAST, flags)
    return (
        head
        + attribute(_TARGET, target)
        + b"".join(attribute(kind, bytes(way[kind])) for kind in _COPIED if kind in way)
    )
