"""The jar's name server. Every DNS query of the service ends up here, whatever server it was meant for.

The answer is read first: the names' elements stand in the kernel before the service knows the address, so there is no
race between a name and its first call. Queries and answers are passed on as bytes; they are parsed to be read, and
written anew only where an address in them is told apart from another name's (`apart`).
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
import struct
from collections.abc import Callable, Collection, Mapping, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Protocol, cast

from belljar_tui.core.model import Answer, Mode

if TYPE_CHECKING:
    from belljar_tui.agent.dns_text import Asked

_SO_MARK = 36
_TIMEOUT_S = 2.0
_TRIES = 5
"""Of port numbers, for one that is free for datagrams and streams."""
_REFUSED, _NOTIMP, _NXDOMAIN, _SERVFAIL, _FORMERR = 5, 4, 3, 2, 1
_ASK_THE_NEXT = (_SERVFAIL, _NOTIMP, _REFUSED)
"""Answers on which a resolver library turns to its next server (man 5 resolv.conf lists them); the service sees only
one server, us, so the turning is ours."""
_HEADER_BYTES = 12
_IS_ANSWER = 0x80
_KEPT_FLAGS, _FAILED_FLAGS = 0x7900, 0x8080
"""Of the query: its opcode and whether it wanted recursion. Of the failure: an answer, recursion available."""
Upstream = tuple[str, int]
Peer = tuple[str, int]
"""The address and port a query came from."""
OnResolved = Callable[[str, list[str], str], None]
"""Name (lower case, no last dot), addresses, and the answer's code where it was not NOERROR, or what went wrong."""


class Apart(Protocol):
    """Tells names apart that resolve to the same address."""

    def answer(self, name: str, aliases: Collection[str], addresses: Sequence[str]) -> Mapping[str, str]:
        """Of `addresses`, those that `name` is to reach by another one, and by which. It leads there already."""

    def name_of(self, address: str) -> str | None:
        """The name that was given this address for another one's."""


