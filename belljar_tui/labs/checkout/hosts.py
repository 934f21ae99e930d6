"""The dependencies of the checkout lab. Each speaks enough of its trade that calls, bytes and failures are real."""

from __future__ import annotations

import asyncio
import json
import struct
import time
from collections.abc import Awaitable, Callable
from typing import cast

Answer = Callable[[bytes], bytes]
"""A datagram's answer; empty for none."""
Serve = Callable[[str], Awaitable[object]]
"""Starts a host on one address."""

_NTP_EPOCH = 2_208_988_800


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


def orders_db(line: str) -> str:
    """Takes `INSERT` and `SELECT`, answers as a database would: with a tag or rows."""
    match line.partition(" ")[0]:
        case "INSERT":
            return "INSERT 0 1"
        case "SELECT":
            return "1 row"
        case _:
            return "ERROR syntax"


class Cache:
    """`SET key value` is stored, `GET key` finds it or not."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def answer(self, line: str) -> str:
        command, _, rest = line.partition(" ")
        key, _, value = rest.partition(" ")
        match command:
            case "SET":
                self._values[key] = value
                return "STORED"
            case "GET":
                return f"VALUE {self._values[key]}" if key in self._values else "MISS"
            case _:
                return "ERROR unknown command"


def auth(path: str) -> object:
    """A token's check."""
    return {"path": path, "user": "ada", "ok": True, "expires": int(time.time()) + 300}


def config(path: str) -> object:
    """The service's settings."""
    return {"path": path, "currency": "EUR", "page": 25, "features": ["recommendations"]}


def payment(path: str) -> object:
    return {"path": path, "authorised": True}


def recommendations(path: str) -> object:
    return {"path": path, "items": [{"id": n, "title": f"item {n}"} for n in range(12)]}


def updates(path: str) -> object:
    return {"path": path, "latest": "2.4.1"}


def ntp(query: bytes) -> bytes:
    """A server's reply (RFC 5905, mode 4): the fields a simple client reads."""
    if len(query) < 48:
        return b""
    now = struct.pack(">II", int(time.time()) + _NTP_EPOCH, 0)
    return bytes([0x24, 2, 6, 0xEC]) + bytes(8) + b"LAB\0" + now + query[40:48] + now + now


def nothing(_: bytes) -> bytes:
    """Metrics are taken and not answered."""
    return b""


HOSTS: dict[str, Serve] = {
    "orders-db.lab": serve_lines(5432, orders_db),
    "auth.lab": serve_http(9000, auth),
    "config.lab": serve_http(8500, config),
    "pay-a.lab": serve_http(7000, payment),
    "pay-b.lab": serve_http(7000, payment),
    "cache.lab": serve_lines(6379, Cache().answer),
    "recs.lab": serve_http(8081, recommendations),
    "time.lab": serve_datagrams(123, ntp),
    "metrics.lab": serve_datagrams(8125, nothing),
    "updates": serve_http(443, updates),
}
