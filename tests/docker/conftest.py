"""One engine, its images and the project for the whole run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import engine as engines
import images
import project as projects
import pytest
from docker.models.containers import Container
from jarred import BELLJAR
from relay import Relay


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    why = engines.why_none()
    if why:
        pytest.skip(why)
    with engines.engine() as client:
        images.build(client)
        yield client


@pytest.fixture(scope="session")
def shop(engine: docker.DockerClient) -> Iterator[dict[str, Container]]:
    """The project's containers, by service."""
    with projects.project(engine) as containers:
        yield containers


@pytest.fixture(scope="session", autouse=True)
def agent_image(engine: docker.DockerClient) -> None:
    """Built once, on the one base there is."""
    subprocess.run([*BELLJAR, "agent-image", "--base", images.WORLD], check=True, capture_output=True)


@pytest.fixture
def relay(engine: docker.DockerClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Relay]:
    """What belljar takes for the engine."""
    relay = Relay(tmp_path / "relay.sock")
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/relay.sock")
    yield relay
    relay.lose()
