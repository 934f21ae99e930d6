"""Packets that the kernel hands to a netlink socket of ours: what a queue and a log group have in common."""

from __future__ import annotations

import asyncio
import errno
import socket
import time
from collections.abc import Callable

from belljar_tui.agent.netlink import (
    ACK,
    NLMSG_ERROR,
    Message,
    NetlinkError,
    error_of,
    messages,
    open_socket,
    pack,
)

_PACKET = 0
_AT_ONCE = 64


class PacketReader:
    """Reads one numbered source (a queue, a group) of a netfilter subsystem.

    Args:
        config: the subsystem's message that configures a source.
        on_lost: told when the kernel dropped some: it says only *that* it did, not how many.
    """

    def __init__(self, subsystem: int, config: int, number: int, on_lost: Callable[[int], None]) -> None:
        self._subsystem, self._config, self._number = subsystem, config, number
        self._on_lost = on_lost
        self._socket = open_socket(8 << 20)

    def close(self) -> None:
        if not self._socket.getblocking():
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _configure(self, body: bytes) -> None:
        """Raises NetlinkError when the kernel refuses, or has no such subsystem."""
        message = Message(self._subsystem << 8 | self._config, body, ACK, socket.AF_UNSPEC, self._number)
        self._socket.send(pack(message, 1))
        for kind, _, payload in messages(self._socket.recv(1 << 16)):
            if kind == NLMSG_ERROR and error_of(payload):
                raise NetlinkError(error_of(payload))

    def _listen(self) -> None:
        """From now on packets come to `_look`, in the running event loop."""
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    def read_waiting(self, until: float) -> bool:
        """What waits, and what comes meanwhile; not beyond `until`, a time of time.monotonic(). Returns whether nothing
        waits any more."""
        while not (is_empty := self._read()) and time.monotonic() < until:
            pass
        return is_empty

    def _read(self) -> bool:
        """What the event loop calls. Returns whether there are no more."""
        return self._read_some()

    def _read_some(self) -> bool:
        """Some packets; the loop gets its turn between. Returns whether there are no more."""
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return True
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._on_lost(1)
                continue
            for kind, _sequence, payload in messages(data):
                if kind == self._subsystem << 8 | _PACKET:
                    self._look(payload)
        return False

    def _look(self, payload: memoryview) -> None:
        """One packet's attributes, behind the netfilter header."""
        raise NotImplementedError
