"""Datagrams and pings to what is slow: when they arrive and in which order, what is lost, and what was counted."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from unittest.mock import patch

import pytest
from namespaces import EITHER_WAY, run_in_namespaces
from test_lanes import Jar as LaneJar
from test_lanes import is_stopped, until
from test_virtual import A, B, resolved
from test_virtual import Jar as VirtualJar
from worlds import NEIGHBOUR4, NEIGHBOUR6, keep_holding, met_udp, with_neighbour

from belljar_tui.agent import expressions as ex
from belljar_tui.agent import mounts
from belljar_tui.agent.lane_datagrams import DatagramLane
from belljar_tui.agent.netlink import nested, text
from belljar_tui.agent.nft import OPENED
from belljar_tui.agent.queue import CallQueue
from belljar_tui.core import events as ev
from belljar_tui.core.model import Endpoint, Mode, Protocol, Settings

pytestmark = pytest.mark.kernel

_PINGS = (
    (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP),
    (socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6),
)
BOTH = (NEIGHBOUR4, NEIGHBOUR6)


def identity(address: str, port: int = 7000) -> str:
    return f"udp://[{address}]:{port}" if ":" in address else f"udp://{address}:{port}"


class Jar(LaneJar):
    """With a lane for datagrams."""

    def __init__(self, *, with_world: bool = True) -> None:
        super().__init__(with_world=with_world)
        self.lost = 0
        self.datagrams = DatagramLane(self.enforcer.pace_of, self._lose)
        self.datagrams.start()
        CallQueue(OPENED, lambda flow: self.observer.on_flow(flow, is_counted=True), lambda _: None).start()
        self.living = keep_holding(self.ruleset)

    def _lose(self, count: int) -> None:
        self.lost += count

    def want(self, mode: Mode | None, *dependencies: str, settings: Settings = Settings()) -> None:  # noqa: B008
        super().want(mode, *dependencies, settings=settings)
        self.datagrams.refresh()


@contextmanager
def caller(address: str, *, is_connected: bool = True) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as made:
        made.settimeout(10)
        if is_connected:
            made.connect((address, 7000))
        yield made


async def answers(call: socket.socket, count: int) -> list[bytes]:
    return [await asyncio.to_thread(call.recv, 1 << 16) for _ in range(count)]


async def _late() -> None:
    jar = Jar()
    for address in BOTH:
        jar.want(Mode.SLOW, identity(address), settings=Settings(delay_s=0.5))
        for is_connected in (True, False):
            with caller(address, is_connected=is_connected) as call:
                began = time.monotonic()
                for n in range(20):
                    call.send(bytes([n])) if is_connected else call.sendto(bytes([n]), (address, 7000))
                assert time.monotonic() - began < 0.5, "whoever sends does not wait"
                assert [data[0] for data in await answers(call, 20)] == list(range(20)), "in their order"
                assert time.monotonic() - began >= 0.49
                call.sendto(b"x", (address, 7000))  # of a conversation that has been answered
                began = time.monotonic()
                await answers(call, 1)
                assert time.monotonic() - began >= 0.49
        jar.want(None)
        began = time.monotonic()
        assert await met_udp(address, 7000) == "echo"
        assert time.monotonic() - began < 0.5
    assert not jar.troubles()
    opened, blocked = jar.counted()
    assert (opened, blocked) == (82, 0), "those that leave before the first has arrived begin a conversation each"
    packets = {each.dependency: each.packets for each in jar.events if isinstance(each, ev.TrafficCounted)}
    assert packets == dict.fromkeys(map(identity, BOTH), 43)
    assert {each.pid for each in jar.events if isinstance(each, ev.DependencySeen)} == {os.getpid()}
    assert (len(jar.datagrams), jar.datagrams.waiting_bytes, jar.lost) == (0, 0, 0)


async def _jitter() -> None:
    """Some overtake others, none is early, none is lost."""
    jar = Jar()
    jar.want(Mode.SLOW, identity(NEIGHBOUR4), settings=Settings(delay_s=0.4, jitter_s=0.3))
    with caller(NEIGHBOUR4) as call:
        began = time.monotonic()
        for n in range(60):
            call.send(bytes([n]))
        first = (await answers(call, 1))[0]
        assert time.monotonic() - began >= 0.09
        came = [data[0] for data in [first, *await answers(call, 59)]]
    assert sorted(came) == list(range(60))
    assert came != sorted(came)


async def _bandwidth() -> None:
    """All conversations share it; what would wait too long is dropped and counted, exactly."""
    jar = Jar()
    size, rate = 972, 100_000  # 1000 bytes with its headers: 100 a second
    jar.want(Mode.SLOW, identity(NEIGHBOUR4), settings=Settings(bytes_per_s=rate))
    with caller(NEIGHBOUR4) as one, caller(NEIGHBOUR4) as other:
        began = time.monotonic()
        for _ in range(25):
            one.send(bytes(size))
            other.send(bytes(size))
        await asyncio.gather(answers(one, 25), answers(other, 25))
        assert time.monotonic() - began >= 0.45
    callers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(6)]
    for call in callers:
        call.connect((NEIGHBOUR4, 7000))
        for _ in range(50):
            await asyncio.to_thread(call.send, bytes(size))
    await until(lambda: not len(jar.datagrams))
    jar.datagrams.sweep()
    arrived = 0
    for call in callers:
        call.settimeout(0.3)
        try:
            while call.recv(1 << 16):
                arrived += 1
        except TimeoutError:
            call.close()
    assert jar.lost > 0
    assert arrived + jar.lost == 300


async def _full() -> None:
    """What the kernel has no room for is dropped and counted; whoever sends hears nothing of it."""
    jar = Jar()
    jar.want(Mode.SLOW, identity(NEIGHBOUR4), settings=Settings(delay_s=60.0))
    callers = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(61)]

    def flood() -> None:
        for call in callers[1:]:
            call.connect((NEIGHBOUR4, 7000))
            for _ in range(200):  # fewer than fill its send buffer
                call.send(b"x")

    await asyncio.to_thread(flood)
    sent = 60 * 200

    def is_all_said() -> bool:
        """What had no room on its way to us is known by the next one's number."""
        nonlocal sent
        jar.datagrams.sweep()
        if jar.lost == sent - 8192:
            return True
        callers[0].sendto(b"x", (NEIGHBOUR4, 7000))
        sent += 1
        return False

    await until(is_all_said)
    assert len(jar.datagrams) == 8192
    jar.want(None)
    assert (len(jar.datagrams), jar.datagrams.waiting_bytes) == (0, 0)


