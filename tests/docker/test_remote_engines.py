"""An engine on another machine: by TLS, by ssh, by contexts; and what is said when it is not to be had.

Another machine is one whose processes we do not see: these commands have a PID namespace of their own.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import certificates
import docker
import engine as engines
import psutil
import pytest
import ssh_server
from as_it_was import as_it_was, has_table, wait_until_open
from docker.models.containers import Container
from jarred import BELLJAR, headless
from left import nothing_left
from target import attached, checkout
from test_run import parts_of

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
Through = tuple[str, ...]
ELSEWHERE = ("unshare", "--pid", "--fork", "--kill-child", "--mount-proc")
DIALLED = "docker system dial-stdio"


@pytest.fixture(scope="module")
def folder(engine: docker.DockerClient) -> Path:
    """Of the engine that was started for the tests: its certificates are there."""
    found = Path(os.environ.get("DOCKER_HOST", "").removeprefix("unix://")).parent
    if not (found / "tls").is_dir():
        pytest.skip("the engine that runs here was not started by the tests: its certificates are not ours")
    return found


@pytest.fixture(scope="module")
def patch() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="module")
def sshd(engine: docker.DockerClient, patch: pytest.MonkeyPatch) -> Iterator[int]:
    why = ssh_server.why_none()
    if why:
        pytest.skip(why)
    with ssh_server.ssh_server(patch, os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")) as port:
        yield port


@pytest.fixture(params=["tls", "ssh"])
def remote(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Through:
    """DOCKER_HOST leads to the engine in this way; and what to start a command by, to be elsewhere."""
    if request.param == "ssh":
        monkeypatch.setenv("DOCKER_HOST", f"ssh://root@127.0.0.1:{request.getfixturevalue('sshd')}")
        return ELSEWHERE
    folder = request.getfixturevalue("folder")
    for name, value in by_tls(folder).items():
        monkeypatch.setenv(name, value)
    return (*beside(folder), *ELSEWHERE)


def beside(folder: Path) -> Through:
    """Into the network whose loopback the engine listens on."""
    return ("nsenter", "--net", "--target", (folder / "pid").read_text().strip(), "--")


def by_tls(folder: Path, who: str = certificates.CLIENT) -> dict[str, str]:
    return {
        "DOCKER_HOST": engines.TLS_ADDRESS,
        "DOCKER_TLS_VERIFY": "1",
        "DOCKER_CERT_PATH": str(folder / "tls" / who),
        "REQUESTS_CA_BUNDLE": str(folder / "tls" / "other.crt"),
    }


def belljar(*words: str, environment: dict[str, str] | None = None, through: Through = ()) -> tuple[int, str]:
    """Exit code, and all it said."""
    done = subprocess.run(
        [*through, *BELLJAR, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


def dialling() -> list[psutil.Process]:
    """Every ssh of ours that leads to an engine.

    The server's `docker` ends when the engine ends the answer it waits for, which for one that is attached to a
    container that ended may be never.
    """
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.name() == "ssh" and DIALLED in process.cmdline()[-1]:
                found.append(process)
    return found


def test_attach_takes_a_sidecar_says_so_and_killed_leaves_nothing_there_or_here(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, remote: Through
) -> None:
    with checkout(engine) as target, nothing_left(engine), as_it_was(target):  # noqa: SIM117  # an order that matters
        with attached(tmp_path, "checkout", through=remote) as running:
            assert running.wait_for("target_entered")["via"] == "sidecar"
            running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
            assert running.wait_for("call_blocked")["process"] == "python3"
            assert has_table(target)
            dialled = dialling()
            running.process.kill()
            running.process.wait(20)
            assert "via sidecar: its engine is on another machine" in running.words()
            wait_until_open(target)
            assert psutil.wait_procs(dialled, timeout=20)[1] == []


def test_an_image_is_run_and_its_end_is_seen(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, remote: Through
) -> None:
    words = ("run", "--headless", "--image", "belljar-test/checkout:1.4", "--network", "shop_backend")
    with nothing_left(engine), headless(tmp_path, *words, through=remote) as running:
        running.wait_for("service_started")
        parts_of(engine)["service"].kill()
        assert running.wait_for("service_exited")["code"] == -9
        assert running.quit() == 0
    assert psutil.wait_procs(dialling(), timeout=20)[1] == []


def test_doctor_says_where_it_is_and_clean_works_there(engine: docker.DockerClient, remote: Through) -> None:
    code, said = belljar("doctor", "--json", through=remote)
    assert (code, f" at {os.environ['DOCKER_HOST']}" in said) == (0, True), said
    assert belljar("clean", through=remote)[0] == 0


def test_a_context_with_certificates_is_taken_by_its_name_or_as_the_current_one(folder: Path, tmp_path: Path) -> None:
    here = {**os.environ, "DOCKER_CONFIG": str(tmp_path)}
    here.pop("DOCKER_HOST", None)
    files = ",".join(f"{kind}={folder}/tls/client/{kind}.pem" for kind in ("ca", "cert", "key"))
    subprocess.run(
        ["docker", "context", "create", "far", "--docker", f"host={engines.TLS_ADDRESS},{files}"],
        check=True, capture_output=True, env=here,
    )  # fmt: skip
    asked: dict[str, str] = {"DOCKER_CONFIG": str(tmp_path), "DOCKER_HOST": ""}
    assert belljar("clean", environment={**asked, "DOCKER_CONTEXT": "far"}, through=beside(folder))[0] == 0
    subprocess.run(["docker", "context", "use", "far"], check=True, capture_output=True, env=here)
    assert belljar("clean", environment=asked, through=beside(folder))[0] == 0
    code, said = belljar("clean", environment={**asked, "DOCKER_CONTEXT": "nonsuch"})
    assert (code, "nonsuch" in said, "docker context ls" in said) == (4, True, True), said


def test_what_does_not_agree_on_tls_is_told_why(folder: Path, tmp_path: Path) -> None:
    through = beside(folder)
    for environment, why in (
        (by_tls(folder, certificates.STRANGER), "does not accept our certificate"),
        ({"DOCKER_HOST": engines.TLS_ADDRESS}, "wants TLS"),
        ({**by_tls(folder), "DOCKER_HOST": "tcp://localhost:2376"}, "another host's"),
        ({**by_tls(folder), "DOCKER_CERT_PATH": str(tmp_path)}, "ca.pem, cert.pem and key.pem"),
    ):
        code, said = belljar("clean", environment=environment, through=through)
        assert (code, why in said) == (4, True), said


def test_who_is_not_reached_by_ssh_is_told_why(sshd: int, patch: pytest.MonkeyPatch) -> None:
    at = f"127.0.0.1:{sshd}"
    folder = Path(os.environ["XDG_RUNTIME_DIR"])
    with socket.create_server(("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    for address, why in (
        (f"ssh://{ssh_server.OTHER_USER}@{at}", "may not speak to the engine"),
        (f"ssh://root@{at}/nonsuch.sock", "no engine runs there"),
        (f"ssh://root@127.0.0.1:{nobody}", "Connection refused"),
        (f"ssh://root:word@{at}", "password"),
    ):
        code, said = belljar("clean", environment={"DOCKER_HOST": address})
        assert (code, why in said) == (4, True), said
    ssh_server.know(folder, sshd, "key")
    code, said = belljar("clean", environment={"DOCKER_HOST": f"ssh://root@{at}"})
    ssh_server.know(folder, sshd)
    assert (code, "knows another one" in said, f"ssh -p {sshd} root@127.0.0.1" in said) == (4, True, True), said
