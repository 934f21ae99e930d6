"""One engine, its images and the project for the whole run."""

from __future__ import annotations

from collections.abc import Iterator

import docker
import engine as engines
import images
import project as projects
import pytest
from docker.models.containers import Container


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
