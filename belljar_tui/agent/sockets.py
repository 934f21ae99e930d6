"""Sockets as the kernel has them: whose a call is, who listens, and the end of an established one.

sock_diag, packed by hand for the same reason as `netlink`: one exact look-up is a netlink round trip (10 µs). Layouts:
linux/inet_diag.h. psutil cannot serve here: it reads tables of its own network namespace and all of them.
"""

from __future__ import annotations

import errno
import socket
import struct
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from belljar_tui.agent.netlink import ACK, DUMP, NLMSG_DONE, NLMSG_ERROR, REQUEST, by_kind, error_of, messages
from belljar_tui.core.model import Endpoint, Protocol

_SOCK_DIAG = 4
_BY_FAMILY, _DESTROY = 20, 21
_HEADER = struct.Struct("=IHHII")
_OWNER = struct.Struct("=II")
_OWNER_AT, _ATTRIBUTES_AT = 64, 72
_NO_COOKIE = b"\xff" * 8
_MARK = 15
_ALL_STATES = 0xFFFFFFFF
_LISTEN, _CLOSE, _TIME_WAIT, _ESTABLISHED = 1 << 10, 1 << 7, 1 << 6, 1 << 1
_NUMBERS = {Protocol.TCP: socket.IPPROTO_TCP, Protocol.UDP: socket.IPPROTO_UDP}
_MAPPED = bytes(10) + b"\xff\xff"

Address = tuple[str, int]
"""An address and a port."""


class SocketOwner(msgspec.Struct, frozen=True):
    inode: int
    uid: int


class Connection(msgspec.Struct, frozen=True):
    """A connected socket: one of the service's own calls, or one that it answers."""

    protocol: Protocol
    near: Address
    far: Address
    inode: int
    is_call: bool
    """We called; where somebody listens on the near port, they did."""

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(self.far[0], self.protocol, self.far[1])


class _Found(msgspec.Struct, frozen=True):
    family: int
    identity: bytes
    """The 48-byte socket id with its cookie: what SOCK_DESTROY wants back."""
    owner: SocketOwner
    mark: int

    @property
    def local_port(self) -> int:
        return int.from_bytes(self.identity[0:2], "big")

    @property
    def local(self) -> Address:
        return self._text(self.identity[4:20]), self.local_port

    def remote(self, protocol: Protocol) -> Endpoint:
        return Endpoint(self._text(self.identity[20:36]), protocol, int.from_bytes(self.identity[2:4], "big"))

    def sends_from(self, address: str) -> bool:
        """Whether it is bound to `address`, or to none."""
        return self.is_unbound or self._text(self.identity[4:20]) == address

    @property
    def is_unbound(self) -> bool:
        return self._text(self.identity[4:20]) in ("::", "0.0.0.0")

    def _text(self, address: bytes) -> str:
        if self.family == socket.AF_INET:
            return socket.inet_ntop(socket.AF_INET, address[:4])
        if address.startswith(_MAPPED):
            return socket.inet_ntop(socket.AF_INET, address[12:])
        return socket.inet_ntop(socket.AF_INET6, address)


