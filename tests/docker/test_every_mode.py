"""Every way to fail, in a jar of containers and in an attached one; and who is in a lane when BellJar leaves."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from as_it_was import as_it_was, wait_until_open
from docker.models.containers import Container
from images import CHECKOUT
from jarred import Headless
from project import NETWORK
from target import READY, attached, checkout
from test_run import checkout as checkout_jar

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
FRONT = "tcp://front:80"
QUICK = ("--health", READY, "--health-every", "0.1", "--health-for", "1")
FAILS: list[tuple[dict[str, Any], str]] = [
    ({"mode": "refuse"}, "refused"),
    ({"mode": "blackhole"}, "timed out"),
    ({"mode": "reset"}, "refused"),
    ({"mode": "reset", "after_bytes": 300}, "reset by peer"),
    ({"mode": "unreachable"}, "No route to host"),
    ({"mode": "dns", "answer": "servfail"}, "name resolution"),
    ({"mode": "slow", "delay_s": 2}, "timed out"),
    ({"mode": "hang"}, "timed out"),
    ({"mode": "flaky", "fraction": 0.9, "fails_by": "refuse"}, "refused"),
    ({"mode": "hang", "for_s": 2}, "timed out"),
]
"""What is cut how, and what the service says of it; it waits for a second. The last ends by itself."""
POOLED = """
import socket, time
pool = socket.create_connection(("audit", 9000))
while True:
    try:
        pool.sendall(b"visited")
    except OSError as error:
        print(type(error).__name__, flush=True)
        pool = socket.create_connection(("audit", 9000))
        print("called anew", flush=True)
    time.sleep(0.05)
"""


@contextmanager
def jar(engine: docker.DockerClient, state: Path, way: str) -> Iterator[Headless]:
    """The checkout, sealed in one way or another."""
    if way == "run":
        with checkout_jar(state, *QUICK) as running:
            yield running
        return
    via = ("--via", way, *QUICK[2:])
    with checkout(engine) as target, as_it_was(target), attached(state, "checkout", *via) as running:
        yield running


@pytest.mark.parametrize("way", ["run", "host", "sidecar"])
def test_every_mode_does_what_it_says(engine: docker.DockerClient, shop: Shop, tmp_path: Path, way: str) -> None:
    with jar(engine, tmp_path, way) as running:
        running.wait_for_health("healthy")
        for fails, words in FAILS:
            running.say(command="cut", dependency=FRONT, **fails)
            applied = running.wait_for("cut_applied")
            assert (applied["dependency"], applied["mode"]) == (FRONT, fails["mode"])
            assert _says(running, words)["health"] == "unhealthy", fails
            if fails["mode"] != "slow":
                assert running.wait_for("call_blocked", lambda e: e["dependency"] == FRONT)["mode"] == fails["mode"]
            if "for_s" not in fails:
                running.say(command="restore", dependency=FRONT)
            running.wait_for("cut_restored")
            running.wait_for_health("healthy")
        assert running.quit() == 0
    assert {e["process"] for e in running.events if e["event"] == "call_blocked"} <= {"python3", None}
    assert not [e for e in running.events if e["event"] in ("audit_failed", "events_lost", "lane_broke")]


def _says(running: Headless, words: str) -> dict[str, Any]:
    return running.wait_for("health_changed", lambda e: words in e["detail"])


@pytest.mark.parametrize("via", ["host", "sidecar"])
def test_who_is_in_a_lane_when_belljar_leaves_calls_anew(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str
) -> None:
    target = engine.containers.run(CHECKOUT, ["python3", "-c", POOLED], network=NETWORK, detach=True, init=True)
    try:
        with attached(tmp_path, target.name or "", "--via", via, health="") as running:
            running.wait_for("dependency_seen", lambda e: e["dependency"] == "tcp://audit:9000")
            running.say(command="cut", dependency="tcp://audit:9000", mode="slow", delay_s=0.01)
            running.wait_for("cut_applied")
            lines = _lines(target, 2)
            assert running.quit() == 0
        wait_until_open(target)
        after = _lines(target, len(lines) + 2)
        assert after[-1] == "called anew", after
        assert len(after) == len(lines) + 2, after
    finally:
        target.remove(force=True)


def _lines(container: Container, at_least: int) -> list[str]:
    end = time.monotonic() + 20
    while len(lines := container.logs().decode().split("\n")[:-1]) < at_least:
        assert time.monotonic() < end, json.dumps(lines)
        time.sleep(0.05)
    return lines
