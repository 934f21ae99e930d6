"""A lane without delay, beside haproxy in TCP mode and the bare namespace: `python tests/bench/lanes.py [--json]`.

One run on one machine; each figure is the median of rounds in which all take turns. The lane's agent, haproxy and the
neighbour's echo server are processes of their own; haproxy runs with one thread, as the agent does.

throughput          one TCP stream to the echo and back, MB/s
round trip          one byte there and back, µs
connections         one after another: connect, one byte there and back, close; a second
memory              resident, after 2,000 calls that hang at once, MB (the lane's process only)
datagrams           of one socket, there and back, at most 100 on their way, a second; the lane's without delay, too
delay               of single datagrams there and back, asked for and met, ms: the median, and the 99th percentile
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "kernel"), str(HERE.parents[2])]

from worlds import NEIGHBOUR4, with_neighbour  # noqa: E402

FRESH = ("unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
BARE, LANE, HANGING, HAPROXY = 7001, 7002, 7003, 8001
WHERE = {"lane": (NEIGHBOUR4, LANE), "haproxy": ("127.0.0.1", HAPROXY), "bare": (NEIGHBOUR4, BARE)}
ROUNDS = 5
DELAY_S = 0.02
HANGING_AT_ONCE = 2000
_CONFIGURATION = f"""
global
    nbthread 1
    maxconn 5000
defaults
    mode tcp
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen echo
    bind 127.0.0.1:{HAPROXY}
    server neighbour {NEIGHBOUR4}:{BARE}
"""
Figures = dict[str, dict[str, float]]


def megabytes_per_s(where: tuple[str, int], total: int = 400 << 20) -> float:
    block = bytes(1 << 18)
    with socket.create_connection(where) as call:
        began = time.perf_counter()

        def send() -> None:
            for _ in range(total // len(block)):
                call.sendall(block)
            call.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        received = 0
        while data := call.recv(1 << 20):
            received += len(data)
        sender.join()
        assert received == total
        return total / (time.perf_counter() - began) / 1e6


def round_trip_us(where: tuple[str, int], times: int = 4000) -> float:
    spent = []
    with socket.create_connection(where) as call:
        call.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(times):
            began = time.perf_counter()
            call.sendall(b"x")
            call.recv(1)
            spent.append(time.perf_counter() - began)
    return statistics.median(spent) * 1e6


def calls_per_s(where: tuple[str, int], times: int = 1000) -> float:
    began = time.perf_counter()
    for _ in range(times):
        with socket.create_connection(where) as call:
            call.sendall(b"x")
            call.recv(1)
    return times / (time.perf_counter() - began)


def datagrams_per_s(port: int, times: int = 20_000, at_once: int = 100) -> float:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
        call.connect((NEIGHBOUR4, port))
        call.settimeout(10)
        began = time.perf_counter()
        for n in range(times + at_once):
            if n < times:
                call.send(b"x")
            if n >= at_once:
                call.recv(1)
        return times / (time.perf_counter() - began)


def delays_ms(port: int, times: int = 200) -> list[float]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
        call.connect((NEIGHBOUR4, port))
        call.settimeout(10)
        spent = []
        for _ in range(times):
            began = time.perf_counter()
            call.send(b"x")
            call.recv(1)
            spent.append((time.perf_counter() - began) * 1e3)
    return sorted(spent)


def datagrams() -> Figures:
    """What becomes of datagrams; those of the lane have an agent of their own, one for each delay."""
    rounds: dict[str, list[float]] = {"lane": [], "bare": []}
    for _ in range(ROUNDS):
        for who, of in rounds.items():
            ours = agent(0.0) if who == "lane" else None
            of.append(datagrams_per_s(7000))
            if ours is not None:
                end(ours)
    ours = agent(DELAY_S)
    met = delays_ms(7000)
    end(ours)
    return {
        "datagrams_per_s": {who: statistics.median(each) for who, each in rounds.items()},
        "delay_ms": {"lane": statistics.median(met), "asked": DELAY_S * 1e3, "lane p99": met[int(len(met) * 0.99)]},
    }


def measured() -> Figures:
    kinds: dict[str, Callable[[tuple[str, int]], float]] = {
        "throughput_mb_s": megabytes_per_s,
        "round_trip_us": round_trip_us,
        "connections_per_s": calls_per_s,
    }
    found: dict[str, dict[str, list[float]]] = {kind: {who: [] for who in WHERE} for kind in kinds}
    for _ in range(ROUNDS):
        for kind, measure in kinds.items():
            for who, where in WHERE.items():
                found[kind][who].append(measure(where))
    return {kind: {who: statistics.median(each) for who, each in row.items()} for kind, row in found.items()}


def memory_mb(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


async def lanes(ready: int, datagram_delay_s: float | None) -> None:
    """The agent's side, with nothing of ours that it does not have; until killed."""
    from test_lanes import identity
    from test_slow_datagrams import Jar
    from test_slow_datagrams import identity as of_datagrams

    from belljar_tui.core.model import Mode, Settings, Wanted

    jar = Jar(with_world=False)
    slow, hanging, late = identity(NEIGHBOUR4, LANE), identity(NEIGHBOUR4, HANGING), of_datagrams(NEIGHBOUR4)
    wanted = Wanted(cuts={slow: Mode.SLOW, hanging: Mode.HANG}, settings={slow: Settings(delay_s=0.0)})
    if datagram_delay_s is not None:
        wanted = Wanted(cuts={late: Mode.SLOW}, settings={late: Settings(delay_s=datagram_delay_s)})
    jar.observer.change(lambda: jar.enforcer.want(wanted))
    os.write(ready, b"!")
    while True:
        await asyncio.sleep(0.5)
        jar.observer.count()
        jar.lanes.sweep()
        jar.events.clear()