class SocketTable:
    """The sockets of the network namespace it was made in."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, 0))
        self._sequence = 0
        self._can_destroy: bool | None = None

    def find(self, protocol: Protocol, source: Address, target: Address, device: int = 0) -> SocketOwner | None:
        """The socket that sends from `source` to `target`; None when there is none (any more).

        Args:
            device: index of the interface the packet leaves by. The kernel finds a socket that is bound to an interface
                only under its index, and one that is bound to none under every index.
        """
        if protocol is Protocol.ICMP:
            return _pinging(":" in target[0], source[1])
        near, far = source, target
        if protocol is Protocol.UDP:  # the kernel's UDP look-up takes them as an arriving packet would have them
            near, far = target, source
        family = socket.AF_INET6 if ":" in target[0] else socket.AF_INET
        identity = _identity(family, near, far, device)
        self._send(_BY_FAMILY, 0, _request(family, protocol, _ALL_STATES, identity))
        for kind, payload in self._receive():
            if kind == NLMSG_ERROR:
                return None
            return _owner(payload)
        return None

    def has_owner(self, source: Address, target: Endpoint) -> bool:
        """Whether a process still has the socket that sends from `source` to `target` (one that was closed and not
        answered yet is nobody's)."""
        owner = self.find(target.protocol, source, (target.address, target.port))
        return owner is not None and owner.inode != 0

    def find_from(self, protocol: Protocol, source: Address, far_port: int | None = None) -> SocketOwner | None:
        """The socket that sends from `source`, whatever it believes its target to be (a redirected query, say).

        Args:
            far_port: the port it must be connected to; None: any, or none.
        """
        states = _ALL_STATES & ~_LISTEN & ~_TIME_WAIT
        found = [
            each
            for each in self._all(protocol, states, source[1])
            if each.sends_from(source[0]) and far_port in (None, each.remote(protocol).port)
        ]
        found.sort(key=lambda each: each.is_unbound)
        return found[0].owner if found else None

    def believed_target(self, protocol: Protocol, source: Address) -> Address | None:
        """Whom a connected socket that sends from `source` believes to speak to, wherever its packets really go."""
        states = _ALL_STATES & ~_LISTEN & ~_TIME_WAIT
        for each in self._all(protocol, states, source[1]):
            remote = each.remote(protocol)
            if each.sends_from(source[0]) and remote.port:
                return remote.address, remote.port
        return None

    def listeners(self) -> set[tuple[Protocol, int]]:
        """Protocol and port of every listening TCP and unconnected UDP socket."""
        return {
            (protocol, found.local_port)
            for protocol, states in ((Protocol.TCP, _LISTEN), (Protocol.UDP, _CLOSE))
            for found in self._all(protocol, states)
        }

    def connections(self, spare_mark: int) -> list[Connection]:
        """Every connected TCP and UDP socket, those with `spare_mark` left out."""
        listening = self.listeners()
        return [
            Connection(
                protocol,
                found.local,
                (found.remote(protocol).address, found.remote(protocol).port),
                found.owner.inode,
                (protocol, found.local_port) not in listening,
            )
            for protocol in _NUMBERS
            for found in self._all(protocol, _ESTABLISHED)
            if found.mark != spare_mark and found.remote(protocol).port
        ]

    def can_destroy(self) -> bool:
        """Whether this kernel destroys sockets for us (CONFIG_INET_DIAG_DESTROY); tried once on one that is not."""
        if self._can_destroy is None:
            absent = _identity(socket.AF_INET, ("127.0.0.1", 1), ("127.0.0.1", 1))
            self._can_destroy = self._destroy(socket.AF_INET, Protocol.TCP, absent) == errno.ENOENT
        return self._can_destroy

    def flows_to(self, endpoints: Iterable[Endpoint], spare_mark: int) -> list[tuple[Address, Address]]:
        """Near and far address of every established TCP flow to these, those with `spare_mark` left out."""
        wanted = {endpoint for endpoint in endpoints if endpoint.protocol is Protocol.TCP}
        return [
            (found.local, (remote.address, remote.port))
            for found in (self._all(Protocol.TCP, _ESTABLISHED) if wanted else ())
            if (remote := found.remote(Protocol.TCP)) in wanted and found.mark != spare_mark
        ]

    def destroy_all(self, endpoints: Iterable[Endpoint], spare_mark: int) -> int:
        """Destroy every socket connected to one of `endpoints`, those with `spare_mark` left out. Returns how many."""
        doomed = set(endpoints)
        destroyed = 0
        for protocol in {endpoint.protocol for endpoint in doomed} & _NUMBERS.keys():
            states = _ALL_STATES & ~_LISTEN & ~_TIME_WAIT
            for found in list(self._all(protocol, states)):
                if found.mark == spare_mark or found.remote(protocol) not in doomed:
                    continue
                destroyed += self._destroy(found.family, protocol, found.identity) == 0
        return destroyed

    def _all(self, protocol: Protocol, states: int, local_port: int = 0) -> Iterator[_Found]:
        """Every socket in `states`; with a local port, only those on it (the kernel filters)."""
        for family in (socket.AF_INET, socket.AF_INET6):
            identity = struct.pack(">H", local_port) + bytes(46)
            self._send(_BY_FAMILY, DUMP, _request(family, protocol, states, identity))
            for kind, payload in self._receive():
                if kind in (NLMSG_DONE, NLMSG_ERROR):
                    break
                yield _found(payload)

    def _destroy(self, family: int, protocol: Protocol, identity: bytes) -> int:
        """The errno of the attempt; 0 when the socket is gone."""
        self._send(_DESTROY, ACK, _request(family, protocol, _ALL_STATES, identity))
        for kind, payload in self._receive():
            if kind == NLMSG_ERROR:
                return error_of(payload)
        return 0

    def _send(self, kind: int, flags: int, body: bytes) -> None:
        self._sequence += 1
        header = _HEADER.pack(_HEADER.size + len(body), kind, REQUEST | flags, self._sequence, 0)
        self._socket.send(header + body)

    def _receive(self) -> Iterator[tuple[int, memoryview]]:
        """Answers to the last request, left-overs of an earlier one passed over."""
        while True:
            for kind, sequence, payload in messages(self._socket.recv(1 << 16)):
                if sequence == self._sequence:
                    yield kind, payload


def _identity(family: int, near: Address, far: Address, device: int = 0) -> bytes:
    ports, addresses = struct.pack(">HH", near[1], far[1]), _packed(family, near[0]) + _packed(family, far[0])
    return ports + addresses + struct.pack("=I", device) + _NO_COOKIE


def _pinging(is_six: bool, identifier: int) -> SocketOwner | None:
    """The ping socket with this identifier. sock_diag has none of them; a table in /proc of our own network does."""
    try:
        table = Path("/proc/thread-self/net", "icmp6" if is_six else "icmp").read_text()
    except OSError:  # a kernel without IPv6
        return None
    for line in table.splitlines()[1:]:
        words = line.split()
        if int(words[1].rpartition(":")[2], 16) == identifier:
            return SocketOwner(inode=int(words[9]), uid=int(words[7]))
    return None


def _packed(family: int, address: str) -> bytes:
    if ":" in address:
        return socket.inet_pton(socket.AF_INET6, address)
    packed = socket.inet_pton(socket.AF_INET, address)
    return _MAPPED + packed if family == socket.AF_INET6 else packed + bytes(12)


def _request(family: int, protocol: Protocol, states: int, identity: bytes) -> bytes:
    return struct.pack("=BBBxI", family, _NUMBERS[protocol], 0, states) + identity


def _owner(payload: memoryview) -> SocketOwner:
    uid, inode = _OWNER.unpack_from(payload, _OWNER_AT)
    return SocketOwner(inode, uid)


def _found(payload: memoryview) -> _Found:
    mark = by_kind(payload[_ATTRIBUTES_AT:]).get(_MARK)
    return _Found(
        payload[0],
        bytes(payload[4:52]),
        _owner(payload),
        int.from_bytes(mark, sys.byteorder) if mark is not None else 0,
    )
