"""A real sshd on this machine's loopback, with keys of its own, behind which the tests' engine is; and its client.

The client is the real one, given a configuration of its own: ssh looks for that in the user's home and nowhere else.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

DEADLINE_S = 10.0
OTHER_USER = "postgres"
"""Has a shell, and no right to speak to an engine; the database's package made them."""
_SSHD = "/usr/sbin/sshd"
_SERVER = """
ListenAddress 127.0.0.1
Port {port}
HostKey {folder}/host
PidFile none
AuthorizedKeysFile {folder}/key.pub
StrictModes no
UsePAM yes
PermitRootLogin yes
PasswordAuthentication no
KbdInteractiveAuthentication no
MaxStartups 100
SetEnv DOCKER_HOST={engine}
"""
_CLIENT = """
Host *
  IdentityFile {folder}/key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known
"""


def why_none() -> str:
    """Why these tests have no sshd here; empty when they have."""
    if os.geteuid() != 0:
        return "only root may let others in by ssh"
    missing = [tool for tool in (_SSHD, "ssh", "ssh-keygen") if shutil.which(tool) is None]
    return f"these are missing: {', '.join(missing)}" if missing else ""


@contextmanager
def ssh_server(monkeypatch: pytest.MonkeyPatch, engine: str) -> Iterator[int]:
    """Its port. `ssh` is the client that knows it while this lasts; every user there has the engine at this address."""
    with tempfile.TemporaryDirectory(prefix="belljar-ssh-") as name, socket.socket() as free:
        folder = Path(name)
        folder.chmod(0o755)
        for key in ("host", "key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key], check=True)
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
        free.close()
        know(folder, port)
        (folder / "sshd_config").write_text(_SERVER.format(folder=folder, port=port, engine=engine))
        (folder / "ssh_config").write_text(_CLIENT.format(folder=folder))
        client = folder / "bin" / "ssh"
        client.parent.mkdir()
        client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/ssh_config "$@"\n')
        client.chmod(0o755)
        monkeypatch.setenv("PATH", f"{client.parent}:{os.environ['PATH']}")
        monkeypatch.setenv("XDG_RUNTIME_DIR", name)
        with _running(folder, port):
            yield port


def know(folder: Path, port: int, host: str = "host") -> None:
    """The key that the client takes for the server's: that of `host`."""
    kind, key, *_ = (folder / f"{host}.pub").read_text().split()
    (folder / "known").write_text(f"[127.0.0.1]:{port} {kind} {key}\n")


@contextmanager
def _running(folder: Path, port: int) -> Iterator[None]:
    Path("/run/sshd").mkdir(exist_ok=True)
    with (folder / "log").open("wb") as log:
        words = ["setpriv", "--pdeathsig", "KILL", _SSHD, "-D", "-e", "-f", f"{folder}/sshd_config"]
        started = subprocess.Popen(words, stderr=log)
    try:
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            assert started.poll() is None, (folder / "log").read_text()
            with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.02)
        yield
    finally:
        started.kill()
        started.wait()
