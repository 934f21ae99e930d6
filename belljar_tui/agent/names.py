"""The jar's name server. Every DNS query of the service ends up here, whatever server it was meant for.

The answer is read first: the names' elements stand in the kernel before the service knows the address, so there is no
race between a name and its first call. Queries and answers are passed on as bytes; they are parsed only to be read.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from collections.abc import Callable, Sequence
from typing import cast

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype

from belljar_tui.core.model import Mode

_SO_MARK = 36
_TIMEOUT_S = 2.0
_REFUSED, _SERVFAIL, _FORMERR = 5, 2, 1
Upstream = tuple[str, int]
OnResolved = Callable[[str, list[str], str], None]
"""Name, addresses, and the answer's code where it was not NOERROR."""


class NameServer:
    """Listens on one port of 127.0.0.1 and ::1, UDP and TCP.

    Args:
        upstreams: address and port of each server to ask, in order.
        mark: socket mark of our own queries, so that they pass the seal; 0 is none.
        on_resolved: called before an answer is sent.
        verdict: how name service is cut now; None when open.
        on_blocked: a query met the cut; its mode, and the address and port it came from.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        mark: int,
        on_resolved: OnResolved,
        verdict: Callable[[], Mode | None],
        on_blocked: Callable[[Mode, tuple[str, int]], None],
    ) -> None:
        self._upstreams = list(upstreams)
        self._mark = mark
        self._on_resolved = on_resolved
        self._verdict = verdict
        self._on_blocked = on_blocked
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Listen. Returns the port; with 0, one that is free for all four listeners. Raises OSError."""
        loop = asyncio.get_running_loop()
        first, _ = await loop.create_datagram_endpoint(lambda: _Queries(self), ("127.0.0.1", port))
        chosen: int = first.get_extra_info("sockname")[1]
        self._transports.append(first)
        self._servers.append(await asyncio.start_server(self._serve_stream, "127.0.0.1", chosen))
        with contextlib.suppress(OSError):  # IPv6 may be off in the jar
            second, _ = await loop.create_datagram_endpoint(lambda: _Queries(self), ("::1", chosen))
            self._transports.append(second)
            self._servers.append(await asyncio.start_server(self._serve_stream, "::1", chosen))
        return chosen

    async def stop(self) -> None:
        """Close every listener; queries under way are dropped."""
        for task in self._asking:
            task.cancel()
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()

    def take(self, query: bytes, peer: tuple[str, int], reply: Callable[[bytes], None], *, over_tcp: bool) -> None:
        """Answer `query` through `reply`, sooner or later or (blackhole) never."""
        if len(query) < 12 or query[2] & 0x80:
            return
        mode = self._verdict()
        if mode is not None:
            self._on_blocked(mode, peer)
            if mode is not Mode.BLACKHOLE:
                reply(_failure(query, _REFUSED))
            return
        task = asyncio.create_task(self._resolve(query, reply, over_tcp=over_tcp))
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)

    async def _resolve(self, query: bytes, reply: Callable[[bytes], None], *, over_tcp: bool) -> None:
        try:
            name = _asked_name(query)
        except dns.exception.DNSException:
            reply(_failure(query, _FORMERR))
            return
        ask = _ask_stream if over_tcp else _ask_datagram
        for upstream in self._upstreams:
            try:
                answer = await asyncio.wait_for(ask(upstream, query, self._mark), _TIMEOUT_S)
            except (OSError, TimeoutError, asyncio.IncompleteReadError):
                continue
            self._read(name, answer)
            reply(answer)
            return
        self._on_resolved(name, [], "timeout" if self._upstreams else "no name server")
        reply(_failure(query, _SERVFAIL))

    def _read(self, name: str, answer: bytes) -> None:
        """Tell who listens what the answer says; one we cannot read is passed on unread."""
        try:
            message = dns.message.from_wire(answer, ignore_trailing=True, raise_on_truncation=False)
        except dns.exception.DNSException:
            return
        asked = message.question[0].rdtype if message.question else None
        addresses = [
            record.address
            for rrset in message.answer
            if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA)
            for record in rrset
        ]
        code = message.rcode()
        if addresses or (code != dns.rcode.NOERROR and asked in (dns.rdatatype.A, dns.rdatatype.AAAA)):
            self._on_resolved(name, addresses, "" if code == dns.rcode.NOERROR else dns.rcode.to_text(code))

    async def _serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")[:2]
        try:
            while True:
                size = struct.unpack(">H", await reader.readexactly(2))[0]
                query = await reader.readexactly(size)
                self.take(query, peer, lambda answer: _write_framed(writer, answer), over_tcp=True)
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()


class _Queries(asyncio.DatagramProtocol):
    def __init__(self, server: NameServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)  # by duck type only, until Python 3.12

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        transport = self._transport
        if transport is not None:
            self._server.take(data, addr[:2], lambda answer: transport.sendto(answer, addr), over_tcp=False)


async def _ask_datagram(upstream: Upstream, query: bytes, mark: int) -> bytes:
    """One query from a socket and with an id of its own; answers to anything else are passed over."""
    loop = asyncio.get_running_loop()
    with _marked(upstream[0], socket.SOCK_DGRAM, mark) as asking:
        await loop.sock_connect(asking, upstream)
        number = secrets.token_bytes(2)
        await loop.sock_sendall(asking, number + query[2:])
        while True:
            answer = await loop.sock_recv(asking, 65535)
            if answer[:2] == number and len(answer) >= 12:
                return query[:2] + answer[2:]


async def _ask_stream(upstream: Upstream, query: bytes, mark: int) -> bytes:
    loop = asyncio.get_running_loop()
    with _marked(upstream[0], socket.SOCK_STREAM, mark) as asking:
        await loop.sock_connect(asking, upstream)
        await loop.sock_sendall(asking, struct.pack(">H", len(query)) + query)
        size = struct.unpack(">H", await _exactly(asking, 2))[0]
        return await _exactly(asking, size)


async def _exactly(source: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(source, size - len(data))
        if not more:
            raise asyncio.IncompleteReadError(data, size)
        data += more
    return data


def _marked(address: str, kind: int, mark: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setblocking(False)
    if mark:
        made.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
    return made


def _write_framed(writer: asyncio.StreamWriter, answer: bytes) -> None:
    if not writer.is_closing():
        writer.write(struct.pack(">H", len(answer)) + answer)


def _asked_name(query: bytes) -> str:
    """Lower case, without the last dot. Raises DNSException."""
    message = dns.message.from_wire(query, question_only=True)
    if not message.question:
        raise dns.exception.FormError
    return message.question[0].name.to_text(omit_final_dot=True).lower()


def _failure(query: bytes, code: int) -> bytes:
    """The query sent back as an answer with `code` and nothing in it."""
    flags = struct.unpack_from(">H", query, 2)[0]
    head = query[:2] + struct.pack(">HHHHH", (flags & 0x7900) | 0x8080 | code, 1, 0, 0, 0)
    end = 12
    while end < len(query) and query[end]:
        end += query[end] + 1
    return head + query[12 : end + 5]
