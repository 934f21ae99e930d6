"""What the agent sees of a workload's calls, beside what witnesses saw: strace of the callers, and a packet capture.

`test_recall` is the small version; `tests/bench/recall.py` prints the table.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import sys
import time
from asyncio.subprocess import PIPE
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import psutil

from belljar_tui.core.events import AnyEvent, CallBlocked, DependencySeen, EventsLost, SealProven, TrafficCounted
from belljar_tui.core.model import Mode, Wanted
from belljar_tui.jars.namespaces import NamespaceJar
from belljar_tui.labs import LABS
from belljar_tui.wire.messages import Checks, Prepare

ROOT = Path(__file__).parents[2]
LAB = LABS["checkout"]
DEADLINE_S = 300.0
CUTS = {
    "tcp://auth.lab:9000": Mode.REFUSE,
    "tcp://recs.lab:8081": Mode.REFUSE,
    "tcp://pay-b.lab:7000": Mode.BLACKHOLE,
    "tcp://pay-a.lab:7000": Mode.UNREACHABLE,
    "udp://metrics.lab:8125": Mode.REFUSE,
}
Made = dict[str, Counter[int]]
"""Dependency -> pid -> calls."""


class Seen(msgspec.Struct):
    """What the agent said."""

    blocked: Made = {}
    """Pid 0: nobody."""
    opened: dict[str, int] = {}
    """Dependency -> calls, by the kernel's counter."""
    callers: dict[str, set[int]] = {}
    """Open dependency -> the pids seen calling it."""
    names: dict[int, set[str]] = {}
    """Pid -> what it was called."""
    lost: int = 0

    def take(self, event: AnyEvent) -> None:
        match event:
            case CallBlocked(dependency=dependency, pid=pid, count=count, process=process):
                self.blocked.setdefault(dependency, Counter())[pid or 0] += count
                self._name(pid, process)
            case TrafficCounted(dependency=dependency, calls=calls):
                self.opened[dependency] = calls
            case DependencySeen(dependency=dependency, pid=pid, process=process) if pid is not None:
                self.callers.setdefault(dependency, set()).add(pid)
                self._name(pid, process)
            case EventsLost(count=count):
                self.lost += count

    def _name(self, pid: int | None, process: str | None) -> None:
        if pid is not None and process is not None:
            self.names.setdefault(pid, set()).add(process)


class Recall(msgspec.Struct):
    """The workload's own tally, the agent's, and the witnesses'."""

    made: Made
    """As the callers counted."""
    names: dict[int, str]
    seen: Seen
    traced: dict[str, int] | None = None
    """TCP dependency -> calls, as strace saw them; None: it did not watch."""
    captured: dict[str, int] | None = None
    """TCP packets in the jar: `syn ADDRESS:PORT` that went out, `rst ADDRESS:PORT` that came back."""
    seconds: float = 0.0

    def rows(self) -> Iterator[Row]:
        """One for each dependency, in the order of the calls made."""
        for dependency, by_pid in self.made.items():
            made = by_pid.total()
            if dependency in CUTS:
                said = self.seen.blocked.get(dependency, Counter())
                right = sum(min(count, said[pid]) for pid, count in by_pid.items())
                yield Row(dependency, str(CUTS[dependency]), made, said.total(), right, said.total() - said[0] - right)
            else:
                callers = self.seen.callers.get(dependency, set())
                right = sum(count for pid, count in by_pid.items() if pid in callers)
                yield Row(
                    dependency, "open", made, self.seen.opened.get(dependency, 0), right, len(callers - set(by_pid))
                )

    @staticmethod
    def dependency_at(address: str) -> str:
        """`10.77.1.11:9000` as a dependency."""
        host, _, port = address.rpartition(":")
        return f"tcp://{_bracketed(_HOSTS.get(host, host))}:{port}"

    def unknown(self) -> set[str]:
        """Dependencies seen that nobody called: wrongly named. (Names are asked for, which makes `dns:` one.)"""
        return {*self.seen.blocked, *self.seen.callers} - set(self.made) - {"dns:"}

    def misnamed(self) -> dict[int, set[str]]:
        """Processes called by another name than their own. (A fresh fork still has its parent's.)"""
        return {
            pid: names - {self.names[pid], "python", "python3"}
            for pid, names in self.seen.names.items()
            if pid in self.names and names - {self.names[pid], "python", "python3"}
        }


class Row(msgspec.Struct, frozen=True):
    """One dependency's calls."""

    dependency: str
    how: str
    made: int
    seen: int
    attributed: int
    """Of those made: to the right process."""
    wrong: int
    """Attributed to another one; of open ones, processes said to call that did not."""


