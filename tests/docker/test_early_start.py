"""A service that is started while its agent still loads: it runs, and nothing of it leaves before the seal."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from engine import LABEL
from images import WORLD
from left import nothing_left

from belljar_tui.agent.network import comes_true
from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode, Seal, Wanted
from belljar_tui.jars.attached import STDOUT, Attached, Lines
from belljar_tui.jars.beginning import Beginning, Made
from belljar_tui.jars.early import EarlyAgent
from belljar_tui.jars.plan import Plan
from belljar_tui.wire import messages as msg
from belljar_tui.wire.closing import CLOSED

pytestmark = [pytest.mark.docker, pytest.mark.timeout(300)]
_DEADLINE_S = 20
_PORT = 5001
_SERVER = f"""
import socket
listening = socket.create_server(("", {_PORT}))
while True:
    listening.accept()[0].close()
    print("called", flush=True)
"""
_CALL = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 30).close()"
_SYN_SENT = "02"


@contextmanager
def neighbour(engine: docker.DockerClient) -> Iterator[tuple[Container, str]]:
    """A container that says when it is called, and its address."""
    made = engine.containers.run(WORLD, ["python3", "-c", _SERVER], detach=True, init=True, labels={LABEL: "1"})
    try:
        made.reload()
        yield made, made.attrs["NetworkSettings"]["IPAddress"]
    finally:
        made.remove(force=True)


@asynccontextmanager
async def closed(*, is_early: bool) -> AsyncIterator[tuple[Made, Attached, AsyncIterator[bytes]]]:
    """An agent that has said that its jar is closed, and was not told yet what to do."""
    plan = Plan(image=WORLD)
    beginning = Beginning(plan, print, "c105ed", EarlyAgent.begin(plan, "c105ed") if is_early else None)
    made = await beginning.take()
    attached = await Attached.open(made.streams)
    await beginning.started()
    try:
        lines = _lines(attached)
        assert await asyncio.wait_for(anext(lines), _DEADLINE_S) == CLOSED
        yield made, attached, lines
    finally:
        await made.engine.remove(made.agent)
        attached.close()
        await made.engine.close()


async def _lines(attached: Attached) -> AsyncIterator[bytes]:
    whole = Lines()
    async for stream, data in attached.frames():
        for line in whole.take(data) if stream == STDOUT else ():
            yield line


@contextmanager
def calling(engine: docker.DockerClient, agent: str, address: str) -> Iterator[Container]:
    """A service of that jar which calls the address, once."""
    there = f"container:{agent}"
    service = engine.containers.create(
        WORLD,
        ["python3", "-c", _CALL, address, str(_PORT)],
        network_mode=there,
        pid_mode=there,
        cap_drop=["NET_RAW"],
        labels={LABEL: "1"},
    )
    try:
        service.start()
        yield service
    finally:
        service.remove(force=True)


async def waits(service: Container) -> bool:
    """Whether it comes to have sent what nobody answers."""
    service.reload()
    table = Path(f"/proc/{service.attrs['State']['Pid']}/net/tcp")

    def is_calling() -> bool:
        return any(line.split()[3] == _SYN_SENT for line in table.read_text().splitlines()[1:])

    return await comes_true(is_calling, _DEADLINE_S)


def is_elsewhere() -> bool:
    return not os.environ.get("DOCKER_HOST", "unix://").startswith("unix://")


here = pytest.mark.skipif(is_elsewhere(), reason="the engine's processes are not this machine's")


@here
@pytest.mark.parametrize("is_early", [True, False])
async def test_a_call_waits_until_the_seal_is_proven_and_then_passes(
    engine: docker.DockerClient, is_early: bool
) -> None:
    with neighbour(engine) as (server, address), nothing_left(engine):
        async with closed(is_early=is_early) as (made, attached, lines):
            with calling(engine, made.agent, address) as service:
                assert await waits(service)
                assert server.logs() == b""
                await attached.write(msg.encode(msg.Prepare(service=(), place=msg.Place.CONTAINER)) + b"\n")
                seen = await _until_awaited(lines)
                assert any(isinstance(event, ev.SealProven) and event.ok for event in seen)
                assert await asyncio.to_thread(service.wait) == {"Error": None, "StatusCode": 0}
                assert await comes_true(lambda: server.logs() == b"called\n", _DEADLINE_S)


@here
async def test_a_call_that_waited_meets_the_vacuum_it_was_to_start_in(engine: docker.DockerClient) -> None:
    wanted = Wanted(seal=Seal.VACUUM, seal_mode=Mode.REFUSE)
    with neighbour(engine) as (server, address), nothing_left(engine):
        async with closed(is_early=True) as (made, attached, lines):
            with calling(engine, made.agent, address) as service:
                assert await waits(service)
                prepare = msg.Prepare(service=(), place=msg.Place.CONTAINER, wanted=wanted)
                await attached.write(msg.encode(prepare) + b"\n")
                await _until_awaited(lines)
                assert (await asyncio.to_thread(service.wait))["StatusCode"] == 1
                assert b"ConnectionRefusedError" in service.logs()
                assert server.logs() == b""


@here
async def test_an_agent_that_ends_before_the_seal_lets_nothing_out(engine: docker.DockerClient) -> None:
    with neighbour(engine) as (server, address), nothing_left(engine):
        async with closed(is_early=True) as (made, _, __):
            with calling(engine, made.agent, address) as service:
                assert await waits(service)
                await made.engine.kill(made.agent)
                assert (await asyncio.to_thread(service.wait))["StatusCode"] == 137
                assert server.logs() == b""


async def _until_awaited(lines: AsyncIterator[bytes]) -> list[ev.AnyEvent]:
    seen: list[ev.AnyEvent] = []
    async with asyncio.timeout(_DEADLINE_S):
        async for line in lines:
            seen.append(ev.decode(line))
            if isinstance(seen[-1], ev.ServiceAwaited):
                break
    return seen
