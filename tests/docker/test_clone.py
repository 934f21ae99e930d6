"""`--from CONTAINER`: another one like it, sealed, and the first as it was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import docker
import pytest
from as_it_was import as_it_was
from images import CHECKOUT
from jarred import headless
from left import nothing_left
from project import NETWORK, PROJECT
from target import READY, checkout, labels
from test_run import Shop, parts_of
from test_searched import DEADLINE, NEEDED, SOFT, belljar

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
CHECK = {"test": ["CMD", "python3", "/checkout.py", "is-ready"], "interval": 10**9}


@pytest.fixture(autouse=True)
def _sessions_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_a_clone_is_what_the_first_was_given_and_takes_none_of_its_calls(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    (tmp_path / "conf").mkdir()
    given: dict[str, Any] = {
        "environment": {"SHOP_NAME": "corner"},
        "volumes": [f"{tmp_path}/conf:/conf:ro"],
        "user": "www-data",
        "working_dir": "/tmp",  # in the container
        "mem_limit": "256m",
        "nano_cpus": 500_000_000,
        "tmpfs": {"/scratch": ""},
        "extra_hosts": {"pay.lab": "10.9.9.9"},
        "ports": {"8080/tcp": ("127.0.0.1", 18081)},
        "healthcheck": CHECK,
    }
    options = ("--from", f"{PROJECT}/checkout", "-e", "MORE=1")
    with (
        checkout(engine, **given) as first,
        nothing_left(engine),
        as_it_was(first),
        headless(tmp_path, "run", "--headless", *options) as running,
    ):
        started = running.wait_for("session_started")
        assert (started["name"], started["jar"]) == (first.name, "docker")
        assert started["checks"] == ["exec:python3 /checkout.py is-ready"]
        running.wait_for_health("healthy")
        parts = parts_of(engine)
        config, host = parts["service"].attrs["Config"], parts["service"].attrs["HostConfig"]
        assert {"SHOP_NAME=corner", "MORE=1"} <= set(config["Env"])
        assert (config["Image"], config["User"], config["WorkingDir"]) == (CHECKOUT, "www-data", "/tmp")
        assert (host["Memory"], host["NanoCpus"], host["Tmpfs"]) == (256 << 20, 500_000_000, {"/scratch": ""})
        assert host["Binds"] == [f"{tmp_path}/conf:/conf:ro"]
        assert config["Labels"]["com.docker.compose.service"] == "checkout"
        assert config["Labels"]["com.docker.compose.oneoff"] == "True"
        agent = parts["agent"].attrs
        assert list(agent["NetworkSettings"]["Networks"]) == [NETWORK]
        assert not agent["HostConfig"]["PortBindings"]
        assert agent["HostConfig"]["ExtraHosts"] == ["pay.lab:10.9.9.9"]
        running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
        assert "refused" in running.wait_for_health("unhealthy")["detail"]
        code, said = first.exec_run(["python3", "/checkout.py", "is-ready"])
        assert code == 0, said
        assert running.quit() == 0


def test_the_first_ones_alias_leads_the_clone_to_itself(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    call = "import socket, time; print(socket.gethostbyname('till'), flush=True); time.sleep(60)"
    with checkout(engine) as first:
        network = engine.networks.get(NETWORK)
        network.disconnect(first)
        network.connect(first, aliases=["till"])
        options = ("--from", first.name or "", "--", "python3", "-c", call)
        with headless(tmp_path, "run", "--headless", *options) as running:
            running.wait_for("service_started")
            address = "import socket; print(socket.gethostbyname_ex('till')[2])"
            code, said = shop["mail"].exec_run(["python3", "-c", address])
            first.reload()
            own = first.attrs["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
            assert (code, said) == (0, f"['{own}']\n".encode())
            assert running.quit() == 0
    log = next((tmp_path / "belljar" / "sessions").iterdir()) / "service.log"
    assert log.read_text() == "127.0.0.1\n"


def test_the_minimal_set_of_a_clone_is_found_and_its_profile_proven(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = tmp_path / "checkout.belljar.yaml"
    with checkout(engine, environment={"SHOP_NAME": "corner"}) as first, nothing_left(engine), as_it_was(first):
        found = belljar(
            "minimize", "--from", "checkout", "--health", READY, *DEADLINE, "--jobs", "2", "--json", "-o", str(profile)
        )
        assert found.returncode == 0, found.stderr
        result = json.loads(found.stdout)
        assert (result["minimal"], sorted(result["tolerated"])) == (NEEDED, SOFT)
        text = profile.read_text()
        assert ("SHOP_NAME" in text, "corner" in text) == (True, False)
        assert f"digest: {engine.images.get(CHECKOUT).id}" in text
        monkeypatch.setenv("SHOP_NAME", "corner")
        verified = belljar("verify", str(profile))
        assert verified.returncode == 0, verified.stdout + verified.stderr
        profile.write_text(text.replace("digest: sha256:", "digest: sha256:0"))
        assert "has changed since the profile" in belljar("verify", str(profile)).stderr


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--from", "nonsuch"), 4, "no container or Compose service nonsuch"),
        (("--from", "hosted"), 2, "the host's own network"),
        (("--from", "lodger"), 2, "lives in the network of another container"),
        (("--from", "hosted", "--image", CHECKOUT), 2, "two ways"),
    ],
)
def test_what_cannot_be_cloned_is_said(
    engine: docker.DockerClient, shop: Shop, options: tuple[str, ...], code: int, words: str
) -> None:
    mode = {"hosted": "host", "lodger": f"container:{shop['mail'].id}"}
    made = [
        engine.containers.create(CHECKOUT, name=name, network_mode=where, labels=labels(name))
        for name, where in mode.items()
    ]
    try:
        with nothing_left(engine):
            done = belljar("run", "--headless", *options)
    finally:
        for each in made:
            each.remove(force=True)
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert words in done.stderr