async def recall(folder: Path, *, waves: int, processes: int, strace: bool, capture: bool) -> Recall:
    """Run the workload in a jar of the lab. Raises TimeoutError."""
    log, trace = folder / "service.log", folder / "trace"
    watched = ["strace", "-f", "-qq", "-yy", "-e", "trace=connect", "-o", str(trace)]
    workload = [sys.executable, str(Path(__file__).with_name("recall_calls.py")), str(waves), str(processes)]
    prepare = Prepare(
        service=(*(watched if strace else ()), *workload),
        wanted=Wanted(),
        health=Checks(),
        environment=dict(os.environ),
        directory=str(ROOT),
        user=os.geteuid(),
        group=os.getegid(),
        nameservers=LAB.nameservers,
        is_waiting=True,
    )
    jar = NamespaceJar(prepare, lab=LAB.name, clock_zero=time.monotonic())
    await jar.start()
    seen = Seen()
    began = time.monotonic()
    try:
        async with asyncio.timeout(DEADLINE_S):
            events = jar.events()
            async for event in events:
                if isinstance(event, SealProven):
                    break
            async with _capture(folder / "packets") if capture else contextlib.nullcontext():
                await jar.begin(Wanted(cuts=dict(CUTS)), str(log))
                is_ending = False
                async for event in events:
                    seen.take(event)
                    if not is_ending and await asyncio.to_thread(_is_done, log):
                        is_ending = True
                        await jar.end_service()
    finally:
        await jar.finish()
    lines = await asyncio.to_thread(_told, log)
    made: Made = {}
    for line in lines:
        for dependency, count in line["calls"].items():
            made.setdefault(dependency, Counter())[line["pid"]] += count
    return Recall(
        made=made,
        names={line["pid"]: line["process"] for line in lines},
        seen=seen,
        traced=await asyncio.to_thread(_traced, trace) if strace else None,
        captured=await _counted(folder / "packets") if capture else None,
        seconds=time.monotonic() - began,
    )


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_done(log: Path) -> bool:
    return log.exists() and log.read_text().endswith("done\n")


def _told(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]


_HOSTS = {
    address: host if host.endswith(".lab") else address
    for host, number in LAB.hosts.items()
    for address in (f"10.77.1.{number}", f"fd77:1::{number}")
}
"""Address -> what a dependency on it is called."""
_CONNECT = re.compile(
    r"^\d+ +connect\(\d+<TCP(?:v6)?:.*sin6?_port=htons\((\d+)\).*?"
    r"(?:inet_addr\(|inet_pton\(AF_INET6, )\"([^\"]+)\""
)


def _traced(trace: Path) -> dict[str, int]:
    """The TCP calls that strace saw."""
    found: Counter[str] = Counter()
    for line in trace.read_text(errors="replace").splitlines():
        call = _CONNECT.match(line)
        if call is not None:
            found[Recall.dependency_at(f"{call[2]}:{call[1]}")] += 1
    return found


@contextlib.asynccontextmanager
async def _capture(to: Path) -> AsyncIterator[None]:
    """Capture the jar's TCP packets that begin and refuse connections, on every interface of it."""
    agent = await asyncio.to_thread(_agent_below, os.getpid())
    tools = {name: shutil.which(name) or f"/usr/sbin/{name}" for name in ("nsenter", "tcpdump")}
    command = [tools["nsenter"], "-t", str(agent), "-n", tools["tcpdump"], "-i", "any", "-n", "-s", "96", "-B", "16384"]
    to.parent.chmod(0o777)  # tcpdump gives up root before it writes
    process = await asyncio.create_subprocess_exec(*command, "-w", str(to), "tcp or icmp6 or icmp", stderr=PIPE)
    assert process.stderr is not None
    while b"listening on" not in (line := await process.stderr.readline()):
        assert line, "tcpdump ended"
    try:
        yield
    finally:
        process.terminate()
        said = (await process.communicate())[1].decode()
    assert "\n0 packets dropped by kernel" in said, said


def _agent_below(pid: int) -> int:
    """The innermost agent among the descendants of `pid`: its namespaces are the jar's."""
    depths: dict[int, int] = {}
    for process in psutil.Process(pid).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            if "belljar_tui.agent.main" in process.cmdline() and process.name() != "unshare":
                depths[process.pid] = len(process.parents())
    return max(depths, key=lambda each: depths[each])


async def _counted(packets: Path) -> dict[str, int]:
    """`syn ADDRESS:PORT` and `rst ADDRESS:PORT` -> distinct connections.

    They are told apart by the callers' ports and sequence numbers, for ports are used again.
    """
    process = await asyncio.create_subprocess_exec(
        shutil.which("tcpdump") or "/usr/sbin/tcpdump", "-n", "-S", "-r", str(packets), "tcp", stdout=PIPE, stderr=PIPE
    )
    said = (await process.communicate())[0].decode()
    found: dict[str, set[str]] = {}
    for line in said.splitlines():
        packet = re.search(r"IP6? ([0-9a-f.:]+)\.(\d+) > ([0-9a-f.:]+)\.(\d+): Flags \[(S|R\.?)\], (.*?), win", line)
        if packet is None:
            continue
        source, source_port, target, target_port, flags, numbers = packet.groups()
        if flags == "S":
            found.setdefault(f"syn {target}:{target_port}", set()).add(f"{source}:{source_port} {numbers}")
        else:
            found.setdefault(f"rst {source}:{source_port}", set()).add(f"{target}:{target_port} {numbers}")
    return {what: len(connections) for what, connections in found.items()}
