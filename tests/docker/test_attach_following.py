"""A target that ends and comes back is followed: what is wanted is kept, the gap told, the seal there again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import docker
import pytest
from as_it_was import as_it_was, has_table
from docker.models.containers import Container
from jarred import Headless
from left import nothing_left
from target import attached, checkout, labels, start

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
EITHER_WAY = pytest.mark.parametrize("via", ["host", "sidecar"])
GAP_AT_MOST_S = {"host": 5.0, "sidecar": 15.0}
"""Far above what it takes: these are no figures, those are in tests/bench."""


def cut_the_database(running: Headless) -> None:
    running.wait_for_health("healthy")
    running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
    running.wait_for_health("unhealthy")


def entered_again(running: Headless, because: str, via: str) -> dict[str, Any]:
    """The event of the return; the cut is in force there."""
    entered = running.wait_for("target_entered", lambda e: e["because"] == because)
    assert 0.0 < entered["unsealed_s"] < GAP_AT_MOST_S[via]
    running.wait_for("health_changed", lambda e: "refused" in e["detail"] and "db" in e["detail"])
    running.wait_for("call_blocked", lambda e: e["dependency"] == "tcp://db:5432" and e["process"] == "python3")
    return entered


@EITHER_WAY
def test_a_restart_is_followed_and_the_cut_kept(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str
) -> None:
    with checkout(engine) as target, nothing_left(engine), attached(tmp_path, "checkout", "--via", via) as running:
        cut_the_database(running)
        target.restart(timeout=1)
        lost = running.wait_for("target_lost")
        assert (lost["how"], lost["is_for_good"]) == ("killed", False)
        entered_again(running, "restarted", via)
        running.say(command="restore", dependency="tcp://db:5432")
        running.wait_for_health("healthy")
        counted = [
            e for e in running.events if e["event"] == "traffic_counted" and e["dependency"] == "tcp://cache:6379"
        ]
        assert [e["calls"] for e in counted] == sorted(e["calls"] for e in counted)
        assert running.quit() == 0
        with as_it_was(target):
            pass


def test_what_is_wanted_while_it_is_away_holds_when_it_is_back(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    with checkout(engine) as target, attached(tmp_path, "checkout") as running:
        running.wait_for_health("healthy")
        target.kill()
        running.wait_for("target_lost", lambda e: (e["how"], e["code"]) == ("killed", -9))
        running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
        target.start()
        entered_again(running, "restarted", "host")


@EITHER_WAY
def test_one_made_anew_by_compose_takes_its_place(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str
) -> None:
    with checkout(engine) as target, attached(tmp_path, "shop/checkout", "--via", via) as running:
        cut_the_database(running)
        anew = start(engine, "shop-checkout-1-anew")
        try:
            target.remove(force=True)
            anew.rename("shop-checkout-1")
            entered = entered_again(running, "created anew", via)
            assert entered["container"] == anew.id
            assert running.quit() == 0
            assert not has_table(anew)
        finally:
            anew.remove(force=True)


def test_one_that_is_removed_for_good_ends_the_session(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with checkout(engine, labels={}) as target, attached(tmp_path, "shop-checkout-1") as running:
        running.wait_for_health("healthy")
        target.remove(force=True)
        running.wait_for("target_lost", lambda e: not e["is_for_good"])
        running.wait_for("target_lost", lambda e: e["is_for_good"])
        assert "removed" in running.wait_for("session_ended")["reason"]
        assert running.process.wait(20) == 0


def test_a_new_name_is_told(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with checkout(engine) as target, attached(tmp_path, "checkout") as running:
        running.wait_for("target_entered")
        target.rename("shop-checkout-1-renamed")
        renamed = running.wait_for("target_renamed")
        assert (renamed["before"], renamed["name"]) == ("shop-checkout-1", "shop-checkout-1-renamed")


def test_out_of_memory_is_called_that(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    hungry = "import time, socket; time.sleep(4); kept = [bytearray(1 << 20) for _ in range(1000)]"
    options: dict[str, Any] = {"mem_limit": "64m", "memswap_limit": "64m", "init": True}
    made = start(engine, "hungry", command=["python3", "-c", hungry], labels=labels("hungry"), **options)
    try:
        with attached(tmp_path, "hungry", health="") as running:
            running.wait_for("target_entered")
            assert running.wait_for("target_lost")["how"] == "out of memory"
    finally:
        made.remove(force=True)


def test_a_cut_that_makes_somebody_restart_it_is_followed(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    """As an orchestrator would: its own check fails, and it is ended and started again."""
    watching = (
        "import os, time, subprocess, sys\n"
        "served = subprocess.Popen(['python3', '/checkout.py'])\n"
        "time.sleep(2)\n"
        "while True:\n"
        "    time.sleep(0.3)\n"
        "    if subprocess.run(['python3', '/checkout.py', 'is-ready'], capture_output=True).returncode: sys.exit(3)\n"
    )
    policy = {"Name": "on-failure", "MaximumRetryCount": 50}
    with (
        checkout(engine, command=["python3", "-c", watching], restart_policy=policy) as target,
        attached(tmp_path, "checkout") as running,
    ):
        running.wait_for_health("healthy")
        running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
        for _ in range(2):
            assert running.wait_for("target_lost")["code"] == 3
            assert running.wait_for("target_entered")["because"] == "restarted"
            running.wait_for("cut_applied", lambda e: e["dependency"] == "tcp://db:5432")
        running.say(command="restore", dependency="tcp://db:5432")
        running.wait_for_health("healthy")
        target.reload()
        assert target.attrs["RestartCount"] >= 2
