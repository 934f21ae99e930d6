"""Lanes: what a caller meets of a dependency that hangs or is slow, what gets through, and what was counted."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from namespaces import EITHER_WAY, run_in_namespaces
from worlds import NEIGHBOUR4, NEIGHBOUR6, met, with_neighbour

from belljar_tui.agent.directory import Directory
from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.agent.lanes import Lanes
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.nft import AGENT_MARK, FIRST, FOLLOWERS, LANES, QUEUE
from belljar_tui.agent.observer import Observer
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.processes import ProcessTable
from belljar_tui.agent.queue import CallQueue, LetGo, WaitingRoom
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.core import events as ev
from belljar_tui.core.model import Endpoint, Mode, Protocol, Settings, Wanted

pytestmark = pytest.mark.kernel

BOTH = (NEIGHBOUR4, NEIGHBOUR6)
DEADLINE_S = 10


def identity(address: str, port: int = 7000) -> str:
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"


class Jar:
    """The agent's parts that lanes need, put together as the agent does; calls are made in threads."""

    def __init__(self, *, holds: bool = True, with_world: bool = True) -> None:
        if with_world:
            with_neighbour()
        self.holds = holds
        self.events: list[ev.AnyEvent] = []
        self.sockets = SocketTable()
        self.ruleset = Ruleset(Netfilter(), 5300, [], self._open)
        self.ruleset.create()
        destroy = lambda endpoints, _: self.sockets.destroy_all(endpoints, AGENT_MARK)  # noqa: E731
        self.enforcer = Enforcer(self.ruleset, Directory(), destroy, self.events.append, time.monotonic)
        processes = ProcessTable(ignored=())
        processes.scan()
        self.observer = Observer(
            self.enforcer, self.sockets, processes, frozenset(), self.events.append, time.monotonic
        )
        self.lanes = Lanes(AGENT_MARK, self.enforcer.pace_of, self.sockets.has_owner, self._broke)
        CallQueue(QUEUE, self.observer.on_held, lambda _: None).start()
        CallQueue(FIRST, lambda flow: self.observer.on_held(flow, is_first=True), lambda _: None).start()
        CallQueue(FOLLOWERS, lambda _: None, lambda _: None).start()

    def _open(self) -> int:
        if self.holds:
            WaitingRoom(LANES, self._on_waiting, lambda _: None).start()
        return self.lanes.open()

    def _on_waiting(self, flow: Flow, let_go: LetGo) -> None:
        self.observer.on_held(flow)
        self.lanes.on_waiting(flow, let_go)

    def _broke(self, detail: str) -> None:
        self.events.append(ev.LaneBroke(at=0.0, detail=detail))

    def want(self, mode: Mode | None, *dependencies: str, settings: Settings = Settings()) -> None:  # noqa: B008
        wanted = Wanted()
        if mode is not None:
            wanted = Wanted(cuts=dict.fromkeys(dependencies, mode), settings=dict.fromkeys(dependencies, settings))
        self.observer.change(lambda: self.enforcer.want(wanted))
        self.lanes.refresh()

    def counted(self) -> tuple[int, int]:
        """Open and blocked calls of everything, as they were said."""
        self.observer.count(is_last=True)
        opened = {each.dependency: each.calls for each in self.events if isinstance(each, ev.TrafficCounted)}
        return sum(opened.values()), sum(each.count for each in self.events if isinstance(each, ev.CallBlocked))

    def troubles(self) -> list[str]:
        return [each.detail for each in self.events if isinstance(each, ev.AuditFailed | ev.LaneBroke)]


async def until(condition: object, deadline_s: float = DEADLINE_S) -> None:
    assert callable(condition)
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "it did not come true in time"
        await asyncio.sleep(0.01)


def pooled(address: str, port: int = 7000) -> socket.socket:
    made = socket.create_connection((address, port), 5)
    made.sendall(b"x")
    assert made.recv(1) == b"x"
    return made


