"""Events out, without ever making enforcement wait for a slow reader."""

from __future__ import annotations

import asyncio
import os
import select
from collections import deque
from collections.abc import Callable

from belljar_tui.core import events as ev
from belljar_tui.wire.silence import BEAT

_KEPT_BYTES = 16 << 20
_DRAIN_S = 1.0


class EventWriter:
    """Writes events to a pipe. Beyond 16 MiB unread, events are dropped, counted, and the count is said."""

    def __init__(self, descriptor: int, now: Callable[[], float]) -> None:
        self._descriptor = descriptor
        self._now = now
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        self._lost = 0
        self._is_watching = False
        os.set_blocking(descriptor, False)

    def emit(self, event: ev.AnyEvent) -> None:
        """Queue one event."""
        if self._waiting > _KEPT_BYTES:
            self._lost += 1
            return
        if self._lost:
            lost, self._lost = self._lost, 0
            self.emit(ev.EventsLost(at=self._now(), source="output", count=lost))
        line = ev.encode(event) + b"\n"
        self._lines.append(line)
        self._waiting += len(line)
        self._write()

    def beat(self) -> None:
        """Say that we are there, unless what is on its way says it."""
        if not self._lines:
            self._lines.append(BEAT)
            self._waiting += len(BEAT)
            self._write()

    def drain(self) -> None:
        """Write what is left, for at most a second: for the very end."""
        while self._lines and select.select([], [self._descriptor], [], _DRAIN_S)[1]:
            self._write()

    def _write(self) -> None:
        while self._lines:
            line = self._lines[0]
            try:
                written = os.write(self._descriptor, line)
            except BlockingIOError:
                break
            except BrokenPipeError:
                os._exit(0)  # nobody is there to tell us what to do: end, and the jar with us
            self._waiting -= written
            if written == len(line):
                self._lines.popleft()
            else:
                self._lines[0] = line[written:]
        self._watch(bool(self._lines))

    def _watch(self, is_needed: bool) -> None:
        if is_needed == self._is_watching:
            return
        self._is_watching = is_needed
        loop = asyncio.get_running_loop()
        if is_needed:
            loop.add_writer(self._descriptor, self._write)
        else:
            loop.remove_writer(self._descriptor)
