"""Makes an idle connection speak, so that a cut can answer it.

A reset that the output hook rejects with comes only when something is sent; a reader that waits would never know.
So its socket is shown a segment that cannot be right, as if from its peer, over loopback. It answers with an
acknowledgement (RFC 9293, 3.10.7.4), that meets the cut, and the reset wakes the reader with ECONNRESET. Measured; with
SOCK_DESTROY alone it would be ECONNABORTED, which no peer's reset looks like.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import struct
from collections.abc import Iterable

from belljar_tui.agent.nft import AGENT_MARK
from belljar_tui.agent.sockets import Address

_SO_MARK = 36
_ACK = 0x10
_TCP = socket.IPPROTO_TCP


def provoke(flows: Iterable[tuple[Address, Address]]) -> None:
    """Show each TCP flow (its own address and port, then its peer's) a segment out of nowhere."""
    for near, far in flows:
        family = socket.AF_INET6 if ":" in near[0] else socket.AF_INET
        with contextlib.suppress(OSError):  # a flow that ends meanwhile; SOCK_DESTROY follows in any case
            _send(family, near, far)


def _send(family: socket.AddressFamily, near: Address, far: Address) -> None:
    source, target = socket.inet_pton(family, far[0]), socket.inet_pton(family, near[0])
    segment = _segment(source, target, far[1], near[1])
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as wire:
        wire.setsockopt(socket.SOL_SOCKET, _SO_MARK, AGENT_MARK)
        wire.sendto(_header(family, source, target, len(segment)) + segment, (near[0], 0))


def _header(family: socket.AddressFamily, source: bytes, target: bytes, size: int) -> bytes:
    """The IP header; of IPv4 the kernel fills length and checksum in."""
    if family == socket.AF_INET6:
        return struct.pack(">IHBB", 6 << 28, size, _TCP, 64) + source + target
    return struct.pack(">BBHHHBBH", 0x45, 0, 20 + size, 0, 0, 64, _TCP, 0) + source + target


def _segment(source: bytes, target: bytes, from_port: int, to_port: int) -> bytes:
    """An acknowledgement with one byte and a sequence number that is hardly the one expected. (One without data would
    be answered once in half a second: tcp_invalid_ratelimit.)"""
    numbers = secrets.randbits(32), secrets.randbits(32)
    head = struct.pack(">HHII", from_port, to_port, *numbers)
    tail = struct.pack(">BBH", 5 << 4, _ACK, 1024)
    body = head + tail + b"\0\0\0\0" + b"\0"
    pseudo = source + target + struct.pack(">II", len(body), _TCP)
    return head + tail + struct.pack(">HH", _checksum(pseudo + body), 0) + b"\0"


def _checksum(data: bytes) -> int:
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total
