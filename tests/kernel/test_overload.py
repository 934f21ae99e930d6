"""More blocked calls than anybody can look at: enforcement goes on, counts stay exact, and what was lost is told."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import flood
import psutil
import pytest
from lab_jar import lab_jar
from test_enforcer import made
from worlds import NEIGHBOUR4, PRIVILEGES, met, run_in_jar, says_udp

from belljar_tui.agent.nft import FIRST, FOLLOWERS, QUEUE
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.queue import CallQueue
from belljar_tui.core.events import AnyEvent, CallBlocked, EventsLost
from belljar_tui.core.model import Endpoint, Mode, Protocol, Seal, Wanted

pytestmark = pytest.mark.kernel

CALLS = 20_000
CUT = Endpoint(NEIGHBOUR4, Protocol.UDP, 7000)
SEND = f"""
import socket
for n in range({CALLS}):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
        call.settimeout(0)
        call.sendto(b"x", ({NEIGHBOUR4!r}, 7000))
"""
"""A socket for each: what is held counts against its sender's buffer, and one sender would stand still at 256."""
ONE_SENDER = f"""
import socket
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
    call.settimeout(5)
    for n in range(5000):
        call.sendto(b"x", ({NEIGHBOUR4!r}, 7000))
"""
DEADLINE_S = 40.0
_LIVES_S = 2.0
"""So long calls are held after the agent has last said that it lives."""


def _send(program: str) -> None:
    """On purpose in our own thread: the queues' reader stands still meanwhile, as if it were stopped."""
    sent = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert sent.returncode == 0, sent.stderr


async def _overflows() -> None:
    assert await says_udp(NEIGHBOUR4, 7000) == "echo"
    enforcer, ruleset = made([])
    held: list[Flow] = []
    CallQueue(QUEUE, held.append, lambda _: None, length=200).start()
    CallQueue(FOLLOWERS, lambda _: None, lambda _: None, length=0).start()
    enforcer.want(Wanted(cuts={f"udp://{NEIGHBOUR4}:7000": Mode.BLACKHOLE}))
    enforcer.note(CUT)
    _send(SEND)
    assert not held
    counts = ruleset.read()[CUT][1]
    assert counts.packets.packets == CALLS, counts
    assert await says_udp(NEIGHBOUR4, 7000, 0.3) == "timeout"
    assert len(held) >= 200, "it did hold some"
    assert len(held) < CALLS, "the queue did overflow, or this proves nothing"


@PRIVILEGES
def test_a_queue_that_overflows_unread_lets_nothing_through_and_loses_no_count(flags: tuple[str, ...]) -> None:
    run_in_jar(_overflows, flags)


async def _stands_still() -> None:
    enforcer, ruleset = made([])
    held: list[Flow] = []
    for queue in (QUEUE, FIRST):
        CallQueue(queue, held.append, lambda _: None).start()
    CallQueue(FOLLOWERS, lambda _: None, lambda _: None, length=0).start()
    cuts = {f"udp://{NEIGHBOUR4}:7000": Mode.BLACKHOLE, f"tcp://{NEIGHBOUR4}:7001": Mode.REFUSE}
    enforcer.want(Wanted(cuts=cuts, seal=Seal.VACUUM))
    ruleset.hold_calls(keeps_up=True)
    assert await met(NEIGHBOUR4, 7001) == "ECONNREFUSED"
    assert held
    time.sleep(_LIVES_S + 0.2)  # noqa: ASYNC251  # the agent is stopped, and its word that it lives has run out
    held.clear()
    _send(ONE_SENDER)
    for port in (7001, 7002):  # one that is cut by itself, and one that the seal cuts
        call = f"import socket; print(socket.socket().connect_ex(({NEIGHBOUR4!r}, {port})))"
        refused = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, timeout=5, check=False)  # noqa: ASYNC221
        assert refused.stdout == "111\n"
    assert ruleset.read()[CUT][1].packets.packets == 5000
    await asyncio.sleep(0.1)
    assert not held
    ruleset.hold_calls(keeps_up=True)
    assert await met(NEIGHBOUR4, 7001) == "ECONNREFUSED"
    assert held, "it lives again"


