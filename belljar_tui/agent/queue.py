"""Calls that met a cut, held by the kernel until somebody has looked at them.

While the packet waits the calling socket still exists, so its process can be found. Then it is let go, always with
`accept`: the decision is made by the `enforce` chain behind us, never here. Only a call that is to enter a lane waits
longer, until its lane has reached whom it calls. Layout: linux/netfilter/nfnetlink_queue.h.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

from belljar_tui.agent.netlink import Message, attribute, be32, by_kind, pack
from belljar_tui.agent.packet_reader import PacketReader
from belljar_tui.agent.packets import Flow, parse
from belljar_tui.core.model import Endpoint

_SUBSYSTEM, _CONFIG = 3, 2
_VERDICT = 1
_CFG_CMD, _CFG_PARAMS, _CFG_MAXLEN, _CFG_MASK, _CFG_FLAGS = 1, 2, 3, 4, 5
_FAIL_OPEN, _WHOLE = 1, 4
"""What is above the length passes; what the device is to cut into packets (NFQA_CFG_F_GSO) is not cut here."""
_MARK = 3
_COPIED = 64
_LENGTH = 8192
_BEHIND_S = 0.2
_DEVICE, _PACKET, _WHOLE_LENGTH = 6, 10, 13
"""NFQA_IFINDEX_OUTDEV, NFQA_PAYLOAD, and NFQA_CAP_LEN: given where less was copied."""
_MORE_THAN_FITS = 32768
"""More packets than are held and than our socket takes: so the kernel drops none before it has numbered it."""
_DROP, _ACCEPT = 0, 1
LetGo = Callable[[int | None], None]
"""Lets a held call go, once: with a mark (0 is none) that the chains behind it know, or (None) into silence."""


class CallQueue(PacketReader):
    """Reads one queue. Raises NetlinkError from `start` when this kernel has no queue."""

    def __init__(
        self, number: int, on_call: Callable[[Flow], object], on_lost: Callable[[int], None], length: int = _LENGTH
    ) -> None:
        """`length`: how many calls it holds at most; those beyond pass it, unseen. Of 0 it holds none: they pass in the
        kernel, and to their sender are sent."""
        super().__init__(_SUBSYSTEM, _CONFIG, number, on_lost)
        self._on_call = on_call
        self._length = length
        self._flag = _FAIL_OPEN
        self.on_behind: Callable[[], object] | None = None
        """Called when there was no end to held calls for _BEHIND_S; again and again, until there is."""
        self._busy_since: float | None = None

    def start(self) -> None:
        """Bind the queue; from now on held calls come to `on_call`, in the running event loop."""
        self._configure(attribute(_CFG_CMD, struct.pack(">BxH", 1, 0)))
        self._configure(attribute(_CFG_PARAMS, struct.pack(">IB", _COPIED, 2)) + be32(_CFG_MAXLEN, self._length))
        self._configure(be32(_CFG_FLAGS, self._flag) + be32(_CFG_MASK, self._flag))
        self._listen()

    @property
    def is_behind(self) -> bool:
        return self._busy_since is not None and time.monotonic() - self._busy_since > _BEHIND_S

    def _read(self) -> bool:
        if self._busy_since is None:
            self._busy_since = time.monotonic()
        if self.is_behind and self.on_behind is not None:
            self.on_behind()
        is_empty = self._read_some()
        if is_empty:
            self._busy_since = None
        return is_empty

    def _look(self, payload: memoryview) -> None:
        fields = by_kind(payload[4:])
        number: int = struct.unpack_from(">I", fields[1])[0]
        try:
            packet = fields.get(_PACKET)
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
        packet = fields.get(_PACKET)
        flow = parse(packet) if packet is not None else None
        if flow is None:
            self._let_go(number, 0)
        else:
            self._on_waiting(flow, lambda mark: self._let_go(number, mark))


class DatagramRoom(CallQueue):
    """A queue whose packets are let go one by one; one that our socket has no room for is dropped."""

    def __init__(
        self, number: int, on_datagram: Callable[[Endpoint, int, LetGo], object], on_lost: Callable[[int], None]
    ) -> None:
        """
        Args:
            on_datagram: told whom a packet goes to, its bytes with its headers, and what lets it go.
            on_lost: told how many were dropped, when the next one comes.
        """
        super().__init__(number, lambda _: None, lambda _: None, _MORE_THAN_FITS)
        self._on_datagram = on_datagram
        self._on_dropped = on_lost
        self._flag = _WHOLE
        self._last = 0
        """The kernel numbers packets from 1, and the next one also after one that it could not give us."""

    def _look(self, payload: memoryview) -> None:
        fields = by_kind(payload[4:])
        number: int = struct.unpack_from(">I", fields[1])[0]
        missed, self._last = (number - self._last - 1) % (1 << 32), number
        packet = fields.get(_PACKET)
        flow = parse(packet) if packet is not None else None
        if packet is None or flow is None:  # nobody could say how late it is to be, and it is not to be early
            self._let_go(number, None)
            missed += 1
        if missed:
            self._on_dropped(missed)
        if packet is not None and flow is not None:
            size = int.from_bytes(fields[_WHOLE_LENGTH], "big") if _WHOLE_LENGTH in fields else len(packet)
            self._on_datagram(flow.endpoint, size, lambda mark: self._let_go(number, mark))
