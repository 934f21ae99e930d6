"""Attaching in figures: `python tests/bench/attaching.py IMAGE`, beside an engine that has IMAGE (with Python).

From the decision to the proven seal, both ways, against a plain container's start; the same for an agent that waits
loaded, as for a target that comes back; the gap of a restart; and open traffic to one container from three, in turns:
a sealed one, a bare one, and one whose namespace has a single rule of nftables, which is the least that any firewall
costs.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import docker
from containers import plain_s
from docker.models.containers import Container

from belljar_tui.core import events as ev
from belljar_tui.jars.attach import AttachJar
from belljar_tui.jars.target import find
from belljar_tui.jars.waiting_agent import HOST, SIDECAR, WaitingAgent
from belljar_tui.wire.messages import Prepare

ROUNDS = 7
SLICE_S, TURNS = 0.2, 100
NETWORK, SOURCES = "belljar-bench", ("source", "bare", "ruled")
LOADED_S = 1.0
"""By then a waiting agent has loaded all it needs."""
_ONE_RULE = "table inet one { chain out { type filter hook output priority 0; ct state new accept; }; }"
_SINK = """
import socket, threading
def drain(call):
    while call.recv(1 << 20): pass
listening = socket.create_server(("", 5001))
while True: threading.Thread(target=drain, args=(listening.accept()[0],)).start()
"""
_SOURCE = """
import socket, sys, time
call = socket.create_connection(("sink", 5001)); block = bytes(1 << 18)
for line in sys.stdin:
    sent = 0; began = time.perf_counter(); end = began + float(line)
    while time.perf_counter() < end: sent += call.send(block)
    print(sent / (time.perf_counter() - began), flush=True)
"""


@contextmanager
def sources(client: docker.DockerClient, image: str) -> Iterator[list[Container]]:
    """One to attach to, a bare one and one for the single rule, on a network of their own that has a sink."""
    network = client.networks.create(NETWORK)
    made: list[Container] = []
    try:
        for name, command in (("sink", ["python3", "-c", _SINK]), *((n, ["sleep", "1000"]) for n in SOURCES)):
            made.append(client.containers.run(image, command, name=name, network=NETWORK, detach=True, init=True))
        yield made[1:]
    finally:
        for each in made:
            each.remove(force=True)
        network.remove()


async def sealed_s(name: str, via: str, loaded: WaitingAgent | None = None) -> float:
    """From nothing to the proof of the seal."""
    target = await find(name)
    began = time.perf_counter()
    waiting = loaded or (WaitingAgent() if via == HOST else None)
    jar = AttachJar(target, Prepare(service=()), via=via, clock_zero=time.monotonic(), waiting=waiting)
    await jar.start()
    async for event in jar.events():
        if isinstance(event, ev.SealProven):
            break
    spent_s = time.perf_counter() - began
    await jar.finish()
    return spent_s


async def loaded_s(name: str) -> float:
    waiting = WaitingAgent()
    await asyncio.sleep(LOADED_S)
    return await sealed_s(name, HOST, waiting)


async def gap_s(target: Container, via: str) -> float:
    """How long a restarted target runs without the seal."""
    jar = AttachJar(await find(target.name or ""), Prepare(service=()), via=via, clock_zero=time.monotonic())
    await jar.start()
    gap = 0.0
    async for event in jar.events():
        if isinstance(event, ev.TargetEntered) and event.unsealed_s is None:
            await asyncio.sleep(LOADED_S)
            asyncio.get_running_loop().run_in_executor(None, lambda: target.restart(timeout=0))
        elif isinstance(event, ev.TargetEntered):
            gap = event.unsealed_s or 0.0
            break
    await jar.finish()
    return gap


def sent(source: subprocess.Popen[str]) -> float:
    """Bytes a second."""
    assert source.stdin
    assert source.stdout
    source.stdin.write(f"{SLICE_S}\n")
    source.stdin.flush()
    return float(source.stdout.readline())


def in_turns(containers: list[Container]) -> list[list[float]]:
    """What each sent in a second, turn by turn, the order changing."""
    turns = []
    with ExitStack() as ends:
        running = [ends.enter_context(sending(each)) for each in containers]
        for number in range(TURNS):
            order = list(enumerate(running))[:: 1 if number % 2 else -1]
            met = {which: sent(source) for which, source in order}
            turns.append([met[which] for which in range(len(running))])
    return turns


@contextmanager
def sending(container: Container) -> Iterator[subprocess.Popen[str]]:
    command = ["docker", "exec", "-i", container.id or "", "python3", "-c", _SOURCE]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        yield running
        running.communicate()


async def traffic(containers: list[Container], via: str) -> tuple[float, float, float]:
    """Bytes a second of the sealed source; its share of the bare one's, and that of the one with a rule. Medians."""
    jar = AttachJar(await find(SOURCES[0]), Prepare(service=()), via=via, clock_zero=time.monotonic())
    await jar.start()
    draining = asyncio.create_task(drained(jar))
    await asyncio.sleep(LOADED_S)
    turns = await asyncio.to_thread(in_turns, containers)
    await jar.finish()
    await draining
    median = statistics.median
    return (
        median(sealed for sealed, _, _ in turns),
        median(sealed / bare for sealed, bare, _ in turns),
        median(ruled / bare for _, bare, ruled in turns),
    )


def give_one_rule(container: Container) -> None:
    container.reload()
    entering = ["nsenter", "-t", str(container.attrs["State"]["Pid"]), "-n", "nft", "-f", "-"]
    subprocess.run(entering, input=_ONE_RULE.replace("; ", "\n").replace("{ ", "{\n"), text=True, check=True)


async def drained(jar: AttachJar) -> None:
    async for _ in jar.events():
        pass


def main() -> None:
    image = sys.argv[1]
    client = docker.from_env()
    with sources(client, image) as made:
        source = made[0]
        name = source.name or ""
        plain = statistics.median(plain_s(client, image) for _ in range(ROUNDS))
        host = statistics.median(asyncio.run(sealed_s(name, HOST)) for _ in range(ROUNDS))
        loaded = statistics.median(asyncio.run(loaded_s(name)) for _ in range(ROUNDS))
        sidecar = statistics.median(asyncio.run(sealed_s(name, SIDECAR)) for _ in range(ROUNDS))
        print(f"plain container       {plain * 1e3:7.0f} ms")
        print(f"attach via host       {host * 1e3:7.0f} ms   {host / 0.3:.2f} of 300 ms")
        print(f"  agent loaded ahead  {loaded * 1e3:7.0f} ms   {loaded / 0.3:.2f} of 300 ms")
        print(f"attach via sidecar    {sidecar * 1e3:7.0f} ms   {sidecar / plain:.2f} of a plain container")
        for via in (HOST, SIDECAR):
            gap = statistics.median(asyncio.run(gap_s(source, via)) for _ in range(3))
            print(f"gap after a restart   {gap * 1e3:7.0f} ms   via {via}")
        give_one_rule(made[2])
        for via in (HOST, SIDECAR):
            sealed, share, ruled = asyncio.run(traffic(made, via))
            print(
                f"open traffic          {sealed / 1e6:7.0f} MB/s via {via}   {share:.3f} of bare; one rule {ruled:.3f}"
            )


if __name__ == "__main__":
    main()
