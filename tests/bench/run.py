"""Figures beside what a user would pick instead, from one run on one machine: `python tests/bench/run.py [--json]`.

command to kernel   one cut, and 1,000 at once, beside `nft` adding the same elements
refused call        held, attributed and refused, as its caller sees it, beside the same call refused by a closed port
throughput          one TCP stream through a jar, with and without attribution, beside haproxy in TCP mode and no proxy
round trip          one byte there and back, likewise; connections: connect, one byte there and back, close
start               `belljar demo`, and `run`, to the service's first instruction
help                `belljar --help`, beside `python -c pass`
layout, frame, key  1,000 dependencies: laid out afresh; repainted whole at 200x60; from `space` to the row it cuts
blocked to screen   from before each of 5,000 calls, 1,000 a second, to the paint that counts it; agent memory after
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "kernel"), str(HERE.parents[1] / "tui"), str(HERE.parents[2])]

import screen  # noqa: E402
import traffic  # noqa: E402
from worlds import NEIGHBOUR4, with_neighbour  # noqa: E402

from belljar_tui.agent.directory import Directory  # noqa: E402
from belljar_tui.agent.enforcer import Enforcer  # noqa: E402
from belljar_tui.agent.netlink import Netfilter  # noqa: E402
from belljar_tui.agent.nft import QUEUE  # noqa: E402
from belljar_tui.agent.observer import Observer  # noqa: E402
from belljar_tui.agent.processes import ProcessTable  # noqa: E402
from belljar_tui.agent.queue import CallQueue  # noqa: E402
from belljar_tui.agent.ruleset import Ruleset  # noqa: E402
from belljar_tui.agent.sockets import SocketTable  # noqa: E402
from belljar_tui.core.layout import draw  # noqa: E402
from belljar_tui.core.model import Endpoint, Mode, Protocol, Wanted  # noqa: E402

FRESH = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--mount-proc")
Figures = dict[str, dict[str, float]]


def median_ms(work: Callable[[], object], times: int) -> float:
    """The median of `times` runs, in milliseconds."""
    spent = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        spent.append((time.perf_counter() - start) * 1e3)
    return statistics.median(spent)


def changes(ruleset: Ruleset) -> Figures:
    one = Endpoint("10.1.0.1", Protocol.TCP, 80)
    many = {Endpoint(f"10.2.{n // 250}.{n % 250 + 1}", Protocol.TCP, 80): Mode.REFUSE for n in range(1000)}
    ruleset.change([], {one: None}, None, seal_changes=False)
    flips = [Mode.REFUSE, None]

    def flip() -> None:
        flips.reverse()
        ruleset.change([one], {one: flips[0]}, None, seal_changes=False)

    def thousand() -> None:
        ruleset.change([], dict(many), None, seal_changes=False)
        ruleset.change(many, {}, None, seal_changes=False)

    subprocess.run(["nft", "add table inet peer; add set inet peer s { type ipv4_addr . inet_service; }"], check=True)
    peer = median_ms(lambda: subprocess.run(["nft", "add element inet peer s { 10.1.0.1 . 80 }"], check=True), 20)
    return {
        "cut_ms": {"belljar": median_ms(flip, 500), "nft": peer},
        "thousand_cuts_and_restores_ms": {"belljar": median_ms(thousand, 10)},
    }


def refused_us(address: str, port: int, times: int = 500) -> float:
    """A caller's wait for ECONNREFUSED, µs, in another process than the one that holds the call."""
    program = (
        "import socket,time,statistics,sys\nspent=[]\n"
        f"for _ in range({times}):\n s=socket.socket(); t=time.perf_counter()\n"
        f" try: s.connect(({address!r},{port}))\n except ConnectionRefusedError: spent.append(time.perf_counter()-t)\n"
        " s.close()\nprint(statistics.median(spent)*1e6)"
    )
    return float(subprocess.check_output([sys.executable, "-c", program]))


async def calls(ruleset: Ruleset) -> Figures:
    enforcer = Enforcer(ruleset, Directory(), lambda _, __: 0, lambda _: None, time.monotonic)
    observer = Observer(enforcer, SocketTable(), ProcessTable(), frozenset(), lambda _: None, time.monotonic)
    queue = CallQueue(QUEUE, observer.on_held, lambda _: None)
    queue.start()
    closed = await asyncio.to_thread(refused_us, NEIGHBOUR4, 9)
    enforcer.want(Wanted(cuts={f"tcp://{NEIGHBOUR4}:7000": Mode.REFUSE}))
    held = await asyncio.to_thread(refused_us, NEIGHBOUR4, 7000)
    enforcer.want(Wanted())
    queue.close()
    return {"refused_call_us": {"belljar": held, "a closed port": closed}}


def inside() -> None:
    """Everything that needs the namespaces; prints JSON."""
    with_neighbour()
    netfilter = Netfilter()
    ruleset = Ruleset(netfilter, 5300, [])
    ruleset.create()
    figures = changes(ruleset) | asyncio.run(calls(ruleset))
    netfilter.close()
    print(json.dumps(figures | traffic.measured()))


def outside() -> Figures:
    belljar = [sys.executable, "-m", "belljar_tui"]
    dependencies = tuple((f"tcp://d{n}.test:80", (2 + n % 7,)) for n in range(1000))
    key = ("service", tuple((pid, f"p{pid}", 1) for pid in range(2, 9)), dependencies)

    def quiet(command: list[str]) -> Callable[[], object]:
        return lambda: subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    return {
        "start_ms": {"belljar run": started_ms("run", "--", "true"), "belljar demo": started_ms("demo")},
        "help_ms": {
            "belljar": median_ms(quiet([*belljar, "--help"]), 15),
            "python -c pass": median_ms(quiet([sys.executable, "-c", "pass"]), 15),
        },
        "layout_1000_ms": {"belljar": median_ms(lambda: draw(key), 20)},
    }


def started_ms(which: str, *arguments: str) -> float:
    """From the command to `service_started`, by the session's own clock; the median of five."""
    return statistics.median(_started_ms([which, "--headless", *arguments]) for _ in range(5))


def _started_ms(arguments: list[str]) -> float:
    command = [sys.executable, "-m", "belljar_tui", *arguments]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as started:
        assert started.stdout is not None
        assert started.stdin is not None
        event = next(e for line in started.stdout if (e := json.loads(line))["event"] == "service_started")
        started.stdin.write(b'{"command":"quit"}\n')
        started.stdin.close()
        started.stdout.read()
    return float(event["at"]) * 1e3


BUDGETS = {
    "cut_ms": 1, "thousand_cuts_and_restores_ms": 100, "refused_call_us": 150, "start_ms": 200, "help_ms": 150,
    "layout_1000_ms": 50, "frame_1000_ms": 33, "key_to_row_ms": 50, "blocked_to_screen_ms": 100, "agent_memory_mb": 45,
}  # fmt: skip
"""The design's, on the first figure of a row."""


def main() -> None:
    command = [*FRESH, sys.executable, str(HERE), "--inside"]
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    figures: Figures = json.loads(subprocess.check_output(command, env=environment)) | outside() | screen.measure()
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    for name, row in figures.items():
        values = list(row.values())
        ratio = f"   ratio {values[0] / values[1]:.2f}" if len(values) == 2 else ""
        budget = f"   budget {BUDGETS[name]}" if name in BUDGETS else ""
        print(f"{name:<32}" + "   ".join(f"{who} {value:.3g}" for who, value in row.items()) + ratio + budget)


if __name__ == "__main__":
    inside() if "--inside" in sys.argv else main()