class NameServer:
    """Listens on one port of 127.0.0.1 and ::1, UDP and TCP.

    Args:
        upstreams: address and port of each server to ask, in order.
        mark: socket mark of our own queries, so that they pass the seal; 0 is none.
        on_resolved: called before an answer is sent.
        verdict: how name service is cut now; None when open.
        on_query: a query came, its size in bytes, and name service is open.
        on_blocked: a query met the cut, in this mode.
        fate: what a name (lower case, no last dot) is answered with because it is cut; None when it resolves.
        on_failed: a query for such a name came.
        meant_for: the server that whoever sends from this peer believes to speak to (second: over TCP).
        apart: gives names addresses of their own; None: every answer is passed on as it is.
    """

    def __init__(
        self,
        upstreams: Sequence[Upstream],
        mark: int,
        on_resolved: OnResolved,
        verdict: Callable[[], Mode | None],
        on_query: Callable[[int, Peer], None],
        on_blocked: Callable[[Mode, Peer], None],
        fate: Callable[[str], Answer | None] = lambda _: None,
        on_failed: Callable[[str, Peer], None] = lambda _, __: None,
        meant_for: Callable[[Peer, bool], Upstream | None] = lambda _peer, _over_tcp: None,
        apart: Apart | None = None,
    ) -> None:
        self._upstreams = list(upstreams)
        self._mark = mark
        self._on_resolved = on_resolved
        self._verdict = verdict
        self._on_query = on_query
        self._on_blocked = on_blocked
        self._fate = fate
        self._on_failed = on_failed
        self._meant_for = meant_for
        self._apart = apart
        self._asked_upstream: set[bytes] = set()
        """Id and question of each of our own queries under way."""
        self._transports: list[asyncio.DatagramTransport] = []
        self._servers: list[asyncio.Server] = []
        self._asking: set[asyncio.Task[None]] = set()

    async def start(self, port: int = 0) -> int:
        """Listen. Returns the port; with 0, one that is free for all four listeners. Raises OSError."""
        loop = asyncio.get_running_loop()
        for left in reversed(range(1 if port else _TRIES)):
            first, _ = await loop.create_datagram_endpoint(lambda: _Queries(self), ("127.0.0.1", port))
            chosen: int = first.get_extra_info("sockname")[1]
            try:
                self._servers.append(await asyncio.start_server(self._serve_stream, "127.0.0.1", chosen))
            except OSError:  # that number is free for datagrams only
                first.close()
                if not left:
                    raise
            else:
                break
        self._transports.append(first)
        with contextlib.suppress(OSError):  # IPv6 may be off in the jar
            second, _ = await loop.create_datagram_endpoint(lambda: _Queries(self), ("::1", chosen))
            self._transports.append(second)
            self._servers.append(await asyncio.start_server(self._serve_stream, "::1", chosen))
        return chosen

    async def settle(self, deadline_s: float) -> None:
        """Wait until every query under way is answered, but no longer than this."""
        if self._asking:
            await asyncio.wait(self._asking, timeout=deadline_s)

    def warm(self) -> None:
        """Load what the first query needs, so that it need not wait for it."""
        _text()

    async def stop(self) -> None:
        """Close every listener; queries under way are dropped."""
        for task in self._asking:
            task.cancel()
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()

    def take(
        self, query: bytes, peer: Peer, reply: Callable[[bytes], None], *, over_tcp: bool
    ) -> asyncio.Task[None] | None:
        """Answer `query` through `reply`, sooner or later or (blackhole) never. Returns what is under way."""
        if len(query) < _HEADER_BYTES or query[2] & _IS_ANSWER:
            return None
        if _fingerprint(query) in self._asked_upstream:
            return self._kept(asyncio.create_task(self._pass_on(query, peer, reply, over_tcp=over_tcp)))
        mode = self._verdict()
        if mode is not None:
            self._on_blocked(mode, peer)
            if mode not in (Mode.BLACKHOLE, Mode.HANG):
                reply(_failure(query, _REFUSED))
            return None
        self._on_query(len(query), peer)
        return self._kept(asyncio.create_task(self._resolve(query, peer, reply, over_tcp=over_tcp)))

    def _kept(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """The loop itself holds tasks weakly."""
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task

    async def _resolve(self, query: bytes, peer: Peer, reply: Callable[[bytes], None], *, over_tcp: bool) -> None:
        asked = _text().read_query(query)
        if asked is None:
            reply(_failure(query, _FORMERR))
            return
        fate = self._fate(asked.name)
        if fate is not None:
            self._on_failed(asked.name, peer)
            if fate is not Answer.NONE:
                reply(_failure(query, _NXDOMAIN if fate is Answer.NXDOMAIN else _SERVFAIL))
            return
        pointed_to = self._apart.name_of(asked.reverse_of) if self._apart is not None and asked.reverse_of else None
        if pointed_to is not None:
            reply(_text().pointer(query, pointed_to))
            return
        answer, words = await self._ask(query, over_tcp=over_tcp)
        try:
            if answer is not None:
                answer = self._read(asked, answer)
            elif asked.is_for_addresses:
                self._on_resolved(asked.name, [], words)
        except OSError:  # the kernel took no elements: an address nobody could cut must not get out
            reply(_failure(query, _SERVFAIL))
            raise
        reply(answer or _failure(query, _SERVFAIL))

    async def _pass_on(self, query: bytes, peer: Peer, reply: Callable[[bytes], None], *, over_tcp: bool) -> None:
        """Our own question comes back: the engine's embedded resolver asks an outside server, from the jar's network,
        and was redirected to us like anybody. Ask whom it meant; what it says is read when it comes to us as answer."""
        server = self._meant_for(peer, over_tcp)
        answer = None
        if server is not None:
            with contextlib.suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(_TIMEOUT_S):
                    answer = await (_ask_stream if over_tcp else _ask_datagram)(server, query, self._mark, _new_id())
        reply(answer or _failure(query, _SERVFAIL))

    async def _ask(self, query: bytes, *, over_tcp: bool) -> tuple[bytes | None, str]:
        """The first good answer, else the last bad one, else None and why."""
        ask = _ask_stream if over_tcp else _ask_datagram
        kept, words = None, "no name server"
        for upstream in self._upstreams:
            number = _new_id()
            ours = _fingerprint(number + query[2:])
            self._asked_upstream.add(ours)
            try:
                async with asyncio.timeout(_TIMEOUT_S):
                    answer = await ask(upstream, query, self._mark, number)
            except TimeoutError:
                words = "timeout"
            except (OSError, asyncio.IncompleteReadError) as error:
                words = (getattr(error, "strerror", None) or "no answer").lower()
            else:
                if answer[3] & 0x0F not in _ASK_THE_NEXT:
                    return answer, ""
                kept = answer
            finally:
                self._asked_upstream.discard(ours)
        return kept, words

    def _read(self, asked: Asked, answer: bytes) -> bytes:
        """Tell who listens what the answer says; one we cannot read is passed on unread. Returns what to pass on."""
        read = _text().read_answer(answer)
        if read is None:
            return answer
        apart = self._apart
        virtual_of = apart.answer(asked.name, read.aliases, read.addresses) if apart is not None else {}
        if read.addresses or (read.detail and asked.is_for_addresses):
            reached = [virtual_of.get(address, address) for address in read.addresses]
            self._on_resolved(asked.name, reached, read.detail)
        if virtual_of or (apart is not None and read.has_hints):
            written: bytes = _text().rewritten(answer, virtual_of)
            return written
        return answer

    async def _serve_stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving = asyncio.current_task()
        if serving is not None:
            self._kept(serving)
        peer = writer.get_extra_info("peername")[:2]
        open_queries: set[asyncio.Task[None]] = set()
        try:
            while query := await _framed(reader):
                task = self.take(query, peer, lambda answer: _write_framed(writer, answer), over_tcp=True)
                if task is not None:
                    open_queries.add(task)
                    task.add_done_callback(open_queries.discard)
            if open_queries:  # a client may end its side and still wait
                await asyncio.wait(open_queries)
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


async def _ask_datagram(upstream: Upstream, query: bytes, mark: int, number: bytes) -> bytes:
    """One query from a socket and with an id of its own, `number`; answers to anything else are passed over."""
    loop = asyncio.get_running_loop()
    with _marked(upstream[0], socket.SOCK_DGRAM, mark) as asking:
        asking.connect(upstream)  # a datagram socket's connect never waits
        asking.send(number + query[2:])
        while True:
            answer = await loop.sock_recv(asking, 65535)
            if _answers(answer, number):
                return query[:2] + answer[2:]


async def _ask_stream(upstream: Upstream, query: bytes, mark: int, number: bytes) -> bytes:
    """The same over TCP."""
    loop = asyncio.get_running_loop()
    with _marked(upstream[0], socket.SOCK_STREAM, mark) as asking:
        await loop.sock_connect(asking, upstream)
        await loop.sock_sendall(asking, struct.pack(">H", len(query)) + number + query[2:])
        while True:
            size = struct.unpack(">H", await _exactly(asking, 2))[0]
            answer = await _exactly(asking, size)
            if _answers(answer, number):
                return query[:2] + answer[2:]


def _new_id() -> bytes:
    return secrets.token_bytes(2)


def _fingerprint(query: bytes) -> bytes:
    """What is the same in a query that somebody passes on: its id and question."""
    return query[:2] + _question_bytes(query).lower()


def _answers(answer: bytes, number: bytes) -> bool:
    return len(answer) >= _HEADER_BYTES and answer[:2] == number and bool(answer[2] & _IS_ANSWER)


async def _exactly(source: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(source, size - len(data))
        if not more:
            raise asyncio.IncompleteReadError(data, size)
        data += more
    return data


async def _framed(reader: asyncio.StreamReader) -> bytes:
    """One query of a stream; empty at its end."""
    try:
        size = struct.unpack(">H", await reader.readexactly(2))[0]
        return await reader.readexactly(size)
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""


def _marked(address: str, kind: int, mark: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setblocking(False)
    if mark:
        made.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
    return made


def _write_framed(writer: asyncio.StreamWriter, answer: bytes) -> None:
    if not writer.is_closing():
        writer.write(struct.pack(">H", len(answer)) + answer)


def _text() -> ModuleType:
    """See the module for why it is loaded so late."""
    from belljar_tui.agent import dns_text

    return dns_text


def _failure(query: bytes, code: int) -> bytes:
    """An answer with `code` and, where it can be read, the question."""
    flags = struct.unpack_from(">H", query, 2)[0]
    question = _question_bytes(query)
    counts = struct.pack(">HHHHH", (flags & _KEPT_FLAGS) | _FAILED_FLAGS | code, 1 if question else 0, 0, 0, 0)
    return query[:2] + counts + question


def _question_bytes(query: bytes) -> bytes:
    """The first question as it stands; empty when it is cut off or compressed."""
    end = _HEADER_BYTES
    while end < len(query) and 0 < query[end] < 64:
        end += query[end] + 1
    end += 5
    is_whole = end <= len(query) and query[end - 5] == 0
    return query[_HEADER_BYTES:end] if is_whole else b""
