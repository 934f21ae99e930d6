"""Name service behind the kernel's redirect: every query is ours, ours pass, and names stand before answers leave."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from typing import cast

import dns.message
import dns.query
import dns.rcode
import dns.rrset
import pytest
from namespaces import EITHER_WAY, run_in_namespaces
from worlds import NEIGHBOUR4, NEIGHBOUR6, with_neighbour

from belljar_tui.agent.names import NameServer
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.nft import AGENT_MARK
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.core.model import Endpoint, Mode, Protocol

pytestmark = pytest.mark.kernel

UPSTREAM = ("10.66.0.1", 53)
"""Our own address: what is marked reaches it, everything else is redirected before."""
NOBODYS4, NOBODYS6 = "10.66.0.99", "fd66::99"
"""Servers that do not exist: whoever answers there is us."""
DEADLINE_S = 10.0


class Upstream(asyncio.DatagramProtocol):
    """Answers every question with the neighbour's address."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(answer(data), addr)


def answer(query: bytes) -> bytes:
    response = dns.message.make_response(dns.message.from_wire(query))
    response.answer.append(dns.rrset.from_text(response.question[0].name, 60, "IN", "A", NEIGHBOUR4))
    return response.to_wire()


async def serve_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    size = int.from_bytes(await reader.readexactly(2), "big")
    response = answer(await reader.readexactly(size))
    writer.write(len(response).to_bytes(2, "big") + response)
    writer.close()


class Jar:
    """A jar's ruleset and name server, with an upstream that only marked traffic reaches."""

    def __init__(self) -> None:
        with_neighbour()
        self.told: list[str] = []
        self.mode: Mode | None = None
        self.askers: list[int | None] = []
        self.sockets = SocketTable()
        self.on_resolved: Callable[[str], None] = self.told.append
        self.server = NameServer(
            [UPSTREAM],
            AGENT_MARK,
            lambda name, _, __: self.on_resolved(name),
            lambda: self.mode,
            lambda _, __: None,
            self._on_blocked,
        )

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.create_datagram_endpoint(Upstream, UPSTREAM)
        await asyncio.start_server(serve_stream, *UPSTREAM)
        self.ruleset = Ruleset(Netfilter(), await self.server.start(), [])
        self.ruleset.create()

    def _on_blocked(self, _: Mode, peer: tuple[str, int]) -> None:
        owner = self.sockets.find_from(Protocol.UDP, peer)
        self.askers.append(owner.inode if owner is not None else None)


def asked(transport: str, name: str, server: str) -> dns.message.Message:
    query = dns.message.make_query(name, "A")
    if transport == "udp":
        return dns.query.udp(query, server, DEADLINE_S)
    return dns.query.tcp(query, server, DEADLINE_S)


async def _redirected() -> None:
    jar = Jar()
    await jar.start()
    for server in (NOBODYS4, NOBODYS6, "127.0.0.53", UPSTREAM[0]):
        for transport in ("udp", "tcp"):
            name = f"{transport}{len(jar.told)}.lab"
            response = await asyncio.to_thread(asked, transport, name, server)
            assert NEIGHBOUR4 in str(response.answer[0])
            assert jar.told[-1] == name, "it went through us"
    assert len(jar.told) == 8


async def _names_first() -> None:
    """The element that cuts a name's address is in the kernel when its asker learns the address."""
    jar = Jar()
    await jar.start()
    endpoint = Endpoint(NEIGHBOUR4, Protocol.TCP, 7000)
    cut: dict[Endpoint, Mode | None] = {endpoint: Mode.BLACKHOLE}

    def install(_: str) -> None:
        jar.ruleset.change([], cut, None, seal_changes=False)

    jar.on_resolved = install

    def ask_and_call() -> str:
        response = dns.query.udp(dns.message.make_query("first.lab", "A"), NOBODYS4, DEADLINE_S)
        with socket.socket() as call:
            call.settimeout(0.2)
            try:
                call.connect((response.answer[0][0].address, 7000))
            except TimeoutError:
                return "cut"
        return "open"

    assert await asyncio.to_thread(ask_and_call) == "cut"
    assert jar.ruleset.read()[endpoint][1].calls.packets == 1


async def _attributed() -> None:
    jar = Jar()
    await jar.start()
    jar.mode = Mode.REFUSE
    for family, server in ((socket.AF_INET, NOBODYS4), (socket.AF_INET6, NOBODYS6), (socket.AF_INET, "127.0.0.53")):
        with socket.socket(family, socket.SOCK_DGRAM) as asker:
            asker.settimeout(DEADLINE_S)
            asker.connect((server, 53))
            query = dns.message.make_query("a.lab", "A")
            asker.send(query.to_wire())
            response = dns.message.from_wire(await asyncio.to_thread(asker.recv, 999))
            assert response.rcode() == dns.rcode.REFUSED
            assert jar.askers[-1] == os.fstat(asker.fileno()).st_ino
    assert NEIGHBOUR6 not in jar.told


@EITHER_WAY
def test_every_query_is_ours_whatever_its_server_and_ours_reach_upstream(unprivileged: bool) -> None:
    run_in_namespaces(_redirected, unprivileged=unprivileged)


@EITHER_WAY
def test_the_first_call_to_a_name_cannot_overtake_its_cut(unprivileged: bool) -> None:
    run_in_namespaces(_names_first, unprivileged=unprivileged)


@EITHER_WAY
def test_a_blocked_query_leads_to_the_socket_that_asked(unprivileged: bool) -> None:
    run_in_namespaces(_attributed, unprivileged=unprivileged)
