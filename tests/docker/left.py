"""What is there before and after: a test that leaves anything behind fails by it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import docker

DEADLINE_S = 20.0


def everything(engine: docker.DockerClient) -> dict[str, set[str]]:
    """Ids of containers, networks and volumes."""
    return {
        "containers": {str(each.id) for each in engine.containers.list(all=True, ignore_removed=True)},
        "networks": {str(each.id) for each in engine.networks.list()},
        "volumes": {str(each.id) for each in engine.volumes.list()},
    }


@contextmanager
def nothing_left(engine: docker.DockerClient) -> Iterator[None]:
    """Fails when, some time after the body, the engine has more than before it."""
    before = everything(engine)
    yield
    end = time.monotonic() + DEADLINE_S
    while (new := _new(before, everything(engine))) and time.monotonic() < end:
        time.sleep(0.1)
    assert not new


def _new(before: dict[str, set[str]], after: dict[str, set[str]]) -> set[str]:
    return {each for kind, ids in after.items() for each in ids - before[kind]}
