"""Unix sockets as the kernel has them, in the jar and on the machine around it.

unix_diag lists the sockets of the network namespace that the *netlink socket* was made in. The machine's is therefore
inherited: opened before the jar's namespaces are made, it goes on to show the machine's. Layout: linux/unix_diag.h.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator

import msgspec

from belljar_tui.agent.netlink import DUMP, NLMSG_DONE, NLMSG_ERROR, REQUEST, by_kind, messages

_SOCK_DIAG, _BY_FAMILY = 4, 20
_SHOW_NAME, _SHOW_VFS, _SHOW_PEER = 1, 2, 4
_NAME, _VFS, _PEER = 0, 1, 2
_ESTABLISHED = 1
_ALL = 0xFFFFFFFF
_FOUND = struct.Struct("=BBBxI")
_ATTRIBUTES_AT = 16

File = tuple[int, int]
"""Device and inode number, as `stat` has them; of the inode number the kernel tells 32 bits."""


class UnixSocket(msgspec.Struct, frozen=True):
    """One that is bound to a path, or has a peer."""

    inode: int
    """Of the socket, as in /proc/PID/fd."""
    kind: int
    """SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET."""
    path: str
    """As it was given to bind(2); of an accepted connection, the listener's. Empty: none, or an abstract name."""
    file: File | None
    """The file that it is bound to."""
    peer: int
    """The peer's inode; 0: none, or in nobody's hands yet."""
    is_connection: bool


def file_of(status: os.stat_result) -> File:
    """What `status` is of, in the table's terms."""
    return status.st_dev, status.st_ino & _ALL


class UnixTable:
    """The sockets of one network namespace.

    Args:
        descriptor: of a netlink socket made there (see `open_diagnostics`); it is ours from now on. None: our own.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._socket = socket.socket(fileno=descriptor) if descriptor is not None else open_diagnostics()
        self._sequence = 0

    def all(self) -> list[UnixSocket]:
        """Every one with a path or a peer. Raises OSError when the kernel does not tell (no UNIX_DIAG)."""
        self._sequence += 1
        body = struct.pack("=BBHIIIII", socket.AF_UNIX, 0, 0, _ALL, 0, _SHOW_NAME | _SHOW_VFS | _SHOW_PEER, _ALL, _ALL)
        header = struct.pack("=IHHII", 16 + len(body), _BY_FAMILY, REQUEST | DUMP, self._sequence, 0)
        self._socket.send(header + body)
        return list(self._answers())

    def _answers(self) -> Iterator[UnixSocket]:
        while True:
            for kind, sequence, payload in messages(self._socket.recv(1 << 16)):
                if sequence != self._sequence:
                    continue
                if kind == NLMSG_ERROR:
                    number = -int(struct.unpack_from("=i", payload)[0])
                    raise OSError(number, os.strerror(number), "unix_diag")
                if kind == NLMSG_DONE:
                    return
                yield _socket_in(payload)


def open_diagnostics() -> socket.socket:
    """A netlink socket that tells of the sockets of the network namespace we are in now."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG)


def _socket_in(payload: memoryview) -> UnixSocket:
    _, kind, state, inode = _FOUND.unpack_from(payload)
    found = by_kind(payload[_ATTRIBUTES_AT:])
    name = bytes(found.get(_NAME, b""))
    path = "" if name.startswith(b"\0") else os.fsdecode(name.rstrip(b"\0"))
    file: File | None = None
    if _VFS in found:
        number, device = struct.unpack("=II", found[_VFS])
        file = os.makedev(device >> 20, device & 0xFFFFF), number
    peer = struct.unpack("=I", found[_PEER])[0] if _PEER in found else 0
    return UnixSocket(inode, kind, path, file, peer, state == _ESTABLISHED)
