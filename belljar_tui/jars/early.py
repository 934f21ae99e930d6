"""The agent's container begun before the engine's SDK is loaded: that takes longer than the engine's first answers.

Only of an engine at a socket of this machine, and only where everything goes as it should. Whoever gets no early agent
asks in the usual way (`beginning`), which has the words for whatever is the matter.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import Any, Self

import msgspec

from belljar_tui.errors import BellJarError
from belljar_tui.jars import contexts
from belljar_tui.jars.labels import AGENT_IMAGE
from belljar_tui.jars.plan import Json, Plan, agent_config

_UNIX = "unix://"
_HERE = "/var/run/docker.sock"
_ANSWER_S, _START_S = 5.0, 120.0
_UPGRADE = "Connection: Upgrade\r\nUpgrade: tcp\r\n"
_STREAMS = "stdin=1&stdout=1&stderr=1&stream=1"

_NOTHING = (OSError, ValueError, LookupError, msgspec.MsgspecError)
"""No answer, or one that says no, or none that can be read."""


class EarlyAgent:
    """A container that is made, attached, and told to start.

    Args:
        path: of the engine's socket.
        container: its id.
        streams: its stdin, stdout and stderr.
        starting: where the engine will say that it has started.
    """

    def __init__(self, path: str, container: str, streams: socket.socket, starting: socket.socket) -> None:
        self._path = path
        self.container = container
        self.streams = streams
        self._starting = starting

    @classmethod
    def begin(cls, plan: Plan, session: str) -> Self | None:
        """None where it has to be begun in the usual way. Leaves nothing behind then. Blocks for two answers."""
        path = _socket_path()
        if not path:
            return None
        container = ""
        try:
            made = _asked(path, "POST", "/containers/create", agent_config(plan, AGENT_IMAGE, session))
            container = str(made["Id"])
            for network in plan.networks[1:]:
                end = {"Aliases": list(plan.aliases)} if plan.aliases else {}
                _asked(path, "POST", f"/networks/{network}/connect", {"Container": container, "EndpointConfig": end})
            streams = _sent(path, "POST", f"/containers/{container}/attach?{_STREAMS}", more=_UPGRADE)
            _status(_head(streams))
            streams.settimeout(None)
            starting = _sent(path, "POST", f"/containers/{container}/start", limit_s=_START_S)
            return cls(path, container, streams, starting)
        except BaseException as error:  # a person's Ctrl-C, too
            if container:
                _remove(path, container)
            if isinstance(error, _NOTHING):
                return None
            raise

    def has_started(self) -> bool:
        """Whether the engine could start it. Blocks until it has said so; to be asked once."""
        with self._starting, contextlib.suppress(*_NOTHING):
            _status(_head(self._starting))
            return True
        return False

    def dismiss(self) -> None:
        """Leave nothing behind. Blocks. Not for one that a jar has taken over."""
        self._starting.close()
        self.streams.close()
        _remove(self._path, self.container)


def _socket_path() -> str:
    """Of an engine at a socket of this machine; empty where it is none, or that cannot be told."""
    try:
        address = os.environ.get("DOCKER_HOST") or contexts.settings().get("base_url") or _UNIX + _HERE
    except BellJarError:
        return ""
    return address.removeprefix(_UNIX) if address.startswith(_UNIX) else ""


def _remove(path: str, container: str) -> None:
    with contextlib.suppress(*_NOTHING):
        _asked(path, "DELETE", f"/containers/{container}?force=1&v=1")


def _asked(path: str, method: str, what: str, body: Json | None = None) -> Json:
    """What the engine answers. Raises OSError or ValueError where it does not, or says no."""
    with _sent(path, method, what, body) as asking:
        head = _head(asking)
        _status(head)
        said = b""
        while more := asking.recv(1 << 16):
            said += more
    answer: Any = msgspec.json.decode(said) if said else {}
    return dict(answer)


def _sent(
    path: str, method: str, what: str, body: Json | None = None, *, more: str = "", limit_s: float = _ANSWER_S
) -> socket.socket:
    """The connection that the answer will come on, and with it its end: HTTP/1.0, but where it is to go on for ever."""
    content = msgspec.json.encode(body) if body is not None else b""
    version = "1.1" if more else "1.0"
    head = f"{method} {what} HTTP/{version}\r\nHost: docker\r\nContent-Type: application/json\r\n{more}"
    asking = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        asking.settimeout(limit_s)
        asking.connect(path)
        asking.sendall(f"{head}Content-Length: {len(content)}\r\n\r\n".encode() + content)
    except BaseException:
        asking.close()
        raise
    return asking


def _head(asking: socket.socket) -> bytes:
    """The answer's head and not a byte more: what comes after it on an attached connection is the container's."""
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        byte = asking.recv(1)
        if not byte:
            raise ValueError("the engine hung up")
        head += byte
    return head


def _status(head: bytes) -> None:
    """Raises ValueError unless the engine agrees."""
    if int(head.split(maxsplit=2)[1]) >= 300:
        raise ValueError(head.decode(errors="replace"))
