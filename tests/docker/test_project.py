"""The tests' own engine and project are what the other tests take them for."""

from __future__ import annotations

import docker
import pytest
from docker.models.containers import Container
from images import CHECKOUT
from project import NETWORK, PROJECT, SERVICES

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]


def test_the_project_is_five_compose_services_on_one_network(
    engine: docker.DockerClient, shop: dict[str, Container]
) -> None:
    running = engine.containers.list(filters={"label": f"com.docker.compose.project={PROJECT}"})
    assert {each.labels["com.docker.compose.service"] for each in running} == set(SERVICES)
    assert {each.id for each in shop.values()} <= set(engine.networks.get(NETWORK).attrs["Containers"])
    assert len(shop) == 5


def test_checkout_is_ready_beside_it(engine: docker.DockerClient, shop: dict[str, Container]) -> None:
    words = engine.containers.run(
        CHECKOUT, ["python3", "-c", "import checkout; print(checkout.ready())"], network=NETWORK, remove=True
    )
    assert b"ready, " in words, shop
