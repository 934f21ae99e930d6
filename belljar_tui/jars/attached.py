"""The streams of a container, over the one connection that the engine gives for them.

Without a terminal the engine frames what comes out: one byte for the stream (1 stdout, 2 stderr), three of padding,
four for the length, and then as many bytes of it (Docker's API reference, "attach to a container").
"""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator
from typing import Any, Self

_HEADER = struct.Struct(">BxxxL")
STDOUT, STDERR = 1, 2
_CHUNK_BYTES = 1 << 16
_LINE_BYTES = 16 << 20
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Attached:
    """Writes to stdin; reads what comes, framed as it comes, in whatever pieces the connection delivers it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kept: object) -> None:
        self._reader = reader
        self._writer = writer
        self._kept = kept
        """The SDK's own object: the connection is closed when it is collected."""

    @classmethod
    async def open(cls, given: Any) -> Self:
        """From what the SDK's `attach_socket` returned: a plain socket in some wrapping, or TLS."""
        plain = getattr(given, "_sock", given)
        if type(plain) is socket.socket:
            ours = plain.dup()
        else:
            ours, theirs = socket.socketpair()
            _bridge(plain, theirs)
        ours.setblocking(False)
        reader, writer = await asyncio.open_connection(sock=ours, limit=_LINE_BYTES)
        return cls(reader, writer, given)

    async def write(self, data: bytes) -> None:
        """Raises ConnectionError when the other side is gone."""
        self._writer.write(data)
        await self._writer.drain()

    async def frames(self) -> AsyncIterator[tuple[int, bytes]]:
        """Stream number and bytes, until the container ends."""
        while True:
            try:
                kind, size = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
                while size:
                    data = await self._reader.read(min(size, _CHUNK_BYTES))
                    if not data:
                        return
                    size -= len(data)
                    yield kind, data
            except (asyncio.IncompleteReadError, ConnectionError):
                return

    def close(self) -> None:
        """Let go; to the container, stdin ends. Safe to call twice."""
        self._writer.close()
        with contextlib.suppress(OSError, AttributeError):
            self._kept.close()  # type: ignore[attr-defined]


class Lines:
    """Whole lines out of pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def take(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes, without their ends."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        return whole

    @property
    def rest(self) -> bytes:
        """What came after the last line end."""
        return self._rest


def _bridge(odd: Any, ours: socket.socket) -> None:
    """Copy both ways between a TLS connection, which asyncio cannot take from others, and one that it can.

    In one thread: until Python 3.13 nothing keeps two from being inside one TLS connection at once.
    """
    threading.Thread(target=_pump, args=(odd, ours), name="engine-tls", daemon=True).start()


def _pump(tls: Any, plain: socket.socket) -> None:
    """Until either side ends; what was said up to then is passed on."""
    to_tls, to_plain = bytearray(), bytearray()
    waiting = select.poll()
    with contextlib.suppress(OSError, ValueError), plain, tls:
        for each in (tls, plain):
            each.setblocking(False)
        is_open = True
        while is_open or to_tls or to_plain:
            waiting.register(tls, _interest(to_plain, to_tls))
            waiting.register(plain, _interest(to_tls, to_plain))
            waiting.poll(0 if tls.pending() and len(to_plain) < _CHUNK_BYTES else None)
            _give(plain, to_plain)
            _give(tls, to_tls)
            is_open = is_open and _take(tls, to_plain) and _take(plain, to_tls)


def _interest(taken: bytearray, to_give: bytearray) -> int:
    reading = select.POLLIN if len(taken) < _CHUNK_BYTES else 0
    return reading | (select.POLLOUT if to_give else 0)


def _take(source: Any, into: bytearray) -> bool:
    """What there is, up to a limit; False at its end."""
    if len(into) >= _CHUNK_BYTES:
        return True
    try:
        data = source.recv(_CHUNK_BYTES)
    except _NOT_NOW:
        return True
    into += data
    return bool(data)


def _give(sink: Any, data: bytearray) -> None:
    if data:
        with contextlib.suppress(*_NOT_NOW):
            del data[: sink.send(data)]
