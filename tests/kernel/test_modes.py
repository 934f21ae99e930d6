"""What a caller meets in each mode: new and established flows, IPv4 and IPv6, TCP and UDP; and what was counted."""

from __future__ import annotations

import asyncio
import socket
import time

import pytest
from namespaces import EITHER_WAY, run_in_namespaces
from worlds import NEIGHBOUR4, NEIGHBOUR6, met, met_udp, syns_sent_again, with_neighbour

from belljar_tui.agent.modes import chain_of
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.nft import AGENT_MARK, FIRST, FOLLOWERS, QUEUE
from belljar_tui.agent.provoke import provoke
from belljar_tui.agent.queue import CallQueue
from belljar_tui.agent.ruleset import Ruleset, Timed
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.core.model import Endpoint, Mode, Protocol, Settings

pytestmark = pytest.mark.kernel

BOTH = (NEIGHBOUR4, NEIGHBOUR6)


class Jar:
    """The table, with readers on its queues; calls are made in threads, since our loop reads."""

    def __init__(self) -> None:
        with_neighbour()
        self.ruleset = Ruleset(Netfilter(), 5300, [])
        self.ruleset.create()
        self.held = 0
        for queue in (QUEUE, FIRST):
            CallQueue(queue, self._hold, lambda _: None).start()
        CallQueue(FOLLOWERS, lambda _: None, lambda _: None).start()

    def _hold(self, _: object) -> None:
        self.held += 1

    def cut(self, *endpoints: Endpoint, mode: Mode | None, settings: Settings = Settings()) -> None:  # noqa: B008
        gone = [endpoint for endpoint in endpoints if endpoint in self.ruleset.read()]
        verdict = chain_of(mode, settings)
        self.ruleset.change(gone, dict.fromkeys(endpoints, verdict), None, seal_changes=False)


def tcp(address: str, port: int = 7000) -> Endpoint:
    return Endpoint(address, Protocol.TCP, port)


def udp(address: str) -> Endpoint:
    return Endpoint(address, Protocol.UDP, 7000)


def pooled(address: str) -> socket.socket:
    """A connection that has been used, and is kept."""
    made = socket.create_connection((address, 7000), 5)
    made.sendall(b"x")
    assert made.recv(1) == b"x"
    return made


async def _new_calls() -> None:
    jar = Jar()
    for address in BOTH:
        both = (tcp(address), udp(address))
        for mode, told in ((Mode.RESET, "ECONNREFUSED"), (Mode.UNREACHABLE, "EHOSTUNREACH")):
            jar.cut(*both, mode=mode)
            assert await met(address, 7000) == told, (address, mode)
            assert await met_udp(address, 7000) == told, (address, mode)
            assert await met(address, 7001) == "echo"
            assert [jar.ruleset.read()[each][1].calls.packets for each in both] == [1, 1]
        jar.cut(*both, mode=None)
        assert await met(address, 7000) == "echo"
        assert await met_udp(address, 7000) == "echo"


async def _datagrams() -> None:
    """A sender is never told EPERM. That there is no way it learns only if it asked to, as on any network."""
    jar = Jar()
    for address in BOTH:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as flow:
            flow.settimeout(5)
            flow.connect((address, 7000))
            flow.send(b"x")
            assert await asyncio.to_thread(flow.recv, 1) == b"x"
            jar.cut(udp(address), mode=Mode.UNREACHABLE)
            flow.settimeout(0.3)
            flow.send(b"x")
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(flow.recv, 1)
            flow.settimeout(5)
            jar.cut(udp(address), mode=Mode.RESET)
            flow.send(b"x")
            with pytest.raises(ConnectionRefusedError):
                await asyncio.to_thread(flow.recv, 1)
            jar.cut(udp(address), mode=None)
            flow.send(b"x")
            assert await asyncio.to_thread(flow.recv, 1) == b"x"


async def _reset_flows() -> None:
    """A reader that waits is woken with what a peer's reset looks like, and so is one that writes."""
    jar, sockets = Jar(), SocketTable()
    for address in BOTH:
        with await asyncio.to_thread(pooled, address) as reader, await asyncio.to_thread(pooled, address) as writer:
            waiting = asyncio.create_task(asyncio.to_thread(reader.recv, 1))
            await asyncio.sleep(0.05)
            jar.cut(tcp(address), mode=Mode.RESET)
            writer.sendall(b"x")
            with pytest.raises(ConnectionResetError):
                await asyncio.to_thread(writer.recv, 1)
            provoke(sockets.flows_to([tcp(address)], AGENT_MARK))
            with pytest.raises(ConnectionResetError):
                await waiting
        jar.cut(tcp(address), mode=None)


async def _unreachable_flows() -> None:
    """An established flow hangs, and goes on once there is a way again."""
    jar = Jar()
    for address in BOTH:
        with await asyncio.to_thread(pooled, address) as flow:
            jar.cut(tcp(address), mode=Mode.UNREACHABLE)
            flow.settimeout(0.3)
            flow.sendall(b"x")
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(flow.recv, 1)
            jar.cut(tcp(address), mode=None)
            flow.settimeout(5)
            assert await asyncio.to_thread(flow.recv, 1) == b"x"


def _carried(address: str, size: int) -> int:
    """How many bytes come back before the flow is reset."""
    carried = 0
    with socket.create_connection((address, 7000), 5) as flow:
        try:
            while carried < size:
                flow.sendall(b"x" * 1000)
                carried += len(flow.recv(1000, socket.MSG_WAITALL))
        except ConnectionResetError:
            pass
    return carried


