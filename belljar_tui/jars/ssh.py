"""An engine behind ssh: each connection is an `ssh HOST docker system dial-stdio`, as the docker command makes them.

The SDK's own way wants paramiko, or reads through pipes that nobody can wait for. Here ssh has one end of a socket pair
and the SDK the other: to everybody else it is a plain socket. Connections after the first go over that one's (ssh's
ControlMaster), and all of them end when our ends are closed, so also when we are killed.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import docker
import urllib3
from docker.transport.basehttpadapter import BaseHTTPAdapter
from urllib3.connection import HTTPConnection

from belljar_tui.errors import NoEngine

_REACH_S, _SILENT_S = 10, 15
"""How long a host may take to answer at all, and how long one may be silent before it is asked whether it lives."""
_PATH_BYTES = 80
"""Of a control socket: the kernel takes 107, and ssh adds 17 while it makes it."""
_WORDS_KEPT = 6
_numbers = itertools.count()


class Dialling:
    """How to get there. Raises NoEngine for an address that is none, and without ssh."""

    def __init__(self, address: str) -> None:
        if shutil.which("ssh") is None:
            remedy = "Install it with: sudo apt install openssh-client"
            raise NoEngine("ssh is not installed.", f"The engine at {address} is reached by it.", remedy)
        self._command = ["ssh", *_options(), *_destination(address)]
        self._lock = threading.Lock()
        self._running: list[subprocess.Popen[bytes]] = []
        self._said = tempfile.TemporaryFile("a+b")  # noqa: SIM115  # every ssh's stderr, until we are closed

    def dial(self) -> socket.socket:
        """One more connection. That it leads nowhere shows when it is used."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = subprocess.Popen(
                self._command, stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._said, start_new_session=True
            )
        with self._lock:
            self._running = [each for each in self._running if each.poll() is None]
            self._running.append(process)
        return ours

    def words(self) -> str:
        """The last that any of them said."""
        with contextlib.suppress(OSError, ValueError):
            self._said.seek(0)
            lines = self._said.read().decode(errors="replace").splitlines()
            return " ".join(line.strip() for line in lines[-_WORDS_KEPT:] if line.strip())[:600]
        return ""

    def close(self) -> None:
        """End all of them. Safe to call twice."""
        with self._lock:
            running, self._running = self._running, []
        for process in running:
            process.terminate()
        for process in running:
            process.wait()
        self._said.close()


class SshClient(docker.APIClient):
    """The SDK's client over such connections; nothing is asked yet. Raises NoEngine."""

    def __init__(self, address: str, version: str, timeout_s: int) -> None:
        self._dialling = Dialling(address)
        # an address that it takes for a plain one: its adapter is replaced before it is used
        super().__init__(base_url="unix://", version=version, timeout=timeout_s)
        self._custom_adapter = _Adapter(self._dialling, timeout_s)
        self.mount("http+docker://", self._custom_adapter)

    def words(self) -> str:
        """What ssh said last."""
        return self._dialling.words()

    def close(self) -> None:
        super().close()
        self._dialling.close()


class _Adapter(BaseHTTPAdapter):
    def __init__(self, dialling: Dialling, timeout_s: float) -> None:
        self._pool = _Pool(dialling, timeout_s)
        super().__init__()

    def get_connection(self, url: object, proxies: object = None) -> _Pool:
        return self._pool

    def request_url(self, request: Any, proxies: object) -> str:
        """There is no proxy on this way, and no host to choose one by."""
        return str(request.path_url)

    def close(self) -> None:
        super().close()
        self._pool.close()


class _Pool(urllib3.HTTPConnectionPool):
    def __init__(self, dialling: Dialling, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s, maxsize=10)
        self._dialling = dialling

    def _new_conn(self) -> _Connection:
        return _Connection(self._dialling, self.timeout.connect_timeout)


class _Connection(HTTPConnection):
    def __init__(self, dialling: Dialling, timeout_s: Any) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._dialling = dialling

    def connect(self) -> None:
        self.sock = self._dialling.dial()
        self.sock.settimeout(self.timeout)


def by_hand(address: str) -> str:
    """What a person writes after `ssh` to get to the same host."""
    parts = urlsplit(address)
    user = f"{unquote(parts.username)}@" if parts.username else ""
    return f"-p {parts.port} {user}{parts.hostname}" if parts.port else f"{user}{parts.hostname}"


def _options() -> list[str]:
    """It may ask nobody: a question would hang where nobody sees it, or be drawn over the screen."""
    named = {"BatchMode": "yes", "ConnectTimeout": _REACH_S, "ServerAliveInterval": _SILENT_S, "LogLevel": "ERROR"}
    options = ["-T", "-x", "-a", *(word for name, value in named.items() for word in ("-o", f"{name}={value}"))]
    shared = _control_path()
    return [*options, "-o", "ControlMaster=auto", "-o", "ControlPersist=no", "-S", shared or "none"]


def _control_path() -> str:
    """A name for the socket of this client's shared connection, in a folder that is this user's own; empty for none.

    ssh removes it when the connection ends.
    """
    folders = (os.environ.get("XDG_RUNTIME_DIR", ""), str(Path.home() / ".ssh"))
    folder = next((each for each in folders if each and os.access(each, os.W_OK | os.X_OK)), "")
    path = f"{folder}/belljar-{os.getpid()}-{next(_numbers)}"
    return path if folder and len(path.encode()) <= _PATH_BYTES else ""


def _destination(address: str) -> list[str]:
    """ssh's words for `ssh://[user@]host[:port][/path of the engine's socket]`."""
    try:
        parts = urlsplit(address)
        host, port, user = parts.hostname, parts.port, parts.username
    except ValueError:
        host = port = user = None
    if not host or parts.password or parts.query or parts.fragment:
        raise NoEngine(
            f"{address} is no address of an engine.",
            "A password cannot be part of it." if host and parts.password else "",
            "Write it like ssh://user@host or ssh://user@host:2222",
        )
    where = ["-l", unquote(user)] if user else []
    where += ["-p", str(port)] if port else []
    socket_there = unquote(parts.path).rstrip("/")
    at = f" --host {shlex.quote('unix://' + socket_there)}" if socket_there else ""
    return [*where, "--", host, f"docker{at} system dial-stdio"]