@PRIVILEGES
def test_a_stopped_reader_keeps_nobody_waiting(flags: tuple[str, ...]) -> None:
    run_in_jar(_stands_still, flags)


async def _wait_unread() -> None:
    enforcer, ruleset = made([])
    held: list[Flow] = []
    queue = CallQueue(FIRST, held.append, lambda _: None)
    queue.start()
    CallQueue(FOLLOWERS, lambda _: None, lambda _: None, length=0).start()
    enforcer.want(Wanted(seal=Seal.VACUUM, seal_mode=Mode.BLACKHOLE))
    ruleset.hold_calls(keeps_up=True)
    for _ in range(300):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
            call.sendto(b"x", (NEIGHBOUR4, 7000))
    assert (len(held), enforcer.met_seals()) == (0, 300)
    assert not queue.read_waiting(0.0), "there are more than are read at once"
    assert 0 < len(held) < 300
    assert queue.read_waiting(time.monotonic() + 5)
    assert Counter(flow.endpoint for flow in held) == {CUT: 300}
    assert not queue.is_behind


@PRIVILEGES
def test_calls_that_wait_can_be_seen_before_anything_is_said_of_them(flags: tuple[str, ...]) -> None:
    run_in_jar(_wait_unread, flags)


class Flooded:
    """What the agent said of a flood, and what it took."""

    def __init__(self) -> None:
        self.blocked: Counter[str] = Counter()
        self.named: Counter[str] = Counter()
        self.lost: Counter[str] = Counter()
        self.events: Counter[int] = Counter()
        """By second."""
        self.memory_mb = 0.0

    def take(self, event: AnyEvent) -> None:
        self.events[int(event.at)] += 1
        match event:
            case CallBlocked(dependency=dependency, count=count, pid=pid):
                protocol = dependency.partition(":")[0]
                self.blocked[protocol] += count
                self.named[protocol] += count if pid is not None else 0
            case EventsLost(source=source, count=count):
                self.lost[source] += count


async def flooded(log: Path) -> Flooded:
    jar = lab_jar((sys.executable, flood.__file__), Wanted(seal=Seal.VACUUM, seal_mode=Mode.REFUSE), log)
    await jar.start()
    found = Flooded()
    agents = [p for p in psutil.Process().children(recursive=True) if _is_agent(p)]
    try:
        async with asyncio.timeout(DEADLINE_S):
            async for event in jar.events():
                found.take(event)
                found.memory_mb = max([found.memory_mb, *(p.memory_info().rss / 1e6 for p in agents if p.is_running())])
                if "done" in await asyncio.to_thread(log.read_text):
                    await jar.end_service()
    finally:
        await jar.finish()
    return found


def _is_agent(process: psutil.Process) -> bool:
    words = process.cmdline()
    return "belljar_tui.agent.main" in words and "--" not in words


async def test_a_flood_is_counted_exactly_and_what_was_not_looked_at_is_told(tmp_path: Path) -> None:
    log = tmp_path / "service.log"
    found = await flooded(log)
    told = {
        each["protocol"]: each
        for line in log.read_text().splitlines()
        if line.startswith("{")
        for each in [json.loads(line)]
    }
    assert found.blocked == {protocol: each["made"] for protocol, each in told.items()}
    assert told["tcp"]["met"] == {"ECONNREFUSED": told["tcp"]["made"]}
    assert set(told["udp"]["met"]) <= {"ECONNREFUSED", "EAGAIN"}
    assert found.blocked.total() > 5000, "or this is no flood"
    assert found.named["tcp"] > 0
    unnamed = found.blocked.total() - found.named.total()  # some were held, and their caller had ended meanwhile
    assert set(found.lost) == {"callers"}
    assert 0 < found.lost["callers"] <= unnamed
    assert found.memory_mb < 45
    assert max(found.events.values()) < 1500, "a flood of calls is no flood of events"