async def _changes() -> None:
    """What waits goes when it is restored, sooner when it is to be less slow, and never when it is cut."""
    jar = Jar()
    for address in BOTH:
        with caller(address) as call:
            for after, settings in ((None, Settings()), (Mode.SLOW, Settings(delay_s=0.05))):
                jar.want(Mode.SLOW, identity(address), settings=Settings(delay_s=60.0))
                for n in range(5):
                    call.send(bytes([n]))
                await until(lambda: len(jar.datagrams) == 5)
                jar.want(after, identity(address), settings=settings)
                assert [data[0] for data in await answers(call, 5)] == list(range(5))
            jar.want(Mode.SLOW, identity(address), settings=Settings(delay_s=60.0))
            call.send(b"lost")
            await until(lambda: len(jar.datagrams) == 1)
            jar.want(Mode.BLACKHOLE, identity(address))
            assert not len(jar.datagrams)
            jar.want(None)
            call.send(b"open")
            assert await answers(call, 1) == [b"open"]
    assert not jar.troubles()


async def _for_a_time() -> None:
    """The kernel ends it: what is sent then is not late, and what is held goes when we see it."""
    jar = Jar()
    for address in BOTH:
        endpoint = Endpoint(address, Protocol.UDP, 7000)
        with caller(address) as held, caller(address) as fresh:
            jar.want(Mode.SLOW, identity(address), settings=Settings(delay_s=60.0, until=time.monotonic() + 1.5))
            assert jar.ruleset.read_timed() == {endpoint: "slow_datagrams"}
            held.send(b"held")
            await until(lambda: len(jar.datagrams) == 1)
            await until(lambda: not jar.ruleset.read_timed())
            fresh.send(b"fresh")
            assert await answers(fresh, 1) == [b"fresh"]
            await until(jar.enforcer.is_due)
            jar.observer.change(jar.enforcer.expire)
            jar.datagrams.refresh()
            assert await answers(held, 1) == [b"held"]
    assert jar.counted() == (4, 0)
    assert not jar.troubles()


async def _virtual() -> None:
    """Of two names on one address, the one that is slow."""
    jar = await VirtualJar().start()
    lane = DatagramLane(jar.enforcer.pace_of, lambda _: None)
    lane.start()
    names = [each.replace("tcp", "udp") for each in (A, B)]
    for kind in ("A", "AAAA"):
        a, b = await resolved("a.lab", kind), await resolved("b.lab", kind)
        jar.want(Mode.SLOW, names[1], delay_s=60.0)
        with caller(a) as one, caller(b) as other:
            for n in range(20):
                other.send(bytes([n]))
                one.send(bytes([n]))
            await until(lambda: len(lane) == 20)
            assert [data[0] for data in await answers(one, 20)] == list(range(20))
            assert len(lane) == 20
            jar.want(None)
            lane.refresh()
            assert [data[0] for data in await answers(other, 20)] == list(range(20))
    calls = jar.counted()
    assert calls[names[1]] == (40, 0)
    assert calls[names[0]][1] == 0
    assert not jar.troubles()


async def _audited() -> None:
    jar = Jar()
    jar.want(Mode.SLOW, identity(NEIGHBOUR4))
    endpoint = Endpoint(NEIGHBOUR4, Protocol.UDP, 7000)
    assert jar.enforcer.audit()
    jar.ruleset.change([endpoint], {endpoint: None}, None, seal_changes=False)
    assert not jar.enforcer.audit()
    assert str(endpoint) in jar.troubles()[-1]


