"""Frames and lines, in whatever pieces a connection delivers them."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.jars.attached import STDERR, STDOUT, Attached, Lines

FRAMES = st.lists(st.tuples(st.sampled_from([STDOUT, STDERR]), st.binary(min_size=1, max_size=300)), max_size=8)


def framed(frames: list[tuple[int, bytes]]) -> bytes:
    return b"".join(struct.pack(">BxxxL", kind, len(data)) + data for kind, data in frames)


def pieces(data: bytes, sizes: list[int]) -> list[bytes]:
    found = []
    for size in sizes:
        found.append(data[:size])
        data = data[size:]
    return [*found, data]


async def read(chunks: list[bytes]) -> dict[int, bytes]:
    """What `Attached` makes of the chunks, by stream."""
    ours, theirs = socket.socketpair()
    attached = await Attached.open(ours)
    found: dict[int, bytes] = {STDOUT: b"", STDERR: b""}
    for chunk in chunks:
        theirs.sendall(chunk)
        await asyncio.sleep(0)
    theirs.close()
    async for kind, data in attached.frames():
        found[kind] += data
    attached.close()
    return found


@given(frames=FRAMES, sizes=st.lists(st.integers(0, 20), max_size=10))
def test_streams_come_out_whole_however_they_were_cut(frames: list[tuple[int, bytes]], sizes: list[int]) -> None:
    found = asyncio.run(read(pieces(framed(frames), sizes)))
    for stream in (STDOUT, STDERR):
        assert found[stream] == b"".join(data for kind, data in frames if kind == stream)


def test_a_frame_that_breaks_off_gives_what_came() -> None:
    assert asyncio.run(read([struct.pack(">BxxxL", STDOUT, 100) + b"half"]))[STDOUT] == b"half"
    assert asyncio.run(read([b"\1\0"]))[STDOUT] == b""


@given(data=st.binary(max_size=200), sizes=st.lists(st.integers(0, 9), max_size=30))
def test_lines_are_the_same_however_they_come(data: bytes, sizes: list[int]) -> None:
    lines = Lines()
    found = [line for piece in pieces(data, sizes) for line in lines.take(piece)]
    assert [*found, lines.rest] == data.split(b"\n")


def test_a_transport_that_asyncio_cannot_take_is_bridged() -> None:
    """TLS, or the channel of an ssh connection: anything with recv and sendall."""

    class Odd:
        def __init__(self, plain: socket.socket) -> None:
            self.recv = plain.recv
            self.sendall = plain.sendall

    async def both_ways() -> None:
        near, far = socket.socketpair()
        odd: Any = Odd(near)
        attached = await Attached.open(odd)
        far.sendall(framed([(STDOUT, b"hello")]))
        assert await anext(attached.frames()) == (STDOUT, b"hello")
        await attached.write(b"back\n")
        assert await asyncio.to_thread(far.recv, 10) == b"back\n"
        far.close()
        attached.close()

    asyncio.run(both_ways())
