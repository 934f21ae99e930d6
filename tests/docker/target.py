"""A running checkout to attach to, beside the project; and `belljar attach` on it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from engine import LABEL
from images import CHECKOUT
from jarred import Headless, headless
from project import NETWORK, PROJECT

READY = "http://localhost:8080/ready"
UP_DEADLINE_S = 20.0
EXPECTED = {"dns:", "tcp://cache:6379", "tcp://audit:9000", "tcp://front:80", "tcp://db:5432"}


def labels(service: str = "checkout", project: str = PROJECT) -> dict[str, str]:
    """As Compose writes them."""
    compose = "com.docker.compose"
    return {
        LABEL: "1",
        f"{compose}.project": project,
        f"{compose}.service": service,
        f"{compose}.container-number": "1",
    }


def start(engine: docker.DockerClient, name: str = "shop-checkout-1", **options: Any) -> Container:
    """A checkout as Compose would have started it."""
    settings: dict[str, Any] = {"network": NETWORK, "labels": labels(), "image": CHECKOUT, **options}
    if "network_mode" in settings:
        settings.pop("network")
    return engine.containers.run(name=name, detach=True, **settings)


@contextmanager
def checkout(engine: docker.DockerClient, name: str = "shop-checkout-1", **options: Any) -> Iterator[Container]:
    """Start it and wait until it answers; gone afterwards, whatever came in its place too."""
    made = start(engine, name, **options)
    try:
        wait_until_up(made)
        yield made
    finally:
        for each in engine.containers.list(all=True, ignore_removed=True):
            if each.name in (name, f"{name}-renamed") or each.id == made.id:
                each.remove(force=True, v=True)


def wait_until_up(container: Container) -> None:
    probe = ["python3", "-c", "import socket; socket.create_connection(('127.0.0.1', 8080), 1)"]
    end = time.monotonic() + UP_DEADLINE_S
    while time.monotonic() < end:
        container.reload()
        if container.status == "running" and container.exec_run(probe)[0] == 0:
            return
        time.sleep(0.05)
    raise AssertionError(f"{container.name} is not up: {container.logs()[-1000:]!r}")


@contextmanager
def attached(
    state: Path, target: str, *options: str, health: str = READY, through: tuple[str, ...] = ()
) -> Iterator[Headless]:
    """`belljar attach TARGET --headless`, entered."""
    checks = ("--health", health) if health else ()
    with headless(state, "attach", target, "--headless", *checks, *options, through=through) as running:
        yield running


def seen(running: Headless, name: str) -> list[dict[str, Any]]:
    return [event for event in running.events if event["event"] == name]
