"""Health checks as written on the command line and in profiles."""

from __future__ import annotations

from urllib.parse import urlsplit

import msgspec

from belljar_tui.errors import BadCheck

HTTP, TCP, EXEC = "http", "tcp", "exec"


class Check(msgspec.Struct, frozen=True):
    """One probe. `str()` gives it back as it was written."""

    text: str
    kind: str
    """`http`, `tcp` or `exec`."""
    host: str = ""
    port: int = 0
    path: str = ""
    command: str = ""

    def __str__(self) -> str:
        return self.text


def parse_check(text: str) -> Check:
    """Read `http://localhost:8080/ready`, `tcp://localhost:5432` or `exec:COMMAND`.

    Raises:
        BadCheck: the text is none of these; the message says why.
    """
    if text.startswith("exec:"):
        command = text.removeprefix("exec:").strip()
        if not command:
            raise BadCheck(text, "the command is missing")
        return Check(text, EXEC, command=command)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadCheck(text, "the port is not a number from 1 to 65535") from error
    if parts.scheme not in (HTTP, TCP):
        raise BadCheck(text, "it starts with none of http:// tcp:// exec:")
    if not parts.hostname:
        raise BadCheck(text, "the host is missing")
    if port == 0 or (parts.scheme == TCP and port is None):
        raise BadCheck(text, "the port is missing" if port is None else "the port is not a number from 1 to 65535")
    if parts.scheme == TCP:
        if parts.path not in ("", "/"):
            raise BadCheck(text, "tcp:// takes a host and a port, no path")
        return Check(text, TCP, parts.hostname, port or 0)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Check(text, HTTP, parts.hostname, port or 80, path)
