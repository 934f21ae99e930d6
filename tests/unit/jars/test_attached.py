"""Frames and lines, in whatever pieces a connection delivers them."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import struct
import threading
from pathlib import Path

import certificates
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


def test_a_tls_connection_is_bridged_to_its_last_byte_both_ways_at_once(tmp_path: Path) -> None:
    """More than any buffer holds, in both directions at once; then our end, and theirs is told."""
    much = os.urandom(2_000_000)
    certificates.make(tmp_path)
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(tmp_path / "server" / "cert.pem", tmp_path / "server" / "key.pem")
    client = ssl.create_default_context(cafile=str(tmp_path / "server" / "ca.pem"))
    near, far = socket.socketpair()
    arrived = bytearray()

    def serve() -> None:
        with server.wrap_socket(far, server_side=True) as there:
            sending = framed([(STDOUT, much)])
            while len(arrived) < len(much) or sending:
                sending = sending[there.send(sending[:50_000]) :] if sending else sending
                arrived.extend(there.recv(20_000) if len(arrived) < len(much) else b"")
            there.sendall(framed([(STDERR, b"all of it")]))
            assert there.recv(1) == b""

    async def both_ways() -> bytes:
        attached = await Attached.open(await asyncio.to_thread(client.wrap_socket, near, server_hostname="127.0.0.1"))
        writing = asyncio.create_task(attached.write(much))
        found = b""
        async for _, data in attached.frames():
            if data == b"all of it":
                break
            found += data
        await writing
        attached.close()
        return found

    serving = threading.Thread(target=serve)
    serving.start()
    assert asyncio.run(both_ways()) == much
    serving.join(20)
    assert (bytes(arrived) == much, serving.is_alive()) == (True, False)
