"""A connection that breaks off and ends nothing: the agent lets go of what it attached to, and ends a jar of its own.

It does so where it is on another machine than we are, which it knows by the kernel's boot id: ours is another one here.
"""

from __future__ import annotations

from pathlib import Path

import docker
import psutil
import pytest
from as_it_was import as_it_was, has_table, wait_until_open
from docker.models.containers import Container
from images import CHECKOUT
from jarred import headless
from left import everything, nothing_left
from project import NETWORK
from relay import Relay
from target import attached, checkout
from test_run import parts_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
_ELSEWHERE = 'mount --bind "$0" /proc/sys/kernel/random/boot_id && exec "$@"'


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """What to start a command by, to be on another kernel as far as it can tell."""
    monkeypatch.setenv("BELLJAR_SILENCE_S", "3")
    boot_id = tmp_path / "boot_id"
    boot_id.write_text("another\n")
    return ("unshare", "--mount", "sh", "-c", _ELSEWHERE, str(boot_id))


def test_a_target_is_let_go_and_sealed_again_when_the_connection_is_back(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, relay: Relay, elsewhere: tuple[str, ...]
) -> None:
    with checkout(engine) as target, nothing_left(engine), as_it_was(target):  # noqa: SIM117  # an order that matters
        with attached(tmp_path, "checkout", "--via", "sidecar", through=elsewhere) as running:
            running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
            running.wait_for("call_blocked")
            relay.break_off()
            wait_until_open(target)
            assert "is heard of the agent" in running.wait_for("engine_lost")["detail"]
            relay.mend()
            running.wait_for("engine_returned")
            again = running.wait_for("target_entered")
            assert (again["because"], 0 < again["unsealed_s"] < 20) == ("the engine came back", True)
            running.wait_for("call_blocked", lambda e: e["dependency"] == "tcp://db:5432")
            assert running.quit() == 0


def test_a_target_is_let_go_while_belljar_is_stopped_and_sealed_again_when_it_goes_on(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, elsewhere: tuple[str, ...]
) -> None:
    with checkout(engine) as target, nothing_left(engine), as_it_was(target):  # noqa: SIM117  # an order that matters
        with attached(tmp_path, "checkout", "--via", "sidecar", "--seal", "vacuum", through=elsewhere) as running:
            running.wait_for("call_blocked")
            app = psutil.Process(running.process.pid)
            app.suspend()
            wait_until_open(target)
            app.resume()
            assert running.wait_for("target_entered", lambda e: e["because"])["because"] == "BellJar was away"
            assert has_table(target)
            assert running.quit() == 0


def test_a_run_ends_with_its_service_at_both_ends(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, relay: Relay, elsewhere: tuple[str, ...]
) -> None:
    before = everything(engine)["containers"]
    words = ("run", "--headless", "--image", CHECKOUT, "--network", NETWORK)
    with nothing_left(engine), headless(tmp_path, *words, through=elsewhere) as running:
        running.wait_for("service_started")
        assert set(parts_of(engine)) == {"agent", "service"}
        relay.break_off()
        assert running.process.wait(40) == 4
        assert "the connection broke off" in running.words()
        assert everything(engine)["containers"] <= before  # though nothing that we said since got there