def agent(datagram_delay_s: float | None = None) -> int:
    """The pid of a process that keeps the table and the lanes, or the one of datagrams."""
    read, write = os.pipe()
    pid = os.fork()
    if pid == 0:
        asyncio.run(lanes(write, datagram_delay_s))
    os.read(read, 1)
    return pid


def end(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def haproxy() -> subprocess.Popen[bytes]:
    path = Path(tempfile.mkdtemp()) / "haproxy.cfg"
    path.write_text(_CONFIGURATION)
    started = subprocess.Popen([shutil.which("haproxy") or "/usr/sbin/haproxy", "-db", "-f", str(path)])
    end = time.monotonic() + 10
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", HAPROXY)).close()
        except OSError:
            time.sleep(0.02)
        else:
            return started
    raise SystemExit("haproxy did not start")


def inside() -> None:
    with_neighbour()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    ours, theirs = agent(), haproxy()
    figures = measured()
    before = memory_mb(ours)
    calls = [socket.create_connection((NEIGHBOUR4, HANGING)) for _ in range(HANGING_AT_ONCE)]
    figures["memory_mb"] = {"lane": memory_mb(ours), "lane before": before}
    for call in calls:
        call.close()
    theirs.terminate()
    end(ours)
    figures |= datagrams()
    print(json.dumps(figures))


def main() -> None:
    if shutil.which("haproxy", path="/usr/sbin:/usr/bin:/sbin") is None:
        raise SystemExit("haproxy is missing: apt-get install haproxy")
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[2])}
    output = subprocess.check_output([*FRESH, sys.executable, str(HERE), "--inside"], env=environment)
    figures: Figures = json.loads(output)
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    for kind, row in figures.items():
        ratios = "".join(f"   lane/{who} {row['lane'] / value:.2f}" for who, value in row.items() if who != "lane")
        print(f"{kind:<20}" + "   ".join(f"{who} {value:.4g}" for who, value in row.items()) + ratios)


if __name__ == "__main__":
    inside() if "--inside" in sys.argv else main()
