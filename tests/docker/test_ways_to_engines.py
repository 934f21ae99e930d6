"""Where the engine is said to be, and networks of its other family."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

import docker
import pytest
from as_it_was import as_it_was
from docker.models.containers import Container
from engine import LABEL
from images import WORLD
from jarred import BELLJAR, headless
from left import nothing_left
from target import attached, checkout

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
SUBNET = "fd00:77::/64"
CALL = (
    "import socket, time\n"
    "while True:\n"
    "    try: socket.create_connection(('{address}', 8000), 2).close()\n"
    "    except OSError: pass\n"
    "    time.sleep(0.2)"
)


def test_the_current_context_says_where_the_engine_is(engine: docker.DockerClient, tmp_path: Path) -> None:
    address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    here = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
    here.pop("DOCKER_HOST", None)
    for words in (("create", "tests", "--docker", f"host={address}"), ("use", "tests")):
        subprocess.run(["docker", "context", *words], check=True, capture_output=True, env=here)
    found = subprocess.run(
        [*BELLJAR, "agent-image", "--base", WORLD], capture_output=True, text=True, check=False, env=here
    )
    assert found.returncode == 0, found.stderr
    (tmp_path / "config.json").write_text('{"currentContext": "default"}')
    (tmp_path / "elsewhere.sock").touch()
    none = {**here, "DOCKER_HOST": f"unix://{tmp_path}/elsewhere.sock"}
    lost = subprocess.run([*BELLJAR, "clean"], capture_output=True, text=True, check=False, env=none)
    assert (lost.returncode, "elsewhere.sock" in lost.stderr) == (4, True), lost.stderr


def test_a_call_over_ipv6_is_named_and_cut(engine: docker.DockerClient, tmp_path: Path) -> None:
    pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet=SUBNET)])
    network = engine.networks.create("six", enable_ipv6=True, ipam=pool, labels={LABEL: "1"})
    web = engine.containers.create(
        WORLD, ["python3", "-m", "http.server", "--bind", "::", "8000"], name="six-web", init=True
    )
    try:
        network.connect(web, aliases=["web"])
        web.start()
        web.reload()
        address = web.attrs["NetworkSettings"]["Networks"]["six"]["GlobalIPv6Address"]
        options = ("--image", WORLD, "--network", "six", "--", "python3", "-c", CALL.format(address=address))
        with nothing_left(engine), headless(tmp_path, "run", "--headless", *options) as running:
            assert running.wait_for("seal_proven")["detail"].endswith("IPv4 and IPv6")
            found = running.wait_for("dependency_seen")
            assert (found["dependency"], found["endpoint"]) == ("tcp://web:8000", f"tcp [{address}]:8000")
            running.say(command="cut", dependency="tcp://web:8000", mode="refuse")
            assert running.wait_for("call_blocked")["dependency"] == "tcp://web:8000"
            assert running.quit() == 0
    finally:
        web.remove(force=True)
        network.remove()


def test_who_may_speak_to_the_socket_without_being_root_attaches_by_a_sidecar(
    engine: docker.DockerClient, shop: dict[str, Container]
) -> None:
    """A member of the group docker: setpriv makes one of nobody."""
    path = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    group = Path(path).stat().st_gid
    member = ("setpriv", "--reuid=65534", "--regid=65534", f"--groups={group}")
    with tempfile.TemporaryDirectory() as name, checkout(engine) as target, as_it_was(target):
        state = Path(name)
        state.chmod(0o777)
        with attached(state, "checkout", through=member) as running:
            assert running.wait_for("target_entered")["via"] == "sidecar"
            running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
            assert running.wait_for("call_blocked")["process"] == "python3"
            assert running.quit() == 0
            assert "via sidecar: belljar does not run as root" in running.words()
