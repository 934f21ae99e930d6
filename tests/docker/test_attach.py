"""`belljar attach` on a container that runs: both ways in, and the same events from either."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import docker
import pytest
from as_it_was import as_it_was, has_table
from docker.models.containers import Container
from jarred import BELLJAR
from left import nothing_left
from project import NETWORK, PROJECT
from target import EXPECTED, attached, checkout, seen

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
EITHER_WAY = pytest.mark.parametrize("via", ["host", "sidecar"])


@EITHER_WAY
def test_a_running_container_is_sealed_cut_restored_and_let_go(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str
) -> None:
    with checkout(engine) as target, nothing_left(engine), as_it_was(target):
        with attached(tmp_path, "checkout", "--via", via) as running:
            assert running.wait_for("session_started")["jar"] == f"attached via {via}"
            entered = running.wait_for("target_entered")
            assert (entered["target"], entered["via"], entered["container"]) == (target.name, via, target.id)
            assert (entered["unsealed_s"], entered["shared_with"]) == (None, [])
            assert seen(running, "seal_proven")[0]["ok"]
            started = running.wait_for("service_started")
            assert (started["pid"], started["command"]) == (1, ["python3", "/checkout.py"])
            running.wait_for_health("healthy")
            running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
            assert "refused" in running.wait_for_health("unhealthy")["detail"]
            blocked = running.wait_for("call_blocked")
            assert (blocked["dependency"], blocked["process"], blocked["pid"]) == ("tcp://db:5432", "python3", 1)
            running.say(command="restore", dependency="tcp://db:5432")
            running.wait_for_health("healthy")
            assert running.quit() == 0
        assert {event["dependency"] for event in seen(running, "dependency_seen")} == EXPECTED
        assert {event["process"] for event in seen(running, "dependency_seen")} == {"python3"}
        assert {event["name"] for event in seen(running, "process_seen")} == {"python3"}
        assert {event["name"] for event in seen(running, "neighbour_changed")} == set(shop)
        assert not seen(running, "events_lost")
        assert not seen(running, "audit_failed")


@EITHER_WAY
def test_embedded_name_service_is_cut_and_back_at_once(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str
) -> None:
    with checkout(engine) as target, as_it_was(target), attached(tmp_path, target.name or "", "--via", via) as running:
        running.wait_for_health("healthy")
        running.say(command="cut", dependency="dns:", mode="refuse")
        assert "name resolution" in running.wait_for_health("unhealthy")["detail"]
        blocked = running.wait_for("call_blocked")
        assert (blocked["dependency"], blocked["process"]) == ("dns:", "python3")
        assert running.quit() == 0


@EITHER_WAY
def test_a_vacuum_from_the_start_is_named_and_attributed(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str
) -> None:
    with checkout(engine) as target, attached(tmp_path, target.id or "", "--via", via, "--seal", "vacuum") as running:
        running.wait_for_health("unhealthy")
        blocked = running.wait_for("call_blocked", lambda e: e["dependency"] == "tcp://front:80")
        assert blocked["process"] == "python3"
        assert {e["dependency"] for e in seen(running, "call_blocked")} == EXPECTED - {
            "dns:",
            "tcp://db:5432",
        }  # it asks for prices first


@EITHER_WAY
def test_a_connection_from_before_is_known_and_cut(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str
) -> None:
    """A pool's connection says nothing for a while: it is a dependency all the same, and a cut ends it."""
    pooled = (
        "import socket, time\n"
        "pool = socket.create_connection(('audit', 9000))\n"
        "try:\n    print(pool.recv(1))\nexcept OSError as error:\n    print(type(error).__name__, flush=True)\n"
        "time.sleep(600)"
    )
    made = engine.containers.run(
        "belljar-test/checkout:1.4", ["python3", "-c", pooled], network=NETWORK, detach=True, init=True
    )
    try:
        time.sleep(1)
        with attached(tmp_path, made.name or "", "--via", via, health="") as running:
            found = running.wait_for("dependency_seen", lambda e: e["dependency"].endswith(":9000"))
            assert found["process"] == "python3"
            running.say(command="cut", dependency="tcp://audit:9000", mode="refuse")
            running.wait_for("cut_applied")
            assert running.quit() == 0
        assert b"ConnectionAbortedError" in made.logs()
    finally:
        made.remove(force=True)


