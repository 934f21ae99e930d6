"""A Docker engine for the tests: the one that runs, or `dockerd` started for them and ended with them.

Ours lives in network and mount namespaces of its own, so its bridges, rules and mounts vanish with it, however it ends.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import certificates
import docker
import psutil

START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 30.0
LABEL = "belljar.test"
"""On everything the tests make: what is left of an earlier run is known by it."""
TLS_ADDRESS = "tcp://127.0.0.1:2376"
"""Where ours listens too, on the loopback of its own network namespace: `remote` leads there."""
_TOOLS = ("dockerd", "debootstrap", "ip", "unshare", "setpriv", "openssl")
_ALONE = 'ip link set lo up; exec "$@"'


def why_none() -> str:
    """Why these tests have no engine here; empty when they have."""
    if _running() is not None:
        return ""
    if os.geteuid() != 0:
        return "no Docker engine runs, and only root may start one"
    missing = [
        tool for tool in ("dockerd", "debootstrap", "ip", "unshare", "setpriv", "openssl") if shutil.which(tool) is None
    ]
    return f"no Docker engine runs, and to start one these are missing: {', '.join(missing)}" if missing else ""


@contextmanager
def engine() -> Iterator[docker.DockerClient]:
    """A client of an engine; DOCKER_HOST says where it is while this lasts. Ours leaves nothing behind."""
    running = _running()
    if running is not None:
        yield running
        running.close()
        return
    with tempfile.TemporaryDirectory(prefix="belljar-engine-") as folder, _dockerd(Path(folder)) as address:
        before = os.environ.get("DOCKER_HOST")
        os.environ["DOCKER_HOST"] = address
        client = docker.from_env()
        try:
            yield client
        finally:
            client.close()
            os.environ.pop("DOCKER_HOST")
            if before is not None:
                os.environ["DOCKER_HOST"] = before


def _running() -> docker.DockerClient | None:
    with contextlib.suppress(docker.errors.DockerException):
        client = docker.from_env(timeout=60)
        with contextlib.suppress(docker.errors.DockerException):
            client.ping()
            return client
        client.close()
    return None


@contextmanager
def _dockerd(folder: Path) -> Iterator[str]:
    folder.chmod(0o711)  # the socket has a group, as everywhere
    address = f"unix://{folder}/docker.sock"
    command = ["dockerd", "--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec"]
    command += ["--host", address, "--pidfile", f"{folder}/pid"]
    certificates.make(folder / "tls")
    command += ["--host", TLS_ADDRESS, "--tlsverify"]
    command += [f"--{option}={folder}/tls/{file}" for option, file in certificates.OF_THE_SERVER.items()]
    alone = ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--", "sh", "-c", _ALONE, "sh"]
    log = folder / "log"
    with log.open("wb") as output:
        started = subprocess.Popen([*alone, *command], stdout=output, stderr=output, start_new_session=True)
    try:
        _wait_for(address, started, log)
        yield address
    finally:
        _remove_containers(address)
        _end(started, folder)


def _wait_for(address: str, started: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_DEADLINE_S
    while time.monotonic() < end:
        assert started.poll() is None, f"dockerd ended: {log.read_text()[-2000:]}"
        with contextlib.suppress(docker.errors.DockerException):
            docker.DockerClient(base_url=address).close()
            return
        time.sleep(0.1)
    raise AssertionError(f"dockerd is not ready within {START_DEADLINE_S} s: {log.read_text()[-2000:]}")


def _remove_containers(address: str) -> None:
    with contextlib.suppress(docker.errors.DockerException):
        client = docker.DockerClient(base_url=address)
        for container in client.containers.list(all=True):
            with contextlib.suppress(docker.errors.APIError):
                container.remove(force=True, v=True)
        client.close()


def _end(started: subprocess.Popen[bytes], folder: Path) -> None:
    """Ask dockerd to end; whoever of its family is left after that is made to."""
    with contextlib.suppress(psutil.NoSuchProcess):
        family = [psutil.Process(started.pid), *psutil.Process(started.pid).children(recursive=True)]
        started.terminate()
        _, alive = psutil.wait_procs(family, timeout=STOP_DEADLINE_S)
        for process in alive:
            process.kill()
    started.wait(STOP_DEADLINE_S)
    for process in psutil.process_iter(["cmdline"]):  # shims belong to nobody's family
        if any(str(folder) in word for word in process.info["cmdline"] or ()):
            process.kill()
