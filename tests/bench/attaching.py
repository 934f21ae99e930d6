"""Attaching in figures: `python tests/bench/attaching.py IMAGE`, beside an engine that has IMAGE (with Python).

From the decision to the proven seal, both ways, against a plain container's start; the same for an agent that waits
loaded, as for a target that comes back; the gap of a restart; and open traffic between two containers, sealed and not.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker
from containers import plain_s
from docker.models.containers import Container

from belljar_tui.core import events as ev
from belljar_tui.jars.attach import AttachJar
from belljar_tui.jars.target import find
from belljar_tui.jars.waiting_agent import HOST, SIDECAR, WaitingAgent
from belljar_tui.wire.messages import Prepare

ROUNDS = 7
SLICE_S, SLICES = 1.0, 12
NETWORK = "belljar-bench"
LOADED_S = 1.0
"""By then a waiting agent has loaded all it needs."""
_SINK = """
import socket
listening = socket.create_server(("", 5001))
while True:
    call, _ = listening.accept()
    while call.recv(1 << 20): pass
    call.close()
"""
_SOURCE = """
import socket, sys, time
call = socket.create_connection(("sink", 5001)); block = bytes(1 << 18); sent = 0
end = time.perf_counter() + {seconds}
while time.perf_counter() < end: sent += call.send(block)
print(sent)
"""


@contextmanager
def two(client: docker.DockerClient, image: str) -> Iterator[tuple[Container, Container]]:
    """A source to attach to and a sink, on a network of their own."""
    network = client.networks.create(NETWORK)
    made: list[Container] = []
    try:
        for name, command in (("sink", ["python3", "-c", _SINK]), ("source", ["sleep", "1000"])):
            made.append(client.containers.run(image, command, name=name, network=NETWORK, detach=True, init=True))
        yield made[1], made[0]
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


def sent(source: Container) -> float:
    """Bytes a second."""
    _, said = source.exec_run(["python3", "-c", _SOURCE.format(seconds=SLICE_S)])
    return int(bytes(said)) / SLICE_S  # type: ignore[arg-type]  # no stream was asked for


async def traffic(source: Container, via: str) -> tuple[float, float]:
    """Median bytes a second without and with the seal, in turns."""
    without, within = [], []
    for _ in range(SLICES):
        without.append(await asyncio.to_thread(sent, source))
        jar = AttachJar(await find(source.name or ""), Prepare(service=()), via=via, clock_zero=time.monotonic())
        await jar.start()
        draining = asyncio.create_task(drained(jar))
        await asyncio.sleep(LOADED_S)
        within.append(await asyncio.to_thread(sent, source))
        await jar.finish()
        await draining
    return statistics.median(without), statistics.median(within)


async def drained(jar: AttachJar) -> None:
    async for _ in jar.events():
        pass


def main() -> None:
    image = sys.argv[1]
    client = docker.from_env()
    with two(client, image) as (source, _):
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
        for via in (HOST, SIDECAR):
            without, within = asyncio.run(traffic(source, via))
            print(f"open traffic          {within / 1e6:7.0f} MB/s via {via}   {within / without:.3f} of without")


if __name__ == "__main__":
    main()