def test_the_containers_own_healthcheck_is_the_check_when_none_is_given(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    check = {"test": ["CMD", "python3", "/checkout.py", "is-ready"], "interval": 10**9}
    with checkout(engine, healthcheck=check), attached(tmp_path, f"{PROJECT}/checkout", health="") as running:
        assert running.wait_for("session_started")["checks"] == ["image:healthcheck"]
        assert "ready" in running.wait_for_health("healthy")["detail"]


@EITHER_WAY
def test_a_command_check_runs_in_the_target(engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str) -> None:
    check = "exec:test -f /checkout.py && echo here"
    with checkout(engine), attached(tmp_path, "checkout", "--via", via, health=check) as running:
        assert running.wait_for_health("healthy")["detail"] == "here"
        assert {e["name"] for e in seen(running, "process_seen")} == {"python3"}


def test_the_sidecar_may_do_no_more_than_it_needs(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with checkout(engine) as target, attached(tmp_path, "checkout", "--via", "sidecar") as running:
        running.wait_for("target_entered")
        (sidecar,) = engine.containers.list(filters={"label": "belljar.session"})
        host = sidecar.attrs["HostConfig"]
        assert (host["CapAdd"], host["CapDrop"]) == (["NET_ADMIN", "SYS_PTRACE"], ["ALL"])
        assert (host["Privileged"], host["SecurityOpt"]) == (False, ["no-new-privileges"])
        assert not sidecar.attrs["Mounts"]
        assert host["NetworkMode"] == host["PidMode"] == f"container:{target.id}"


def test_who_shares_the_network_namespace_is_said(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with checkout(engine) as owner:
        mode = f"container:{owner.id}"
        lodger = engine.containers.run(
            "belljar-test/world:latest", ["sleep", "600"], name="lodger", network_mode=mode, detach=True, init=True
        )
        try:
            with attached(tmp_path, "lodger") as running:
                entered = running.wait_for("target_entered")
                assert (entered["owner"], entered["shared_with"]) == (owner.name, [owner.name])
            with attached(tmp_path, owner.name or "") as running:
                entered = running.wait_for("target_entered")
                assert (entered["owner"], entered["shared_with"]) == ("", ["lodger"])
        finally:
            lodger.remove(force=True)


def test_two_at_once_is_refused_and_the_first_goes_on(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with checkout(engine) as target, attached(tmp_path, "checkout") as first:
        first.wait_for_health("healthy")
        with attached(tmp_path, "checkout") as second:
            assert second.process.wait(20) == 4
            assert "another BellJar" in second.words() or "Another BellJar" in second.words()
        assert has_table(target)
        assert first.quit() == 0


def test_a_search_is_sent_to_clones(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with checkout(engine) as target, attached(tmp_path, "checkout") as running:
        running.wait_for("target_entered")
        running.say(command="search")
        rejected = running.wait_for("command_rejected")
        assert f"belljar minimize --from {target.name}" in rejected["reason"]


def test_a_profile_says_how_another_one_is_started_and_can_be_proven(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    saved = tmp_path / "checkout.belljar.yaml"
    with checkout(engine, environment={"SHOP_NAME": "corner"}) as target:
        with attached(tmp_path, "checkout") as running:
            running.wait_for_health("healthy")
            running.say(command="save", path=str(saved))
            running.wait_for("profile_saved")
        text = saved.read_text()
        assert "SHOP_NAME" in text
        assert "corner" not in text
        assert (target.attrs["Config"]["Image"] in text, NETWORK in text) == (True, True)
        proven = subprocess.run(
            [*BELLJAR, "verify", str(saved)], capture_output=True, text=True, check=False, timeout=60,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        )  # fmt: skip
        assert proven.returncode == 0, proven.stdout + proven.stderr