async def _hang() -> None:
    jar = Jar()
    for address in BOTH:
        jar.want(Mode.HANG, identity(address), identity(address, 7999))
        call = await asyncio.to_thread(socket.create_connection, (address, 7000), 5)
        call.sendall(b"x")
        call.settimeout(0.4)
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(call.recv, 1)
        assert await met(address, 7001) == "echo", "another port is none the worse"
        assert await met(address, 7999) == "ECONNREFUSED", "who is not there does not accept"
        jar.want(None)
        call.settimeout(5)
        assert await asyncio.to_thread(call.recv, 1) == b"x", "once it is over, what was sent is answered"
        call.close()
        assert await met(address, 7000) == "echo"
    assert not jar.troubles()
    jar.observer.flush()
    blocked = [each for each in jar.events if isinstance(each, ev.CallBlocked)]
    assert {(each.mode, each.pid) for each in blocked} == {(Mode.HANG, os.getpid())}
    assert jar.counted()[1] == 4


async def _refusals() -> None:
    """What the caller meets of a dependency that is not there."""
    jar = Jar()
    for address in BOTH:
        for mode in (Mode.HANG, Mode.SLOW):
            jar.want(mode, identity(address, 7999), settings=Settings(delay_s=0.0))
            assert await met(address, 7999) == "ECONNREFUSED"
    jar.want(Mode.HANG, "tcp://10.66.0.99:80")
    assert await met("10.66.0.99", 80) == "EHOSTUNREACH"


async def _late_refusals() -> None:
    """Where nothing holds its SYN, the caller is connected, and then reset."""
    jar = Jar(holds=False)
    for address in BOTH:
        jar.want(Mode.SLOW, identity(address), identity(address, 7999), settings=Settings(delay_s=0.0))
        assert await met(address, 7999) in ("ECONNRESET", "EPIPE")
        assert await met(address, 7000) == "echo"
    assert jar.counted() == (4, 0)


async def _slow() -> None:
    jar = Jar()
    for address in BOTH:
        with await asyncio.to_thread(pooled, address) as old:
            jar.want(Mode.SLOW, identity(address), settings=Settings(delay_s=0.3, jitter_s=0.1))
            with pytest.raises(ConnectionError):
                await asyncio.to_thread(old.recv, 1)
        began = time.monotonic()
        call = await asyncio.to_thread(socket.create_connection, (address, 7000), 5)
        connected = time.monotonic()
        assert connected - began >= 0.2
        call.sendall(b"x")
        assert await asyncio.to_thread(call.recv, 1) == b"x"
        assert time.monotonic() - connected >= 0.2
        jar.want(None)
        began = time.monotonic()
        for _ in range(20):
            call.sendall(b"x")
            assert await asyncio.to_thread(call.recv, 1) == b"x", "a flow in the lane goes on when the cut is over"
        assert time.monotonic() - began < 3.0
        call.close()
    opened, blocked = jar.counted()
    assert (opened, blocked) == (4, 0), "a delayed call is not a blocked one"
    assert not jar.troubles()


def _echoed(address: str, size: int) -> str:
    """Send `size` random bytes, say that was all, and read until the end; whether the same came back."""
    sent, back = hashlib.blake2b(), hashlib.blake2b()
    block = os.urandom(1 << 20)
    with socket.create_connection((address, 7000), 5) as call:

        def send() -> None:
            for n in range(0, size, len(block)):
                part = block[: size - n]
                sent.update(part)
                call.sendall(part)
            call.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        while data := call.recv(1 << 18):
            back.update(data)
        sender.join()
    return "same" if sent.digest() == back.digest() else "not the same"


async def _large() -> None:
    jar = Jar()
    jar.want(Mode.SLOW, *map(identity, BOTH), settings=Settings(delay_s=0.0))
    for address in BOTH:
        assert await asyncio.to_thread(_echoed, address, 200 << 20) == "same"
    jar.want(Mode.SLOW, *map(identity, BOTH), settings=Settings(delay_s=0.1, jitter_s=0.1))
    assert await asyncio.to_thread(_echoed, NEIGHBOUR4, (16 << 20) + 7) == "same"
    await until(lambda: not len(jar.lanes))
    assert jar.lanes.waiting_bytes == 0


