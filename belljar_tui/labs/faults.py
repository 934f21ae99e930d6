"""How a host of a lab is broken: by its world, so that nothing in the jar knows more than in a real incident.

A broken host is served on an address of the world's own loopback, and a front stands at the host's address and fails
for it. `auth.lab=dead`, `reports.lab=slow:3`, `dns=hang@6` (six seconds after the world was made).
"""

from __future__ import annotations

import asyncio
import contextlib

from belljar_tui.core.drill import Fault
from belljar_tui.core.model import How

_CHUNK = 65536


class Front:
    """Stands at a host's address; passes everything on until its fault begins."""

    def __init__(self, fault: Fault, inner: tuple[str, int]) -> None:
        self._fault = fault
        self._inner = inner
        self._is_broken = False
        self._open: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def serve(self, address: str) -> None:
        """Listen there, unless it is dead from the beginning."""
        if self._fault.how is How.DEAD and not self._fault.after_s:
            return
        self._server = await asyncio.start_server(self._talk, address, self._inner[1])
        asyncio.get_running_loop().call_later(self._fault.after_s, self._break)

    def _break(self) -> None:
        self._is_broken = True
        if self._fault.how is How.DEAD and self._server is not None:
            self._server.close()
            for writer in self._open:
                writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        inner: asyncio.StreamWriter | None = None
        try:
            answers, inner = await asyncio.open_connection(*self._inner)
            ways = (self._pass_on(reader, inner, 0.0), self._pass_on(answers, writer, self._fault.delay_s))
            tasks = [asyncio.ensure_future(way) for way in ways]
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
        finally:
            self._open.discard(writer)
            for end in (writer, inner):
                if end is not None:
                    end.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay_s: float) -> None:
        with contextlib.suppress(OSError):  # either end went away
            while data := await reader.read(_CHUNK):
                if self._is_broken and self._fault.how is How.HANG:
                    continue
                if self._is_broken and self._fault.how is How.SLOW:
                    await asyncio.sleep(delay_s)
                writer.write(data)
                await writer.drain()
