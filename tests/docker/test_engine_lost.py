"""The engine goes away under a session, and comes back: a run ends and leaves nothing, an attached session goes on."""

from __future__ import annotations

from pathlib import Path

import docker
import pytest
from as_it_was import as_it_was, has_table
from docker.models.containers import Container
from images import CHECKOUT
from jarred import headless
from left import nothing_left
from project import NETWORK
from relay import Relay
from target import attached, checkout

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]


def test_a_run_ends_says_why_and_leaves_nothing(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, relay: Relay
) -> None:
    words = ("run", "--headless", "--image", CHECKOUT, "--network", NETWORK)
    with nothing_left(engine), headless(tmp_path, *words) as running:
        running.wait_for("service_started")
        relay.lose()
        assert running.process.wait(20) == 4
        assert "The Docker engine went away" in running.words()


@pytest.mark.parametrize("via", ["host", "sidecar"])
def test_an_attached_session_goes_on_when_it_is_back(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, relay: Relay, via: str
) -> None:
    with checkout(engine) as target, nothing_left(engine), as_it_was(target):  # noqa: SIM117  # an order that matters
        with attached(tmp_path, "checkout", "--via", via) as running:
            running.wait_for("target_entered")
            running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
            running.wait_for("call_blocked")
            relay.lose()
            running.wait_for("engine_lost")
            if via == "host":
                assert has_table(target)
            relay.come_back()
            running.wait_for("engine_returned")
            if via == "sidecar":
                assert running.wait_for("target_entered")["because"] == "the engine came back"
            running.wait_for("call_blocked", lambda e: e["dependency"] == "tcp://db:5432")
            assert running.quit() == 0


def test_a_start_that_fails_half_way_leaves_nothing_and_says_the_engines_words(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    """The second network, the engine's default one, can have no aliases; the agent's container is made by then."""
    words = ("run", "--headless", "--image", CHECKOUT, "--network", NETWORK, "--network", "bridge")
    with nothing_left(engine), headless(tmp_path, *words, "--network-alias", "till") as running:
        assert running.process.wait(20) == 4
        assert "alias" in running.words()
