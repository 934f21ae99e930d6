"""Open traffic in a jar, beside haproxy in TCP mode (the proxy a user would pick instead) and the bare namespace.

Rounds in which all take turns, on one machine; ratios are medians of each round's own. The agent is a process of its
own with what it reads open calls by: the queue that holds them until their process is known, and the log. Without
attribution it has the table only. haproxy runs with one thread, and is left away where it is not installed.

throughput    one TCP stream to a neighbour's echo and back, MB/s
round trip    one byte there and back, µs
connections   one after another: connect, one byte there and back, close; a second
datagrams     from one socket to where nobody answers (metrics, say); a second. None through haproxy
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import lanes
from worlds import NEIGHBOUR4

from belljar_tui.agent.directory import Directory
from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.agent.flows import FlowLog
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.nft import FIRST, FOLLOWERS, LOG_GROUP, OPENED, QUEUE
from belljar_tui.agent.observer import Observer
from belljar_tui.agent.processes import ProcessTable
from belljar_tui.agent.queue import CallQueue
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.core.model import Wanted

ROUNDS = 5
DATAGRAMS = 20_000
Where = tuple[str, int]


def datagrams_per_s(where: Where) -> float:
    with socket.socket(type=socket.SOCK_DGRAM) as sending:
        began = time.perf_counter()
        for _ in range(DATAGRAMS):
            sending.sendto(bytes(100), where)
        return DATAGRAMS / (time.perf_counter() - began)


KINDS: dict[str, Callable[[Where], float]] = {
    "throughput_mb_s": lambda where: lanes.megabytes_per_s(where, 200 << 20),
    "round_trip_us": lanes.round_trip_us,
    "connections_per_s": lanes.calls_per_s,
    "datagrams_per_s": datagrams_per_s,
}


async def _keep(ready: int, *, attributes: bool) -> None:
    """What the agent does beside open traffic, until killed."""
    ruleset = Ruleset(Netfilter(), 5300, [])
    ruleset.create()
    enforcer = Enforcer(ruleset, Directory(), lambda _, __: 0, lambda _: None, time.monotonic)
    observer = Observer(enforcer, SocketTable(), ProcessTable(), frozenset(), lambda _: None, time.monotonic)
    if attributes:
        CallQueue(QUEUE, observer.on_held, lambda _: None).start()
        CallQueue(FIRST, lambda flow: observer.on_held(flow, is_first=True), lambda _: None).start()
        CallQueue(OPENED, lambda flow: observer.on_flow(flow, is_counted=True), lambda _: None).start()
        CallQueue(FOLLOWERS, lambda _: None, lambda _: None, length=0).start()
        FlowLog(LOG_GROUP, observer.on_flow, lambda _: None).start()
    enforcer.want(Wanted())
    os.write(ready, b"!")
    while True:
        ruleset.hold_calls(keeps_up=True)
        observer.count()
        await asyncio.sleep(0.5)


@contextmanager
def agent(*, attributes: bool) -> Iterator[None]:
    """While it lives there is a jar's table."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        asyncio.run(_keep(write, attributes=attributes))
    os.read(read, 1)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        os.close(read)
        os.close(write)


def measured() -> lanes.Figures:
    found: dict[str, dict[str, list[float]]] = {kind: {} for kind in KINDS}
    bare, proxied = (NEIGHBOUR4, lanes.BARE), ("127.0.0.1", lanes.HAPROXY)
    has_haproxy = shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin") is not None

    def turn(who: str, where: Where) -> None:
        for kind, measure in KINDS.items():
            if measure is datagrams_per_s and who == "haproxy":
                continue
            found[kind].setdefault(who, []).append(measure(where))

    proxy = lanes.haproxy() if has_haproxy else None
    for _ in range(ROUNDS):
        with agent(attributes=True):
            turn("jar", bare)
        with agent(attributes=False):
            turn("without attribution", bare)
        if proxy is not None:
            turn("haproxy", proxied)
        turn("bare", bare)
    if proxy is not None:
        proxy.terminate()
    figures: lanes.Figures = {}
    for kind, row in found.items():
        figures[kind] = {who: statistics.median(each) for who, each in row.items()}
        figures[f"{kind} jar /"] = {
            who: statistics.median(jar / other for jar, other in zip(row["jar"], each, strict=True))
            for who, each in row.items()
            if who != "jar"
        }
    return figures