async def _pings() -> None:
    jar = Jar()
    mounts.open_low_ports()
    for address in BOTH:
        dependency = f"icmp://[{address}]" if ":" in address else f"icmp://{address}"
        jar.want(Mode.SLOW, dependency, settings=Settings(delay_s=0.4))
        with socket.socket(*_PINGS[":" in address]) as call:
            call.settimeout(10)
            began = time.monotonic()
            call.sendto(struct.pack(">BBHHH", 128 if ":" in address else 8, 0, 0, 0, 1), (address, 0))
            await answers(call, 1)
            assert time.monotonic() - began >= 0.39
    assert jar.counted() == (2, 0)


async def _no_queue() -> None:
    """Where the kernel has none there is nobody who could let a datagram go, and none gets past."""
    unknown = lambda _, __: nested(1, text(1, "unheard-of"))  # noqa: E731
    with patch.object(ex, "queue_native", unknown), patch.object(ex, "queue_xtables", unknown):
        jar = Jar()
    assert jar.ruleset.queue == "none"
    jar.want(Mode.SLOW, identity(NEIGHBOUR4), settings=Settings(delay_s=0.0))
    assert await met_udp(NEIGHBOUR4, 7000, 0.3) != "echo"
    assert await met_udp(NEIGHBOUR6, 7000) == "echo"
    assert not jar.troubles()


_AGENT = f"""
import asyncio, time
from belljar_tui.core.model import Mode, Settings
from test_slow_datagrams import Jar, identity

async def agent():
    jar = Jar(with_world=False)
    jar.want(Mode.SLOW, identity("{NEIGHBOUR4}"), settings=Settings(delay_s=0.5, until=time.monotonic() + 3.0))
    print("cut", flush=True)
    await asyncio.Event().wait()

asyncio.run(agent())
"""


async def _agent_in_its_own_process() -> asyncio.subprocess.Process:
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", _AGENT, stdout=subprocess.PIPE)
    assert agent.stdout is not None
    assert await agent.stdout.readline() == b"cut\n"
    return agent


async def _stopped() -> None:
    """Nothing goes past a stopped agent, the kernel ends the cut all the same, and what was held goes afterwards."""
    with_neighbour()
    agent = await _agent_in_its_own_process()
    with caller(NEIGHBOUR4) as call:
        os.kill(agent.pid, signal.SIGSTOP)
        await until(lambda: is_stopped(agent.pid))
        call.send(b"held")
        call.settimeout(0.8)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(call.recv, 9)
        told = ""
        for _ in range(20):
            told = await met_udp(NEIGHBOUR4, 7000, 0.5)
            if told == "echo":
                break
        assert told == "echo", "the cut outlasted its time"
        assert is_stopped(agent.pid)
        os.kill(agent.pid, signal.SIGCONT)
        call.settimeout(10)
        assert await asyncio.to_thread(call.recv, 9) == b"held"
    agent.kill()
    await agent.wait()


async def _killed() -> None:
    """Where the jar fails open: what was held is lost, what comes after is not late."""
    with_neighbour()
    agent = await _agent_in_its_own_process()
    with caller(NEIGHBOUR4) as call:
        call.send(b"held")
        agent.kill()
        await agent.wait()
        call.send(b"open")
        assert await answers(call, 1) == [b"open"]


@EITHER_WAY
def test_datagrams_are_late_and_in_order_and_counted_as_open(unprivileged: bool) -> None:
    run_in_namespaces(_late, unprivileged=unprivileged)


def test_with_jitter_some_overtake_others() -> None:
    run_in_namespaces(_jitter, unprivileged=False)


def test_datagrams_share_a_bandwidth_and_what_is_too_much_is_counted() -> None:
    run_in_namespaces(_bandwidth, unprivileged=False)


@EITHER_WAY
def test_what_there_is_no_room_for_is_dropped_and_counted(unprivileged: bool) -> None:
    run_in_namespaces(_full, unprivileged=unprivileged)


def test_what_waits_follows_the_wanted_state() -> None:
    run_in_namespaces(_changes, unprivileged=False)


def test_a_slow_dependency_for_a_time_is_at_full_speed_afterwards() -> None:
    run_in_namespaces(_for_a_time, unprivileged=False)


def test_a_kernel_without_a_queue_lets_no_datagram_past() -> None:
    run_in_namespaces(_no_queue, unprivileged=False)


def test_of_two_names_on_one_address_the_one_that_is_slow_is_late() -> None:
    run_in_namespaces(_virtual, unprivileged=False)


def test_the_audit_knows_datagrams_that_are_not_slow() -> None:
    run_in_namespaces(_audited, unprivileged=False)


def test_pings_are_late_too() -> None:
    run_in_namespaces(_pings, unprivileged=False)


def test_a_stopped_agent_lets_no_datagram_past_and_the_cut_still_ends() -> None:
    run_in_namespaces(_stopped, unprivileged=False)


def test_when_the_agent_is_killed_what_is_held_is_lost_and_the_rest_is_open() -> None:
    run_in_namespaces(_killed, unprivileged=False)
