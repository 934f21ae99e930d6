"""The jar's name server, with real upstreams on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
import struct
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.agent.names import NameServer, _failure
from belljar_tui.core.model import Answer, Mode

Answering = Callable[[bytes], list[bytes]]
"""What an upstream says to a query: any number of datagrams."""
DEADLINE_S = 10.0


def answers(*records: str, code: int = 0) -> Answering:
    """An upstream that answers every question with `records`, written as in a zone file."""

    def answer(query: bytes) -> list[bytes]:
        response = dns.message.make_response(dns.message.from_wire(query))
        response.set_rcode(dns.rcode.from_text(dns.rcode.to_text(dns.rcode.Rcode(code))))
        for record in records:
            name, kind, data = record.split()
            response.answer.append(dns.rrset.from_text(name, 60, "IN", kind, data))
        return [response.to_wire()]

    return answer


def silence(_: bytes) -> list[bytes]:
    return []


class _Upstream(asyncio.DatagramProtocol):
    def __init__(self, answering: Answering) -> None:
        self._answering = answering
        self.numbers: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.numbers.append(data[:2])
        for answer in self._answering(data):
            self.transport.sendto(answer, addr)


class World:
    """A name server over upstreams, and what it told."""

    def __init__(self) -> None:
        self.port = 0
        self.upstreams: list[_Upstream] = []
        self.told: list[tuple[str, list[str], str]] = []
        self.sizes: list[int] = []
        self.blocked: list[tuple[Mode, tuple[str, int]]] = []
        self.has_blocked = asyncio.Event()
        self.mode: Mode | None = None
        self.fates: dict[str, Answer] = {}
        self.failed: list[str] = []
        self.failure: OSError | None = None

    def on_resolved(self, name: str, addresses: list[str], detail: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.told.append((name, addresses, detail))

    def on_query(self, size: int, _: tuple[str, int]) -> None:
        self.sizes.append(size)

    def on_blocked(self, mode: Mode, peer: tuple[str, int]) -> None:
        self.blocked.append((mode, peer))
        self.has_blocked.set()

    async def ask(self, name: str, kind: str = "A", address: str = "127.0.0.1") -> dns.message.Message:
        query = dns.message.make_query(name, kind)
        return dns.message.from_wire(await self.raw(query.to_wire(), address))

    async def raw(self, query: bytes, address: str = "127.0.0.1") -> bytes:
        """The next datagram that comes back."""
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as call:
            call.setblocking(False)
            call.connect((address, self.port))
            call.send(query)
            async with asyncio.timeout(DEADLINE_S):
                return await loop.sock_recv(call, 65535)


@contextlib.asynccontextmanager
async def world(*answering: Answering) -> AsyncIterator[World]:
    made = World()
    loop = asyncio.get_running_loop()
    async with contextlib.AsyncExitStack() as opened:
        addresses = []
        for each in answering:
            transport, upstream = await loop.create_datagram_endpoint(lambda e=each: _Upstream(e), ("127.0.0.1", 0))  # type: ignore[misc]
            opened.callback(transport.close)
            made.upstreams.append(upstream)
            addresses.append(transport.get_extra_info("sockname"))
        server = NameServer(
            addresses,
            0,
            made.on_resolved,
            lambda: made.mode,
            made.on_query,
            made.on_blocked,
            lambda name: made.fates.get(name),
            lambda name, _: made.failed.append(name),
        )
        made.port = await server.start()
        opened.push_async_callback(server.stop)
        yield made


async def test_an_answer_is_told_before_it_is_sent_and_keeps_the_askers_id() -> None:
    async with world(answers("orders-db.lab. A 10.9.0.4")) as made:
        query = dns.message.make_query("Orders-DB.lab", "A", use_edns=0)
        answer = dns.message.from_wire(await made.raw(query.to_wire()))
        assert made.told == [("orders-db.lab", ["10.9.0.4"], "")]
        assert answer.id == query.id
        assert made.upstreams[0].numbers != [struct.pack(">H", query.id)], "upstream gets an id nobody can guess"


async def test_the_queried_name_is_told_with_the_addresses_its_aliases_lead_to() -> None:
    chain = ("www.lab. CNAME edge.lab.", "edge.lab. CNAME node.lab.", "node.lab. A 10.9.0.1", "node.lab. A 10.9.0.2")
    async with world(answers(*chain)) as made:
        await made.ask("www.lab")
        assert made.told == [("www.lab", ["10.9.0.1", "10.9.0.2"], "")]


async def test_ipv6_addresses_and_askers_are_served_alike() -> None:
    async with world(answers("a.lab. AAAA fd00::1")) as made:
        await made.ask("a.lab", "AAAA", "::1")
        assert made.told == [("a.lab", ["fd00::1"], "")]


async def test_a_name_that_does_not_exist_is_told_so() -> None:
    async with world(answers(code=3)) as made:
        assert (await made.ask("nowhere.lab")).rcode() == dns.rcode.NXDOMAIN
        assert made.told == [("nowhere.lab", [], "NXDOMAIN")]


async def test_a_cut_name_fails_as_the_cut_says_and_its_neighbours_resolve() -> None:
    async with world(answers("b.lab. A 10.9.0.1")) as made:
        made.fates |= {"a.lab": Answer.NXDOMAIN, "c.lab": Answer.SERVFAIL, "d.lab": Answer.NONE}
        assert (await made.ask("A.lab")).rcode() == dns.rcode.NXDOMAIN
        assert (await made.ask("a.lab", "AAAA")).rcode() == dns.rcode.NXDOMAIN
        assert (await made.ask("c.lab")).rcode() == dns.rcode.SERVFAIL
        assert (await made.ask("b.lab")).answer
        assert made.failed == ["a.lab", "a.lab", "c.lab"]
        assert made.told == [("b.lab", ["10.9.0.1"], "")]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await made.ask("d.lab")
        assert made.failed[-1] == "d.lab"


async def test_other_questions_pass_without_a_word() -> None:
    async with world(answers("a.lab. TXT hello")) as made:
        assert "hello" in str((await made.ask("a.lab", "TXT")).answer[0])
        assert made.told == []


async def test_a_refused_name_service_answers_so_and_says_who_asked() -> None:
    async with world(answers("a.lab. A 10.9.0.1")) as made:
        made.mode = Mode.REFUSE
        answer = await made.ask("a.lab")
        assert (answer.rcode(), str(answer.question[0].name)) == (dns.rcode.REFUSED, "a.lab.")
        ((mode, (address, port)),) = made.blocked
        assert (mode, address, port > 0, made.told) == (Mode.REFUSE, "127.0.0.1", True, [])


async def test_a_blackholed_name_service_says_nothing() -> None:
    async with world(answers("a.lab. A 10.9.0.1")) as made:
        made.mode = Mode.BLACKHOLE
        loop = asyncio.get_running_loop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
            call.setblocking(False)
            call.connect(("127.0.0.1", made.port))
            call.send(dns.message.make_query("a.lab", "A").to_wire())
            await made.has_blocked.wait()
            made.mode = None
            second = dns.message.make_query("b.lab", "A")
            call.send(second.to_wire())
            assert (await loop.sock_recv(call, 999))[:2] == struct.pack(">H", second.id), "the first stays unanswered"
        assert [mode for mode, _ in made.blocked] == [Mode.BLACKHOLE]


async def test_the_next_upstream_is_asked_when_one_is_gone_silent_or_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("belljar_tui.agent.names._TIMEOUT_S", 0.1)
    async with world(silence, answers(code=2), answers("a.lab. A 10.9.0.1")) as made:
        made.upstreams[1].transport.close()
        await made.ask("a.lab")
        assert made.told == [("a.lab", ["10.9.0.1"], "")]
    async with world(answers(code=2), answers("a.lab. A 10.9.0.1")) as made:
        await made.ask("a.lab")
        assert made.told == [("a.lab", ["10.9.0.1"], "")]
    async with world(answers(code=5), silence) as made:
        assert (await made.ask("a.lab")).rcode() == dns.rcode.REFUSED, "a bad answer is better than none"


async def test_upstreams_that_keep_silent_are_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("belljar_tui.agent.names._TIMEOUT_S", 0.05)
    async with world(silence) as made:
        assert (await made.ask("a.lab")).rcode() == dns.rcode.SERVFAIL
        assert made.told == [("a.lab", [], "timeout")]


async def test_without_upstreams_no_name_resolves() -> None:
    async with world() as made:
        assert (await made.ask("a.lab")).rcode() == dns.rcode.SERVFAIL
        assert made.told == [("a.lab", [], "no name server")]


async def test_an_answer_nobody_can_cut_does_not_get_out() -> None:
    unheard: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: unheard.append(context))
    async with world(answers("a.lab. A 10.9.0.1")) as made:
        made.failure = OSError("the kernel took no elements")
        assert (await made.ask("a.lab")).rcode() == dns.rcode.SERVFAIL


async def test_answers_with_another_id_are_passed_over() -> None:
    def forged(query: bytes) -> list[bytes]:
        wrong = bytes([query[0] ^ 0xFF]) + query[1:]
        return [b"", b"\0", query, *answers("a.lab. A 6.6.6.6")(wrong), *answers("a.lab. A 10.9.0.1")(query)]

    async with world(forged) as made:
        await made.ask("a.lab")
        assert made.told == [("a.lab", ["10.9.0.1"], "")]


async def test_queries_do_not_wait_for_each_other() -> None:
    is_asked = asyncio.Event()

    def answering(query: bytes) -> list[bytes]:
        if b"slow" in query:
            is_asked.set()
            return []
        return answers("quick.lab. A 10.9.0.1")(query)

    async with world(answering) as made:
        slow = asyncio.create_task(made.ask("slow.lab"))
        await is_asked.wait()
        for _ in range(20):
            await made.ask("quick.lab")
        assert not slow.done()
        slow.cancel()


async def test_a_truncated_answer_passes_and_the_stream_that_follows_is_served() -> None:
    def truncated(query: bytes) -> list[bytes]:
        (whole,) = answers()(query)
        return [whole[:2] + bytes([whole[2] | 2]) + whole[3:]]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        size = struct.unpack(">H", await reader.readexactly(2))[0]
        many = [f"big.lab. A 10.8.{n // 250}.{n % 250}" for n in range(400)]
        (answer,) = answers(*many)(await reader.readexactly(size))
        writer.write(struct.pack(">H", len(answer)) + answer)
        writer.close()

    async with world(truncated) as made:
        stream = await asyncio.start_server(serve, *made.upstreams[0].transport.get_extra_info("sockname"))
        async with stream:
            query = dns.message.make_query("big.lab", "A")
            answer = await asyncio.to_thread(
                dns.query.udp_with_fallback, query, "127.0.0.1", DEADLINE_S, made.port, ignore_errors=True
            )
        assert answer[1], "it was asked again over a stream"
        assert len(answer[0].answer[0]) == 400
        assert [(name, len(addresses)) for name, addresses, _ in made.told] == [("big.lab", 400)]


async def test_a_client_that_ends_its_side_of_a_stream_still_gets_its_answer() -> None:
    async with world() as made:
        reader, writer = await asyncio.open_connection("127.0.0.1", made.port)
        query = dns.message.make_query("a.lab", "A").to_wire()
        writer.write((struct.pack(">H", len(query)) + query) * 2)
        writer.write_eof()
        async with asyncio.timeout(DEADLINE_S):
            everything = await reader.read()
        writer.close()
        assert everything.count(query[:2]) == 2


async def test_an_answer_with_a_broken_record_is_read_as_far_as_it_goes() -> None:
    def broken(query: bytes) -> list[bytes]:
        (whole,) = answers("a.lab. A 10.9.0.1")(query)
        record = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 60, 3) + b"\1\2\3"  # an address of three bytes
        return [whole[:6] + struct.pack(">H", 2) + whole[8:] + record]

    async with world(broken) as made:
        await made.raw(dns.message.make_query("a.lab", "A").to_wire())
        assert made.told == [("a.lab", ["10.9.0.1"], "")]


async def test_malformed_queries_get_an_error_or_nothing_and_the_next_is_served() -> None:
    async with world(answers("a.lab. A 10.9.0.1")) as made:
        good = dns.message.make_query("a.lab", "A").to_wire()
        for bad in (good[:14], good[:12], good[:4] + b"\0\2" + good[6:], good[:12] + b"\xc0\x0c\0\1\0\1"):
            answer = dns.message.from_wire(await made.raw(bad), question_only=True)
            assert answer.rcode() == dns.rcode.FORMERR
        assert (await made.ask("a.lab")).answer


@given(st.binary(min_size=12, max_size=80).filter(lambda query: query[2] >> 3 & 15 != dns.opcode.UPDATE))
def test_a_failure_is_a_readable_answer_whatever_was_asked(query: bytes) -> None:
    """But for updates: the reader used here wants a zone as their question, and says that any other is malformed."""
    failure = dns.message.from_wire(_failure(query, 2), question_only=True)
    assert failure.id == struct.unpack(">H", query[:2])[0]
    assert failure.flags & 0x8000


@given(st.lists(st.binary(max_size=80), max_size=10), st.binary(max_size=200))
def test_no_bytes_from_either_side_stop_the_server(queries: list[bytes], noise: bytes) -> None:
    async def scenario() -> None:
        async with world(lambda query: [query[:2] + b"\x80\0" + noise]) as made:
            for query in queries:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
                    call.sendto(query, ("127.0.0.1", made.port))
            query = dns.message.make_query("a.lab", "A").to_wire()
            if len(noise) >= 8:
                assert (await made.raw(query))[:2] == query[:2]

    asyncio.run(scenario())


async def test_a_port_that_is_taken_for_streams_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[int] = []
    start_server = asyncio.start_server

    async def taken_at_first(serve: Any, host: str, port: int) -> asyncio.Server:
        tried.append(port)
        if len(tried) == 1:
            raise OSError(errno.EADDRINUSE, "address already in use")
        return await start_server(serve, host, port)

    monkeypatch.setattr(asyncio, "start_server", taken_at_first)
    async with world(answers("a.lab. A 10.9.0.4")) as made:
        assert tried[1] == made.port
        assert (await made.ask("a.lab")).answer
