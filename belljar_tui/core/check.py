"""Health checks as written on the command line and in profiles. Running one is the agent's work."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

import msgspec

from belljar_tui.errors import BadCheck

HTTP, TCP, EXEC, IMAGE = "http", "tcp", "exec", "image"
IMAGE_CHECK = "image:healthcheck"
"""The container image's own HEALTHCHECK, as the engine runs it."""
HTTP_PORT = 80


class Check(msgspec.Struct, frozen=True):
    """One probe of the service, from inside the jar. `str()` gives it back as it was written."""

    text: str
    kind: str
    """`http`, `tcp`, `exec` or `image`."""
    host: str = ""
    """A name or an address, without brackets; empty for `exec`."""
    port: int = 0
    """0 for `exec`."""
    path: str = ""
    """What to ask an HTTP server for, query included: `/ready?full=1`."""
    command: str = ""
    """`exec`: a command line; exit code 0 passes."""

    def __str__(self) -> str:
        return self.text


def parse_check(text: str) -> Check:
    """Read `http://localhost:8080/ready`, `tcp://localhost:5432` or `exec:COMMAND`.

    Raises:
        BadCheck: the text is none of these; the message says why.
    """
    if "\0" in text:
        raise BadCheck(text, "it has a NUL character")
    scheme, colon, rest = text.partition(":")
    match scheme.lower():
        case "exec" if colon:
            return _exec(text, rest)
        case "http" if rest.startswith("//"):
            return _http(text)
        case "tcp" if rest.startswith("//"):
            return _tcp(text)
        case "image" if text == IMAGE_CHECK:
            return Check(text, IMAGE)
        case "https":
            raise BadCheck(text, "https is not supported yet; use exec:, for example exec:curl -fsk URL")
        case _:
            raise BadCheck(text, "it starts with none of http:// tcp:// exec:")


def _exec(text: str, command: str) -> Check:
    if not command.strip():
        raise BadCheck(text, "the command is missing")
    return Check(text, EXEC, command=command.strip())


def _http(text: str) -> Check:
    parts = _parts(text)
    port = _port(text, parts)
    query = f"?{parts.query}" if parts.query else ""
    return Check(text, HTTP, _host(text, parts), HTTP_PORT if port is None else port, (parts.path or "/") + query)


def _tcp(text: str) -> Check:
    parts = _parts(text)
    if parts.path.strip("/") or parts.query:
        raise BadCheck(text, "tcp:// takes a host and a port, no path")
    port = _port(text, parts)
    if port is None:
        raise BadCheck(text, "the port is missing")
    return Check(text, TCP, _host(text, parts), port)


def _parts(text: str) -> SplitResult:
    # urlsplit drops line ends and tabs without a word, so they must be met before it.
    if any(c.isspace() or not c.isprintable() or not c.isascii() for c in text):
        raise BadCheck(text, "it has a space or a character no address has")
    try:
        return urlsplit(text)
    except ValueError as error:
        raise BadCheck(text, f"the address is not one ({error})") from error


def _host(text: str, parts: SplitResult) -> str:
    if "@" in parts.netloc:
        raise BadCheck(text, "a user or password cannot be part of it")
    host = parts.hostname
    if not host or any(c in '"<>\\^`{|}%' for c in host):
        raise BadCheck(text, "the host is missing or has a character no host has")
    return host


def _port(text: str, parts: SplitResult) -> int | None:
    _, bracket, tail = parts.netloc.rpartition("@")[2].rpartition("]")
    _, colon, digits = (tail if bracket else parts.netloc.rpartition("@")[2]).partition(":")
    if not colon:
        return None
    if not (digits.isdigit() and len(digits) <= 5 and 1 <= int(digits) <= 65535):
        raise BadCheck(text, f"the port {digits!r} is not a number from 1 to 65535")
    return int(digits)
