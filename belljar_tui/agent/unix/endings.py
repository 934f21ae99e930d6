"""Ends connections that were made before a cut, as the death of the server would end them.

The kernel destroys no unix sockets for us (SOCK_DESTROY is for TCP and UDP), but lets a tracer take a copy of another
process's descriptor: through that a stream is shut down, both ways, and a datagram socket gets a peer that then dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from belljar_tui.agent.unix.masks import Masks
from belljar_tui.agent.unix.table import File, UnixSocket

_PIDFD_GETFD = 438
_libc = ctypes.CDLL(None, use_errno=True)


def end_connections(
    servers: Collection[File], jar: Sequence[UnixSocket], machine: Sequence[UnixSocket], masks: Masks
) -> None:
    """End what processes of the jar have open to the sockets bound to `servers`."""
    streams = {each.peer for each in jar if each.file in servers and each.is_connection and each.peer}
    takers = {each.inode for each in machine if each.file in servers and each.kind == socket.SOCK_DGRAM}
    datagrams = {each.inode for each in jar if each.peer in takers}
    for copy in _copies(streams):
        with copy, contextlib.suppress(OSError):
            copy.shutdown(socket.SHUT_RDWR)
    for copy in _copies(datagrams):
        peer, address = masks.dead_peer()
        with copy, peer, contextlib.suppress(OSError):
            copy.connect(address)
        Path(address).unlink()


def _copies(inodes: Collection[int]) -> Iterator[socket.socket]:
    """A copy of each of these sockets, from whoever in the jar has it open."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    for pid in (name for name in os.listdir("/proc") if name.isdigit() and wanted):
        for number in _numbers(pid):
            with contextlib.suppress(OSError):
                link = os.readlink(f"/proc/{pid}/fd/{number}")
                if link in wanted and int(pid) != os.getpid():
                    yield socket.socket(fileno=_taken(int(pid), int(number)))
                    wanted.discard(link)


def _numbers(pid: str) -> list[str]:
    try:
        return os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return []


def _taken(pid: int, number: int) -> int:
    """A copy of another process's descriptor. Raises OSError."""
    process = os.pidfd_open(pid)
    try:
        descriptor: int = _libc.syscall(_PIDFD_GETFD, process, number, 0)
    finally:
        os.close(process)
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), "pidfd_getfd")
    return descriptor
