"""The real `docker-compose`: a shared network, a clone, and a service made anew under an attached session."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from as_it_was import has_table
from docker.models.containers import Container
from images import CHECKOUT, WORLD
from jarred import headless
from left import nothing_left
from project import SERVICES
from target import EXPECTED, READY, attached, wait_until_up
from test_run import seen

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
PROJECT = "stall"
_OTHERS = ("db", "cache", "front", "audit")


class Compose:
    """A project's folder, and `docker-compose` in it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, *words: str) -> None:
        done = subprocess.run(
            ["docker-compose", "-p", PROJECT, *words], cwd=self._folder, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def compose(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed")
    folder = tmp_path_factory.mktemp("stall")
    services: dict[str, object] = {
        name: {"image": WORLD, "init": True, "command": [word.replace("$", "$$") for word in SERVICES[name][0]]}
        for name in _OTHERS
    }
    services["checkout"] = {"image": CHECKOUT, "depends_on": list(_OTHERS)}
    services["peer"] = {"image": WORLD, "init": True, "command": "sleep 600", "network_mode": "service:checkout"}
    (folder / "docker-compose.yml").write_text(json.dumps({"version": "3.7", "services": services}))
    project = Compose(folder)
    try:
        project("up", "-d")
        wait_until_up(the_one(engine, "checkout"))
        yield project
    finally:
        project("down", "-t", "0", "-v")


def the_one(engine: docker.DockerClient, service: str) -> Container:
    labels = [f"com.docker.compose.project={PROJECT}", f"com.docker.compose.service={service}"]
    (found,) = engine.containers.list(filters={"label": labels})
    return found


def test_one_who_shares_its_network_is_named_and_meets_its_cuts(
    engine: docker.DockerClient, compose: Compose, tmp_path: Path
) -> None:
    checkout, peer = the_one(engine, "checkout"), the_one(engine, "peer")
    call = ["python3", "-c", "import socket; socket.create_connection(('cache', 6379), 2)"]
    with attached(tmp_path, f"{PROJECT}/peer", health="") as running:
        entered = running.wait_for("target_entered")
        assert (entered["owner"], entered["shared_with"]) == (checkout.name, [checkout.name])
        assert peer.exec_run(call)[0] == 0
        running.say(command="cut", dependency="tcp://cache:6379", mode="refuse")
        running.wait_for("cut_applied")
        assert b"refused" in peer.exec_run(call)[1]
        assert running.quit() == 0
    assert not has_table(checkout)


def test_a_service_of_compose_is_cloned(engine: docker.DockerClient, compose: Compose, tmp_path: Path) -> None:
    words = ("run", "--from", f"{PROJECT}/checkout", "--headless", "--health", READY)
    with nothing_left(engine), headless(tmp_path, *words) as running:
        running.wait_for_health("healthy")
        assert {event["dependency"] for event in seen(running, "dependency_seen")} == EXPECTED
        assert running.quit() == 0


def test_what_compose_makes_anew_is_followed_with_its_cut(
    engine: docker.DockerClient, compose: Compose, tmp_path: Path
) -> None:
    first = the_one(engine, "checkout").id
    with attached(tmp_path, f"{PROJECT}/checkout") as running:
        running.wait_for_health("healthy")
        running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
        running.wait_for_health("unhealthy")
        compose("up", "-d", "--force-recreate", "--no-deps", "-t", "1", "checkout")
        entered = running.wait_for("target_entered", lambda e: e["because"] == "created anew")
        assert entered["container"] == the_one(engine, "checkout").id != first
        running.wait_for("call_blocked", lambda e: e["dependency"] == "tcp://db:5432" and e["process"] == "python3")
        assert running.quit() == 0
    assert not has_table(the_one(engine, "checkout"))
