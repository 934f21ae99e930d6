"""What hosts of labs are made of: each speaks enough of its trade that calls, bytes and failures are real."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import cast

Answer = Callable[[bytes], bytes]
"""A datagram's answer; empty for none."""
Serve = Callable[[str], Awaitable[object]]
"""Starts a host on one address."""


def serve_lines(port: int, answer: Callable[[str], str]) -> Serve:
    """A host that answers each line of text with a line."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while line := await reader.readline():
                writer.write(answer(line.decode(errors="replace").strip()).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError):
            pass  # the caller went away, or its line has no end: its business
        finally:
            writer.close()

    return lambda address: asyncio.start_server(talk, address, port)


def serve_http(port: int, answer: Callable[[str], object]) -> Serve:
    """A host that answers one HTTP request a connection with JSON."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            request = (await reader.readuntil(b"\r\n\r\n")).decode(errors="replace")
            body = json.dumps(answer(request.split()[1])).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
            writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, IndexError):
            pass  # the caller went away, or does not speak HTTP
        finally:
            writer.close()

    return lambda address: asyncio.start_server(talk, address, port)


def serve_datagrams(port: int, answer: Answer) -> Serve:
    """A host that answers datagrams."""

    class Talk(asyncio.DatagramProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = cast(asyncio.DatagramTransport, transport)

        def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
            said = answer(data)
            if said:
                self.transport.sendto(said, addr)

    return lambda address: asyncio.get_running_loop().create_datagram_endpoint(Talk, (address, port))