async def _after_bytes() -> None:
    jar = Jar()
    for address in BOTH:
        jar.cut(tcp(address), mode=Mode.RESET, settings=Settings(after_bytes=50_000))
        for _ in range(3):
            assert 15_000 <= await asyncio.to_thread(_carried, address, 100_000) <= 25_000
        assert await met(address, 7000) == "echo", "a short one is none the wiser"
        counts = jar.ruleset.read()[tcp(address)][1]
        assert (counts.calls.packets, counts.failed.packets) == (4, 3)


def _call_often(address: str, calls: int) -> int:
    """How many of the calls are refused."""
    refused = 0
    for _ in range(calls):
        try:
            socket.create_connection((address, 7000), 5).close()
        except ConnectionRefusedError:
            refused += 1
    return refused


async def _flaky() -> None:
    jar = Jar()
    assert jar.ruleset.dice, "this kernel has neither hash nor numgen, and does no flaky"
    for address in BOTH:
        with await asyncio.to_thread(pooled, address) as flow:
            jar.held, before = 0, syns_sent_again()
            jar.cut(tcp(address), mode=Mode.FLAKY, settings=Settings(fraction=0.3))
            refused = await asyncio.to_thread(_call_often, address, 1000)
            assert 227 <= refused <= 373, "five standard deviations of 300"
            counts = jar.ruleset.read()[tcp(address)][1]
            retried = syns_sent_again() - before  # on a busy machine: the kernel sees one more packet, and so do we
            assert counts.calls.packets == 1000 + retried
            assert refused <= counts.failed.packets == jar.held <= refused + retried
            for _ in range(50):
                flow.sendall(b"x")
                assert flow.recv(1) == b"x", "what is established goes on"
        jar.cut(tcp(address), udp(address), mode=Mode.FLAKY, settings=Settings(fraction=1.0, fails_by=Mode.UNREACHABLE))
        assert await met(address, 7000) == "EHOSTUNREACH"
        assert await met_udp(address, 7000) == "EHOSTUNREACH"
        counts = jar.ruleset.read()[udp(address)][1]
        assert (counts.calls.packets, counts.failed.packets) == (1, 1)
        jar.cut(tcp(address), udp(address), mode=None)


async def _flaky_silence() -> None:
    """A SYN that is sent again meets the same fate: the call fails, it is not only late."""
    jar = Jar()
    jar.cut(tcp(NEIGHBOUR4), mode=Mode.FLAKY, settings=Settings(fraction=0.5, fails_by=Mode.BLACKHOLE))
    told = await asyncio.gather(*(met(NEIGHBOUR4, 7000, 2.5) for _ in range(24)))
    assert set(told) == {"timeout", "echo"}
    failed = jar.ruleset.read()[tcp(NEIGHBOUR4)][1].failed.packets
    assert failed >= 2 * told.count("timeout"), "each was sent again within 2.5 s"


async def _for_a_time() -> None:
    """The kernel alone takes it away: nobody reads, nobody tells it to."""
    jar = Jar()
    for under in (None, Mode.UNREACHABLE):
        for address in BOTH:
            both = (tcp(address), udp(address))
            gone = [each for each in both if each in jar.ruleset.read()]
            verdict = chain_of(under, Settings())
            timed = dict.fromkeys(both, Timed("refuse", 0.6))
            began = time.monotonic()
            jar.ruleset.change(gone, dict.fromkeys(both, verdict), None, seal_changes=False, timed=timed, counted=both)
            assert await met(address, 7000) == "ECONNREFUSED"
            assert await met_udp(address, 7000) == "ECONNREFUSED"
            assert jar.ruleset.read_timed() == dict.fromkeys(both, "refuse")
            while jar.ruleset.read_timed():
                assert time.monotonic() < began + 10
                await asyncio.sleep(0.02)
            assert time.monotonic() >= began + 0.5
            after = "echo" if under is None else "EHOSTUNREACH"
            assert await met(address, 7000) == after
            assert await met_udp(address, 7000) == after
            for each in both:
                counts = jar.ruleset.read()[each][1]
                assert (counts.calls.packets, counts.failed.packets) == (1, 1)
            jar.cut(*both, mode=None)


@EITHER_WAY
def test_a_new_call_is_told_what_its_mode_says(unprivileged: bool) -> None:
    run_in_namespaces(_new_calls, unprivileged=unprivileged)


@EITHER_WAY
def test_a_datagram_fails_on_the_next_call_never_on_its_own(unprivileged: bool) -> None:
    run_in_namespaces(_datagrams, unprivileged=unprivileged)


@EITHER_WAY
def test_a_reset_wakes_who_waits(unprivileged: bool) -> None:
    run_in_namespaces(_reset_flows, unprivileged=unprivileged)


@EITHER_WAY
def test_an_unreachable_host_lets_established_flows_hang(unprivileged: bool) -> None:
    run_in_namespaces(_unreachable_flows, unprivileged=unprivileged)


@EITHER_WAY
def test_a_flow_is_reset_after_so_many_bytes(unprivileged: bool) -> None:
    run_in_namespaces(_after_bytes, unprivileged=unprivileged)


@EITHER_WAY
def test_a_fraction_of_new_calls_fails(unprivileged: bool) -> None:
    run_in_namespaces(_flaky, unprivileged=unprivileged)


@EITHER_WAY
def test_a_call_that_is_repeated_in_silence_stays_failed(unprivileged: bool) -> None:
    run_in_namespaces(_flaky_silence, unprivileged=unprivileged)


@EITHER_WAY
def test_a_cut_for_a_time_ends_by_itself_and_what_lies_below_holds(unprivileged: bool) -> None:
    run_in_namespaces(_for_a_time, unprivileged=unprivileged)
