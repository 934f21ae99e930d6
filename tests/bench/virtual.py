"""What virtual addresses cost, from one run on one machine: `python tests/bench/virtual.py [ROUNDS]`.

round trip, throughput, call   over one TCP stream, and to make one, in a jar without virtual addresses; in one that has
                               200, by the real address; and by a virtual one
answer                         a query's time: passed on; with a virtual address that is there; with a new one
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "kernel"), str(HERE.parents[2])]

import dns.message  # noqa: E402
import dns.query  # noqa: E402
from lanes import megabytes_per_s, round_trip_us  # noqa: E402
from run import FRESH, median_ms  # noqa: E402
from test_virtual import NOBODYS, Jar, resolved  # noqa: E402
from worlds import NEIGHBOUR4, with_neighbour  # noqa: E402

from belljar_tui.agent.netlink import Netfilter  # noqa: E402
from belljar_tui.agent.routes import Routes  # noqa: E402
from belljar_tui.agent.ruleset import Ruleset  # noqa: E402
from belljar_tui.core.model import Endpoint, Protocol  # noqa: E402

MANY = 200
VIRTUAL = "198.18.0.1"
WAYS = ("without", "real", "virtual")


def call_us(address: str, times: int = 500) -> float:
    """To connect."""
    spent = []
    for _ in range(times):
        with socket.socket() as call:
            start = time.perf_counter()
            call.connect((address, 7001))
            spent.append(time.perf_counter() - start)
    return statistics.median(spent) * 1e6


def traffic(rounds: int) -> dict[str, dict[str, float]]:
    """One after the other in each round, each first in its turn, so that noise falls on all."""
    found: dict[str, dict[str, list[float]]] = {"round_trip_us": {}, "throughput_mb_s": {}, "call_us": {}}
    order = list(WAYS)
    for _ in range(rounds):
        order.append(order.pop(0))
        for which in order:
            netfilter, address = Netfilter(), VIRTUAL if which == "virtual" else NEIGHBOUR4
            ruleset = Ruleset(netfilter, 5300, [])
            ruleset.create()
            for number in range(1, MANY + 1) if which != "without" else ():
                virtual = f"198.18.{number // 256}.{number % 256}"
                Routes().lead(virtual, NEIGHBOUR4)
                ruleset.translate(virtual, NEIGHBOUR4)
            known = {Endpoint(address, Protocol.TCP, port): None for port in (7001, 7002)}
            ruleset.change([], known, None, seal_changes=False)
            found["call_us"].setdefault(which, []).append(call_us(address))
            found["round_trip_us"].setdefault(which, []).append(round_trip_us((address, 7001), 1000))
            found["throughput_mb_s"].setdefault(which, []).append(megabytes_per_s((address, 7002), 50 << 20))
            netfilter.close()
    return {what: {which: statistics.median(of[which]) for which in WAYS} for what, of in found.items()}


async def answers() -> dict[str, dict[str, float]]:
    """In the agent's own loop's company: its answer, and the way there and back."""
    await Jar(has_world=True, at_most=5000).start()
    await resolved("a.lab")
    await resolved("b.lab")
    fresh = iter(range(10_000))

    def ask(name: str) -> None:
        dns.query.udp(dns.message.make_query(name, "A"), NOBODYS, 5)

    passed = await asyncio.to_thread(median_ms, lambda: ask("a.lab"), 300)
    again = await asyncio.to_thread(median_ms, lambda: ask("b.lab"), 300)
    new = await asyncio.to_thread(median_ms, lambda: ask(f"n{next(fresh)}.lab"), 300)
    return {"answer_ms": {"passed on": passed, "virtual": again, "new": new}}


def inside(rounds: int) -> None:
    with_neighbour()
    print(json.dumps(traffic(rounds) | asyncio.run(answers())))


def main() -> None:
    rounds = sys.argv[1] if len(sys.argv) > 1 else "20"
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    said = subprocess.check_output([*FRESH, sys.executable, str(HERE), "--inside", rounds], env=environment)
    for name, row in json.loads(said).items():
        first = next(iter(row.values()))
        print(f"{name:<20}" + "   ".join(f"{who} {value:.3g} ({value / first:.2f})" for who, value in row.items()))


if __name__ == "__main__":
    inside(int(sys.argv[2])) if "--inside" in sys.argv else main()
