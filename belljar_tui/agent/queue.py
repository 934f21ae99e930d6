"""Calls that met a cut, held by the kernel until somebody has looked at them.

While the packet waits the calling socket still exists, so its process can be found. Then it is let go, always with
`accept`: the decision is made by the `enforce` chain behind us, never here. Only a call that is to enter a lane waits
longer, until its lane has reached whom it calls. Layout: linux/netfilter/nfnetlink_queue.h.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import struct
import time
from collections.abc import Callable

from belljar_tui.agent.netlink import (
    ACK,
    NLMSG_ERROR,
    Message,
    NetlinkError,
    attribute,
    be32,
    by_kind,
    error_of,
    messages,
    open_socket,
    pack,
)
from belljar_tui.agent.packets import Flow, parse

_SUBSYSTEM = 3
_PACKET, _VERDICT, _CONFIG = 0, 1, 2
_CFG_CMD, _CFG_PARAMS, _CFG_MAXLEN, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_FAIL_OPEN = 1
_MARK = 3
_COPIED = 64
_LENGTH = 8192
_BEHIND_S = 0.2
_AT_ONCE = 64
_DEVICE = 6
"""NFQA_IFINDEX_OUTDEV."""
_DROP, _ACCEPT = 0, 1
LetGo = Callable[[int | None], None]
"""Lets a held call go, once: with a mark (0 is none) that the chains behind it know, or (None) into silence."""


class CallQueue:
    """Reads one queue. Raises NetlinkError from `start` when this kernel has no queue."""

    def __init__(
        self, number: int, on_call: Callable[[Flow], object], on_lost: Callable[[int], None], length: int = _LENGTH
    ) -> None:
        """`length`: how many calls it holds at most; those beyond pass it, unseen. Of 0 it holds none: they pass in the
        kernel, and to their sender are sent."""
        self._number = number
        self._on_call = on_call
        self._on_lost = on_lost
        self._length = length
        self.on_behind: Callable[[], object] | None = None
        """Called when there was no end to held calls for _BEHIND_S; again and again, until there is."""
        self._busy_since: float | None = None
        self._socket = open_socket(8 << 20)

    def start(self) -> None:
        """Bind the queue; from now on held calls come to `on_call`, in the running event loop."""
        self._configure(attribute(_CFG_CMD, struct.pack(">BxH", 1, 0)))
        self._configure(attribute(_CFG_PARAMS, struct.pack(">IB", _COPIED, 2)) + be32(_CFG_MAXLEN, self._length))
        self._configure(be32(_CFG_FLAGS, _FAIL_OPEN) + be32(_CFG_MASK, _FAIL_OPEN))
        self._socket.setblocking(False)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._read)

    @property
    def is_behind(self) -> bool:
        return self._busy_since is not None and time.monotonic() - self._busy_since > _BEHIND_S

    def close(self) -> None:
        if not self._socket.getblocking():
            asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _configure(self, body: bytes) -> None:
        message = Message(_SUBSYSTEM << 8 | _CONFIG, body, ACK, socket.AF_UNSPEC, self._number)
        self._socket.send(pack(message, 1))
        for kind, _, payload in messages(self._socket.recv(1 << 16)):
            if kind == NLMSG_ERROR and error_of(payload):
                raise NetlinkError(error_of(payload))

    def _read(self) -> None:
        """Some held packets; the loop gets its turn between."""
        if self._busy_since is None:
            self._busy_since = time.monotonic()
        if self.is_behind and self.on_behind is not None:
            self.on_behind()
        for _ in range(_AT_ONCE):
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                self._busy_since = None
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._on_lost(1)
                continue
            for kind, _sequence, payload in messages(data):
                if kind == _SUBSYSTEM << 8 | _PACKET:
                    self._look(payload)

    def _look(self, payload: memoryview) -> None:
        fields = by_kind(payload[4:])
        number: int = struct.unpack_from(">I", fields[1])[0]
        try:
            packet = fields.get(10)
            flow = parse(packet, int.from_bytes(fields.get(_DEVICE, b""), "big")) if packet is not None else None
            if flow is not None:
                self._on_call(flow)
        finally:  # whatever went wrong in looking, a packet is never kept
            self._let_go(number, 0)

    def _let_go(self, number: int, mark: int | None) -> None:
        body = attribute(2, struct.pack(">II", _DROP if mark is None else _ACCEPT, number))
        if mark:
            body += be32(_MARK, mark)
        self._socket.send(pack(Message(_SUBSYSTEM << 8 | _VERDICT, body, 0, 0, self._number), 0))


class WaitingRoom(CallQueue):
    """A queue whose calls are let go one by one, each when its time has come."""

    def __init__(self, number: int, on_call: Callable[[Flow, LetGo], object], on_lost: Callable[[int], None]) -> None:
        super().__init__(number, lambda _: None, on_lost)
        self._on_waiting = on_call

    def _look(self, payload: memoryview) -> None:
        fields = by_kind(payload[4:])
        number: int = struct.unpack_from(">I", fields[1])[0]
        packet = fields.get(10)
        flow = parse(packet) if packet is not None else None
        if flow is None:
            self._let_go(number, 0)
        else:
            self._on_waiting(flow, lambda mark: self._let_go(number, mark))
