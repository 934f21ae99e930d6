"""A part of the jar that is stopped, or paused by the engine: it is said, what is cut stays cut, and it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import docker
import psutil
import pytest
from as_it_was import as_it_was
from docker.models.containers import Container
from jarred import Headless
from left import nothing_left
from project import NETWORK
from target import READY, attached
from target import checkout as target_of
from test_attach_crash import agent_of
from test_run import checkout, parts_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
DATABASE = "tcp://db:5432"
CALL = """
import socket
for _ in range(8):
    try:
        socket.create_connection(('{host}', {port}), 1)
    except OSError as error:
        print(error)
        if isinstance(error, ConnectionRefusedError):
            break
"""


def call(service: Container, database: Container) -> bytes:
    """What calls to the database's address come to: nobody answers for names while the agent is stopped.

    The first may be held for the agent, which is given 2 s to come back.
    """
    address = database.attrs["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
    return bytes(service.exec_run(["python3", "-c", CALL.format(host=address, port=5432)])[1])  # type: ignore[arg-type]


def is_told_and_over(
    running: Headless, stop: Callable[[], None], go_on: Callable[[], None], look: Callable[[], bytes]
) -> None:
    """Cut, stop the agent, and let it go on."""
    running.say(command="cut", dependency=DATABASE, mode="refuse")
    running.wait_for("call_blocked")
    stop()
    assert running.wait_for("jar_stalled")["part"] == "agent"
    assert b"Connection refused" in look()
    go_on()
    assert running.wait_for("jar_went_on")["stalled_s"] > 0
    running.wait_for("call_blocked", lambda e: e["dependency"] == DATABASE)
    running.say(command="restore", dependency=DATABASE)
    running.wait_for_health("healthy")


def test_the_agent_of_a_run_is_stopped(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with nothing_left(engine), checkout(tmp_path) as running:
        running.wait_for_health("healthy")
        parts = parts_of(engine)
        agent = psutil.Process(parts["agent"].attrs["State"]["Pid"])
        is_told_and_over(running, agent.suspend, agent.resume, lambda: call(parts["service"], shop["db"]))
        assert running.quit() == 0


@pytest.mark.parametrize("via", ["host", "sidecar"])
def test_the_agent_of_a_target_is_stopped_or_its_container_paused(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str
) -> None:
    with target_of(engine) as target, nothing_left(engine), as_it_was(target):  # noqa: SIM117  # an order that matters
        with attached(tmp_path, "checkout", "--via", via) as running:
            running.wait_for_health("healthy")
            if via == "host":
                agent = agent_of(engine, running, via)
                stop, go_on = agent.suspend, agent.resume
            else:
                (sidecar,) = engine.containers.list(filters={"label": "belljar.session"})
                stop, go_on = sidecar.pause, sidecar.unpause
            is_told_and_over(running, stop, go_on, lambda: call(target, shop["db"]))
            assert running.quit() == 0


def test_a_paused_service_is_unhealthy_until_it_goes_on_and_so_is_a_paused_target(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    with nothing_left(engine), checkout(tmp_path, "--health", READY, "--health", "exec:true") as running:
        running.wait_for_health("healthy")
        service = parts_of(engine)["service"]
        service.pause()
        running.wait_for_health("unhealthy")
        service.unpause()
        running.wait_for_health("healthy")
        assert running.quit() == 0
    with target_of(engine) as target, as_it_was(target), attached(tmp_path, "checkout") as running:
        running.wait_for_health("healthy")
        target.pause()
        running.wait_for_health("unhealthy")
        target.unpause()
        running.wait_for_health("healthy")
        assert running.quit() == 0


@pytest.mark.parametrize("part", ["agent", "service"])
def test_one_leaves_while_a_part_is_paused_and_nothing_is_left(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, part: str
) -> None:
    with nothing_left(engine), checkout(tmp_path) as running:
        running.wait_for("service_started")
        parts_of(engine)[part].pause()
        assert running.quit() == 0
