"""One flow in a lane: two sockets, and the bytes between them.

Each direction is read only as fast as it is written on, so that whoever sends too fast is held up by the kernel, as
without us; what waits for its time waits here, within bounds that hold for a flow and for all together. The end of one
direction is passed on by itself (half-close), a reset as a reset.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable

from belljar_tui.agent.lane_pace import Pace, Wire

_FLOW_AT_MOST = 2 << 20
"""Bytes that one direction may have waiting: with a delay of 0.2 s, 10 MB/s."""
RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: what makes a close a reset."""
_WHEN_FULL = 4096
"""What a direction that has nothing waiting may still take when all the room is taken: no flow stands for others."""
_RETRY_S = 0.02
_EARLY_S = 0.0005
"""The loop's clock is not finer."""


class Room:
    """Bytes that all flows together may have waiting here."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self.used = 0

    @property
    def is_full(self) -> bool:
        return self.used >= self._at_most


class Line:
    """One direction.

    Args:
        pace: how its bytes go now.
        is_delayed: the delay of a round trip falls on this direction.
        on_end: it has passed on its source's end; True: it broke, and the other end is to be reset.
    """

    __slots__ = (
        "_due", "_is_delayed", "_is_reading", "_is_writing", "_loop", "_on_end", "_pace", "_room", "_size", "_source",
        "_target", "_timer", "_waiting", "_wire", "is_done",
    )  # fmt: skip

    def __init__(
        self,
        source: socket.socket,
        target: socket.socket,
        wire: Wire,
        room: Room,
        pace: Callable[[], Pace],
        on_end: Callable[[bool], None],
        *,
        is_delayed: bool,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._source, self._target = source, target
        self._wire, self._room, self._pace, self._on_end = wire, room, pace, on_end
        self._is_delayed = is_delayed
        self._waiting: deque[tuple[float, bytes]] | None = None
        """When, and what; an empty piece is the end. None until something has had to wait."""
        self._size = 0
        self._due = 0.0
        self._is_reading = self._is_writing = self.is_done = False
        self._timer: asyncio.TimerHandle | None = None

    def go_on(self) -> None:
        """Begin, or look anew at how it is to go."""
        if self.is_done:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._pace().is_stalled:
            self._read(False)
            self._write(False)
            return
        if self._waiting:
            self._flush()
        else:
            self._read(True)

    def close(self) -> None:
        """Let go of both sockets, which are another's to close, and of what waits."""
        self._read(False)
        self._write(False)
        if self._timer is not None:
            self._timer.cancel()
        self._room.used -= self._size
        self._size = 0
        self._waiting = None
        self.is_done = True

    def _on_readable(self) -> None:
        pace, now = self._pace(), self._loop.time()
        wait_s = self._wire.wait_s(now) if pace.bytes_per_s is not None else 0.0
        if self._room.is_full and self._size:
            wait_s = max(wait_s, _RETRY_S)
        if wait_s > _EARLY_S:
            self._read(False)
            self._later(now + wait_s)
            return
        try:
            data = self._source.recv(min(pace.piece, _WHEN_FULL) if self._room.is_full else pace.piece)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._on_end(True)
            return
        due = self._wire.sent_at(now, len(data), pace.bytes_per_s) + (pace.wait_s() if self._is_delayed else 0.0)
        self._due = max(self._due, due)
        if not data:
            self._read(False)
        if data and not self._waiting and self._due <= now + _EARLY_S:
            self._send(data)
        else:
            self._keep(data)
            self._flush()

    def _send(self, data: bytes) -> None:
        """At once; what the target does not take waits."""
        try:
            sent = self._target.send(data)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError:
            self._on_end(True)
            return
        if sent < len(data):
            self._keep(data[sent:])
            self._read(False)
            self._write(True)

    def _keep(self, data: bytes) -> None:
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append((self._due, data))
        self._size += len(data)
        self._room.used += len(data)
        if self._size >= _FLOW_AT_MOST:
            self._read(False)

    def _flush(self) -> None:
        """Send whatever is due; come back for the rest when it is, or when the target takes it."""
        waiting = self._waiting
        if self._pace().is_stalled:
            self.go_on()
            return
        now = self._loop.time()
        if waiting is None:
            return
        while waiting and waiting[0][0] <= now + _EARLY_S:
            data = waiting[0][1]
            if not data:
                self._end()
                return
            try:
                sent = self._target.send(data)
            except (BlockingIOError, InterruptedError):
                self._write(True)
                return
            except OSError:
                self._on_end(True)
                return
            self._size -= sent
            self._room.used -= sent
            if sent == len(data):
                waiting.popleft()
            else:
                waiting[0] = (waiting[0][0], data[sent:])
        self._write(False)
        if waiting:
            self._later(waiting[0][0])
        else:
            self._waiting = None
        has_ended = bool(waiting) and not waiting[-1][1]
        if self._size < _FLOW_AT_MOST and not has_ended:
            self._read(True)

    def _end(self) -> None:
        with contextlib.suppress(OSError):  # the target is gone already
            self._target.shutdown(socket.SHUT_WR)
        self.close()
        self._on_end(False)

    def _later(self, at: float) -> None:
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = self._loop.call_at(at, self._on_time)

    def _on_time(self) -> None:
        self._timer = None
        self.go_on()

    def _read(self, wanted: bool) -> None:
        if wanted is self._is_reading:
            return
        self._is_reading = wanted
        if wanted:
            self._loop.add_reader(self._source.fileno(), self._on_readable)
        else:
            self._loop.remove_reader(self._source.fileno())

    def _write(self, wanted: bool) -> None:
        if wanted is self._is_writing:
            return
        self._is_writing = wanted
        if wanted:
            self._loop.add_writer(self._target.fileno(), self._flush)
        else:
            self._loop.remove_writer(self._target.fileno())


class LaneFlow:
    """A caller and whom it called, until both have ended or one has broken.

    Args:
        wires: of what is sent, and of what comes back.
        on_closed: both sockets are closed.
    """

    __slots__ = ("_callee", "_caller", "_lines", "_on_closed")

    def __init__(
        self,
        caller: socket.socket,
        callee: socket.socket,
        wires: tuple[Wire, Wire],
        room: Room,
        pace: Callable[[], Pace],
        on_closed: Callable[[LaneFlow], None],
    ) -> None:
        self._caller, self._callee = caller, callee
        self._on_closed = on_closed
        for each in (caller, callee):
            each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._lines = (
            Line(caller, callee, wires[0], room, pace, self._on_end, is_delayed=False),
            Line(callee, caller, wires[1], room, pace, self._on_end, is_delayed=True),
        )

    def go_on(self) -> None:
        """Begin, or look anew at how it is to go."""
        for line in self._lines:
            line.go_on()

    def caller_state(self) -> int:
        """The TCP state of the caller's end, as Linux numbers them."""
        return self._caller.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]

    def caller_address(self) -> tuple[str, int]:
        """Where the caller calls from. Raises OSError when it is gone."""
        address = self._caller.getpeername()
        return address[0], address[1]

    def break_off(self) -> None:
        """Reset both ends."""
        self._close(is_broken=True)

    def _on_end(self, is_broken: bool) -> None:
        if is_broken or all(line.is_done for line in self._lines):
            self._close(is_broken=is_broken)

    def _close(self, *, is_broken: bool) -> None:
        if self._caller.fileno() < 0:
            return
        for line in self._lines:
            line.close()
        for each in (self._caller, self._callee):
            if is_broken:
                with contextlib.suppress(OSError):
                    each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            each.close()
        self._on_closed(self)
