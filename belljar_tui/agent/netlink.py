"""Netfilter netlink, packed by hand: attributes, atomic batches, dumps.

pyroute2 has no queue and no log group, costs 180 ms to import (the whole budget of a jar's start is 200 ms) and 70 ms
to encode 1,000 map elements (budget: 50 ms), so the agent speaks to netfilter itself; links and addresses go through
pyroute2 elsewhere. Layouts: linux/netlink.h, linux/netfilter/nfnetlink.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Sequence

NETLINK_NETFILTER = 12
SO_RCVBUFFORCE = 33

REQUEST, ACK, ECHO, DUMP = 0x1, 0x4, 0x8, 0x300
EXCLUSIVE, CREATE = 0x200, 0x400
NLMSG_ERROR, NLMSG_DONE = 2, 3
BATCH_BEGIN, BATCH_END = 0x10, 0x11
_NESTED = 0x8000
_TYPE_MASK = 0x3FFF
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_GENERIC = struct.Struct(">BBH")


class NetlinkError(OSError):
    """The kernel refused a message; `index` says which one of a batch (0 = first)."""

    def __init__(self, number: int, index: int = 0) -> None:
        super().__init__(number, os.strerror(number))
        self.index = index


class Message:
    """One netfilter message: `kind` is subsystem << 8 | type, `body` is packed attributes.

    Plain: a jar is closed with these before anything that is slow to load is there.
    """

    __slots__ = ("body", "family", "flags", "kind", "resource")

    def __init__(
        self, kind: int, body: bytes, flags: int = 0, family: int = socket.AF_UNSPEC, resource: int = 0
    ) -> None:
        self.kind, self.body, self.flags, self.family, self.resource = kind, body, flags, family, resource

    def acknowledged(self) -> Message:
        """The same, to be answered."""
        return Message(self.kind, self.body, self.flags | ACK, self.family, self.resource)


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded to 4 bytes."""
    size = 4 + len(value)
    return _ATTRIBUTE.pack(size, kind) + value + b"\0" * (-size % 4)


def nested(kind: int, *parts: bytes) -> bytes:
    """An attribute that holds attributes."""
    return attribute(kind | _NESTED, b"".join(parts))


def text(kind: int, value: str) -> bytes:
    """A zero-terminated string attribute."""
    return attribute(kind, value.encode() + b"\0")


def be16(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">H", value))


def be32(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">I", value & 0xFFFFFFFF))


def be64(kind: int, value: int) -> bytes:
    return attribute(kind, struct.pack(">Q", value))


def attributes(data: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Attributes of a packed run as (type without flags, value)."""
    view = memoryview(data)
    at = 0
    while at + 4 <= len(view):
        size, kind = _ATTRIBUTE.unpack_from(view, at)
        if size < 4:
            return
        yield kind & _TYPE_MASK, view[at + 4 : at + size]
        at += (size + 3) & ~3


def by_kind(data: bytes | memoryview) -> dict[int, memoryview]:
    """Attributes of a packed run by type; the last of a type wins."""
    return dict(attributes(data))


def pack(message: Message, sequence: int) -> bytes:
    """The message with its netlink and netfilter headers."""
    body = _GENERIC.pack(message.family, 0, message.resource) + message.body
    return _HEADER.pack(_HEADER.size + len(body), message.kind, REQUEST | message.flags, sequence, 0) + body


def messages(data: bytes | memoryview) -> Iterator[tuple[int, int, memoryview]]:
    """Messages of a datagram as (type, sequence, payload after the netlink header)."""
    view = memoryview(data)
    at = 0
    while at + _HEADER.size <= len(view):
        size, kind, _flags, sequence, _port = _HEADER.unpack_from(view, at)
        if size < _HEADER.size:
            return
        yield kind, sequence, view[at + _HEADER.size : at + size]
        at += (size + 3) & ~3


def error_of(payload: memoryview) -> int:
    """The positive errno of an NLMSG_ERROR payload; 0 is an acknowledgement."""
    return -int(struct.unpack_from("=i", payload)[0])


def open_socket(receive_bytes: int) -> socket.socket:
    """A bound netfilter socket with a large receive buffer (forced past the limit where we may)."""
    made = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_NETFILTER)
    try:
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, receive_bytes)
    except PermissionError:  # needs CAP_NET_ADMIN in the first user namespace
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    made.bind((0, 0))
    return made


class Netfilter:
    """A synchronous conversation with one netfilter socket. Tables it makes with the owner flag die with it."""

    def __init__(self) -> None:
        self._socket = open_socket(4 << 20)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def batch(self, subsystem: int, content: Sequence[Message]) -> list[memoryview]:
        """Send `content` as one transaction: all of it holds, or none.

        Returns:
            Payloads (after the netfilter header) of what the kernel echoed of messages with the ECHO flag.

        Raises:
            NetlinkError: the first message the kernel refused.
        """
        first = self._sequence + 1
        begin = Message(BATCH_BEGIN, b"", resource=subsystem)
        end = Message(BATCH_END, b"", resource=subsystem)
        last = content[-1]
        acked = [*content[:-1], last.acknowledged()]
        whole = [begin, *acked, end]
        self._sequence += len(whole)
        self._socket.sendall(b"".join(pack(m, first + i) for i, m in enumerate(whole)))
        return self._collect(first, first + len(content), {m.kind for m in content if m.flags & ECHO})

    def ask(self, message: Message) -> None:
        """Send one message of a subsystem that knows no transactions. Raises NetlinkError when it is refused."""
        self._sequence += 1
        self._socket.sendall(pack(message.acknowledged(), self._sequence))
        self._collect(self._sequence, self._sequence, set())

    def dump(self, kind: int, family: int, body: bytes) -> Iterator[memoryview]:
        """Payloads (after the netfilter header) of every object of a dump."""
        self._sequence += 1
        wanted = self._sequence
        self._socket.sendall(pack(Message(kind, body, DUMP, family), wanted))
        while True:
            for answered, sequence, payload in messages(self._socket.recv(1 << 18)):
                if sequence != wanted:
                    continue
                if answered == NLMSG_DONE:
                    return
                if answered == NLMSG_ERROR:
                    if error_of(payload):
                        raise NetlinkError(error_of(payload))
                    return
                yield payload[4:]

    def _collect(self, first: int, last: int, echoed: set[int]) -> list[memoryview]:
        """Read until the last message is acknowledged or one is refused."""
        echoes: list[memoryview] = []
        while True:
            for kind, sequence, payload in messages(self._socket.recv(1 << 18)):
                if kind in echoed:  # measured: an echo carries sequence 0 and precedes the acknowledgement
                    echoes.append(payload[4:])
                elif kind != NLMSG_ERROR:
                    continue  # the generation's number, echoed along
                elif first <= sequence <= last + 1 and error_of(payload):
                    raise NetlinkError(error_of(payload), sequence - first - 1)
                elif sequence == last:
                    return echoes
