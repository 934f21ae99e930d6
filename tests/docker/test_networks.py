"""Several networks, internal ones among them, and a service that lives in another's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from engine import LABEL
from images import WORLD
from jarred import Event, Headless, headless
from left import nothing_left

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
INSIDE, OUTSIDE = "networks-inside", "networks-outside"
NAMES = ("store", "edge")
CALLS = (
    "import socket, time\n"
    "while True:\n"
    "    for name in ('store', 'edge'):\n"
    "        try: socket.create_connection((name, 8000), 2).close()\n"
    "        except OSError: pass\n"
    "    time.sleep(0.1)"
)


@contextmanager
def two_networks(engine: docker.DockerClient) -> Iterator[dict[str, Container]]:
    """`store` on an internal network, `edge` on another; the containers by name."""
    made = [
        engine.networks.create(INSIDE, internal=True, labels={LABEL: "1"}),
        engine.networks.create(OUTSIDE, labels={LABEL: "1"}),
    ]
    servers: dict[str, Container] = {}
    try:
        for name, network in zip(NAMES, made, strict=True):
            command = ["python3", "-m", "http.server", "8000"]
            server = engine.containers.create(WORLD, command, name=f"networks-{name}", init=True, network=network.name)
            servers[name] = server
            network.disconnect(server)
            network.connect(server, aliases=[name])
            server.start()
        yield servers
    finally:
        for server in servers.values():
            server.remove(force=True)
        for network in made:
            network.remove()


def about(name: str) -> Callable[[Event], bool]:
    return lambda event: bool(event["dependency"] == f"tcp://{name}:8000")


def cut_apart(running: Headless) -> None:
    """Each is a dependency by its name, and is cut alone."""
    for name in NAMES:
        running.wait_for("dependency_seen", about(name))
    for name in NAMES:
        running.say(command="cut", dependency=f"tcp://{name}:8000", mode="refuse")
        assert running.wait_for("call_blocked")["dependency"] == f"tcp://{name}:8000"
        running.say(command="restore", dependency=f"tcp://{name}:8000")
        running.wait_for("cut_restored")


def test_a_service_on_two_networks_one_of_them_internal(engine: docker.DockerClient, tmp_path: Path) -> None:
    options = ("--image", WORLD, "--network", INSIDE, "--network", OUTSIDE, "--", "python3", "-c", CALLS)
    with two_networks(engine), nothing_left(engine), headless(tmp_path, "run", "--headless", *options) as running:
        assert running.wait_for("seal_proven")["ok"]
        cut_apart(running)
        assert running.quit() == 0


def test_a_service_on_an_internal_network_alone_is_sealed(engine: docker.DockerClient, tmp_path: Path) -> None:
    calls = CALLS.replace(", 'edge'", ",")  # a name from outside would be waited for, in vain
    options = ("--image", WORLD, "--network", INSIDE, "--", "python3", "-c", calls)
    with two_networks(engine), nothing_left(engine), headless(tmp_path, "run", "--headless", *options) as running:
        assert running.wait_for("seal_proven")["ok"]
        running.wait_for("dependency_seen", about("store"))
        running.say(command="seal", seal="vacuum")
        assert running.wait_for("call_blocked")["dependency"] == "tcp://store:8000"
        assert running.quit() == 0


@pytest.mark.parametrize("via", ["host", "sidecar"])
def test_attached_to_one_that_lives_in_anothers_network(engine: docker.DockerClient, tmp_path: Path, via: str) -> None:
    with two_networks(engine) as servers:
        engine.networks.get(INSIDE).connect(servers["edge"])
        mode = f"container:{servers['edge'].id}"
        guest = engine.containers.run(
            WORLD, ["python3", "-c", CALLS], name="networks-guest", init=True, network_mode=mode, detach=True
        )
        try:
            words = ("attach", "networks-guest", "--headless", "--via", via)
            with nothing_left(engine), headless(tmp_path, *words) as running:
                assert running.wait_for("target_entered")["shared_with"] == ["networks-edge"]
                running.say(command="cut", dependency="tcp://store:8000", mode="refuse")
                assert running.wait_for("call_blocked")["dependency"] == "tcp://store:8000"
                assert running.quit() == 0
        finally:
            guest.remove(force=True)