async def _bandwidth() -> None:
    """Two flows share what there is."""
    jar = Jar()
    rate = 400_000
    jar.want(Mode.SLOW, identity(NEIGHBOUR4), settings=Settings(bytes_per_s=rate))
    began = time.monotonic()
    told = await asyncio.gather(*(asyncio.to_thread(_echoed, NEIGHBOUR4, rate // 2) for _ in range(2)))
    spent = time.monotonic() - began
    assert told == ["same", "same"]
    assert 0.95 <= spent <= 4.0, "one second for all bytes, and what the last piece takes back"


async def _many() -> None:
    jar = Jar()
    jar.want(Mode.HANG, identity(NEIGHBOUR4))
    calls = await asyncio.to_thread(lambda: [socket.create_connection((NEIGHBOUR4, 7000), 20) for _ in range(1000)])
    await until(lambda: len(jar.lanes) == 1000)
    for call in calls[:500]:
        call.sendall(b"a last word")
        call.close()
    half_closed = calls[500]
    half_closed.shutdown(socket.SHUT_WR)

    def is_swept() -> bool:
        jar.lanes.sweep()
        return len(jar.lanes) == 500

    await until(is_swept)
    jar.want(None)
    for call in calls[501:]:
        call.sendall(b"x")
    for call in calls[501:]:
        assert await asyncio.to_thread(call.recv, 1) == b"x"
        call.close()
    assert await asyncio.to_thread(half_closed.recv, 1) == b""
    half_closed.close()
    await until(lambda: not len(jar.lanes))
    assert jar.counted() == (0, 1000)
    assert not jar.troubles()


async def _standing() -> None:
    """A flow from before hangs too, and goes on afterwards; one in a slow lane hangs with it."""
    jar = Jar()
    with await asyncio.to_thread(pooled, NEIGHBOUR4) as old:
        jar.want(Mode.HANG, identity(NEIGHBOUR4))
        old.settimeout(0.3)
        old.sendall(b"x")
        with pytest.raises(TimeoutError):
            await asyncio.to_thread(old.recv, 1)
        jar.want(None)
        old.settimeout(5)
        assert await asyncio.to_thread(old.recv, 1) == b"x"
    jar.want(Mode.SLOW, identity(NEIGHBOUR4), settings=Settings(delay_s=0.0))
    with await asyncio.to_thread(pooled, NEIGHBOUR4) as slow:
        for mode in (Mode.HANG, Mode.BLACKHOLE):
            jar.want(mode, identity(NEIGHBOUR4))
            slow.settimeout(0.3)
            slow.sendall(b"x")
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(slow.recv, 1)
            jar.want(None)
            slow.settimeout(5)
            assert await asyncio.to_thread(slow.recv, 1) == b"x"
        jar.want(Mode.REFUSE, identity(NEIGHBOUR4))
        with pytest.raises(ConnectionError):
            await asyncio.to_thread(slow.recv, 1)
    await until(lambda: not len(jar.lanes))


async def _for_a_time() -> None:
    """The kernel ends it: nobody here says so, and nobody sweeps."""
    jar = Jar()
    for address in BOTH:
        for mode in (Mode.HANG, Mode.SLOW):
            ends = time.monotonic() + 1.0
            jar.want(mode, identity(address), settings=Settings(until=ends))
            assert jar.ruleset.read_lanes() == {Endpoint(address, Protocol.TCP, 7000): mode}
            assert await met(address, 7000, 0.3) == "timeout"
            await until(lambda: not jar.ruleset.read_lanes())
            assert time.monotonic() >= ends - 0.1
            assert await met(address, 7000) == "echo"
            jar.want(None)
    assert not jar.troubles()
    assert jar.counted() == (6, 2), "two were slow, and four came when it was over"


async def _dead() -> None:
    """A lane that nobody listens on is closed, said, and comes back."""
    jar = Jar()
    jar.want(Mode.SLOW, identity(NEIGHBOUR4), settings=Settings(delay_s=0.0))
    assert await met(NEIGHBOUR4, 7000) == "echo"
    port = jar.lanes.open()
    listener = next(iter(jar.lanes._listeners.values()))
    listener.shutdown(socket.SHUT_RDWR)
    await until(jar.troubles)
    assert "refused" in jar.troubles()[0]
    assert await met(NEIGHBOUR4, 7000) == "ECONNREFUSED"
    jar.lanes.sweep()
    assert jar.lanes.open() == port
    assert await met(NEIGHBOUR4, 7000) == "echo"


_AGENT = f"""
import asyncio, time
from belljar_tui.core.model import Mode, Settings
from test_lanes import Jar, identity

async def agent():
    jar = Jar(with_world=False)
    jar.want(Mode.HANG, identity("{NEIGHBOUR4}"), settings=Settings(until=time.monotonic() + 3.0))
    print("cut", flush=True)
    await asyncio.Event().wait()

asyncio.run(agent())
"""


def is_stopped(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().split()[2] == "T"


async def _agent_in_its_own_process() -> asyncio.subprocess.Process:
    agent = await asyncio.create_subprocess_exec(sys.executable, "-c", _AGENT, stdout=subprocess.PIPE)
    assert agent.stdout is not None
    assert await agent.stdout.readline() == b"cut\n"
    return agent


async def _stopped() -> None:
    with_neighbour()
    agent = await _agent_in_its_own_process()
    assert await met(NEIGHBOUR4, 7000, 0.3) == "timeout"
    os.kill(agent.pid, signal.SIGSTOP)
    assert await met(NEIGHBOUR4, 7000, 0.3) == "timeout", "who would answer is stopped"
    told = ""
    for _ in range(20):
        told = await met(NEIGHBOUR4, 7000, 1.0)
        if told == "echo":
            break
    assert told == "echo", "the lane outlasted its time"
    assert is_stopped(agent.pid), "it was stopped all the while"
    agent.kill()
    await agent.wait()


async def _killed() -> None:
    """Where the jar fails open: what was in the lane breaks, what comes after is open."""
    with_neighbour()
    agent = await _agent_in_its_own_process()
    call = await asyncio.to_thread(socket.create_connection, (NEIGHBOUR4, 7000), 5)
    call.sendall(b"x")
    agent.kill()
    await agent.wait()
    with pytest.raises(ConnectionResetError):
        await asyncio.to_thread(call.recv, 1)
    assert await met(NEIGHBOUR4, 7000) == "echo"


def test_a_lane_for_a_time_ends_while_the_agent_is_stopped() -> None:
    run_in_namespaces(_stopped, unprivileged=False)


def test_flows_in_a_lane_break_when_the_agent_is_killed_and_new_ones_are_open() -> None:
    run_in_namespaces(_killed, unprivileged=False)


@EITHER_WAY
def test_a_call_that_hangs_is_accepted_and_never_answered(unprivileged: bool) -> None:
    run_in_namespaces(_hang, unprivileged=unprivileged)


@EITHER_WAY
def test_a_real_refusal_still_looks_like_one(unprivileged: bool) -> None:
    run_in_namespaces(_refusals, unprivileged=unprivileged)


@EITHER_WAY
def test_without_a_queue_a_real_refusal_is_a_reset(unprivileged: bool) -> None:
    run_in_namespaces(_late_refusals, unprivileged=unprivileged)


@EITHER_WAY
def test_a_slow_dependency_answers_late_and_nothing_is_blocked(unprivileged: bool) -> None:
    run_in_namespaces(_slow, unprivileged=unprivileged)


def test_what_goes_through_a_lane_is_the_same_to_the_last_byte() -> None:
    run_in_namespaces(_large, unprivileged=False)


def test_flows_share_a_bandwidth() -> None:
    run_in_namespaces(_bandwidth, unprivileged=False)


def test_a_thousand_hang_at_once_and_those_that_leave_are_let_go() -> None:
    run_in_namespaces(_many, unprivileged=False)


@EITHER_WAY
def test_flows_from_before_meet_the_cut_too(unprivileged: bool) -> None:
    run_in_namespaces(_standing, unprivileged=unprivileged)


def test_a_lane_for_a_time_ends_without_us() -> None:
    run_in_namespaces(_for_a_time, unprivileged=False)


def test_a_dead_lane_is_closed_and_said() -> None:
    run_in_namespaces(_dead, unprivileged=False)
