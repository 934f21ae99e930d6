"""Docker jars in figures: `python tests/bench/containers.py IMAGE`, beside an engine of this machine that has IMAGE
(with `sh`), and the `docker` command.

From the command to the service's first instruction, which is to open a pipe that is mounted into it, against two
plain `docker run`s; the jar alone against the same by the engine's SDK, and until what the service calls waits no
more; a cut through the attached socket, from the command to the event that says the kernel has it; and what of that is
the engine's: an echo through the same.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import docker

from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode, Wanted
from belljar_tui.jars.beginning import look_up
from belljar_tui.jars.docker import DockerJar
from belljar_tui.jars.engine import Engine
from belljar_tui.jars.plan import Plan
from belljar_tui.wire.messages import Prepare

ROUNDS = 7
CUTS = 200
COMMAND = ("sh", "-c", "echo first; sleep 100")


def plain_s(client: docker.DockerClient, image: str) -> float:
    """Create, attach, start, first output: what `docker run` does, without its own start."""
    began = time.perf_counter()
    container = client.containers.create(image, list(COMMAND))
    output = container.attach(stream=True, stdout=True)
    container.start()
    next(iter(output))
    spent_s = time.perf_counter() - began
    container.remove(force=True)
    return spent_s


async def jar_s(image: str, folder: Path) -> tuple[float, float]:
    """The jar alone, likewise without our own start: until the service opens the pipe, and until it has its way out."""
    pipe = fresh_pipe(folder)
    plan = Plan(image=image, command=opening(pipe), mounts=(f"{folder}:{folder}",))
    jar = DockerJar(plan, Prepare(service=()), clock_zero=time.monotonic(), grace_s=0)
    began = time.perf_counter()
    opened = asyncio.create_task(asyncio.to_thread(lambda: (pipe.read_bytes(), time.perf_counter())[1]))
    await jar.start()
    async for event in jar.events():
        if isinstance(event, ev.ServiceStarted):
            break
    has_way_out = time.perf_counter()
    first = await opened
    await jar.kill()
    return first - began, max(first, has_way_out) - began


def fresh_pipe(folder: Path) -> Path:
    pipe = folder / "first"
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    return pipe


def opening(pipe: Path) -> tuple[str, ...]:
    """The service's command: its first instruction, as good as."""
    return ("sh", "-c", f"echo > {pipe}; exec sleep 100")


def first_s(words: list[str], image: str, folder: Path) -> float:
    """Whole commands, their own start included: until the service opens the pipe."""
    pipe = fresh_pipe(folder)
    began = time.perf_counter()
    with subprocess.Popen(
        [
            *words,
            "-v",
            f"{folder}:{folder}",
            *(["--image", image, "--"] if "belljar_tui" in words else [image]),
            *opening(pipe),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "XDG_STATE_HOME": str(folder)},
    ) as running:
        pipe.read_bytes()
        spent_s = time.perf_counter() - began
        if "belljar_tui" in words:
            running.communicate(b'{"command":"quit"}\n')
        else:
            subprocess.run(["docker", "rm", "--force", "belljar-bench"], check=True, capture_output=True)
    return spent_s


async def cut_s(image: str) -> list[float]:
    """Each cut's and restore's time to its event."""
    jar = DockerJar(Plan(image=image, command=COMMAND), Prepare(service=()), clock_zero=time.monotonic(), grace_s=0)
    await jar.start()
    events = jar.events()
    async for event in events:
        if isinstance(event, ev.ServiceStarted):
            break
    spent: list[float] = []
    for number in range(CUTS):
        wanted = Wanted(cuts={"tcp://10.9.0.1:80": Mode.REFUSE} if number % 2 == 0 else {})
        began = time.perf_counter()
        await jar.want(wanted)
        async for event in events:
            if isinstance(event, ev.CutApplied | ev.CutRestored):
                break
        spent.append(time.perf_counter() - began)
    await jar.kill()
    return spent


async def echo_s(image: str) -> list[float]:
    """A line to `cat` in a container and back."""
    engine = await Engine.connect()
    config = {"Image": image, "Cmd": ["cat"], "OpenStdin": True, "StdinOnce": True, "AttachStdin": True}
    container = await engine.create({**config, "AttachStdout": True})
    attached = await engine.attach(container)
    await engine.start(container)
    spent: list[float] = []
    frames = attached.frames()
    for _ in range(CUTS):
        began = time.perf_counter()
        await attached.write(b"echo\n")
        await anext(frames)
        spent.append(time.perf_counter() - began)
    await engine.remove(container)
    attached.close()
    await engine.close()
    return spent


def said(what: str, spent: list[float]) -> None:
    ordered = sorted(spent)
    median_ms, p95_ms = (ordered[int(len(ordered) * part)] * 1e3 for part in (0.5, 0.95))
    print(f"{what:<20}{median_ms:8.2f} ms median, {p95_ms:.2f} ms p95")


def main() -> None:
    image = sys.argv[1]
    client = docker.from_env()
    asyncio.run(look_up(Plan(image=image), print))
    docker_run = ["docker", "run", "--rm", "--name", "belljar-bench"]
    belljar_run = [sys.executable, "-m", "belljar_tui", "run", "--headless"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        rows = [
            (
                plain_s(client, image),
                *asyncio.run(jar_s(image, folder)),
                first_s(docker_run, image, folder),
                first_s(belljar_run, image, folder),
            )
            for _ in range(ROUNDS)
        ]
    plain, jar, way_out, command, ours = (statistics.median(column) for column in zip(*rows, strict=True))
    print(f"plain container       {plain * 1e3:7.0f} ms   create, attach, start, by the SDK")
    print(f"jar                   {jar * 1e3:7.0f} ms   {jar / (2 * plain):.2f} of two plain ones")
    print(f"and its way out       {way_out * 1e3:7.0f} ms   {way_out / (2 * plain):.2f} of two plain ones")
    print(f"docker run            {command * 1e3:7.0f} ms")
    print(f"belljar run --image   {ours * 1e3:7.0f} ms   {ours / (2 * command):.2f} of two docker runs")
    said("cut to its event", asyncio.run(cut_s(image)))
    said("echo", asyncio.run(echo_s(image)))


if __name__ == "__main__":
    main()
