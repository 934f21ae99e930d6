"""The name that the first bytes of a flow claim to call: TLS's server name, HTTP/1's Host. Pure, for hostile bytes.

Sources: RFC 8446 (ClientHello), RFC 6066 (server_name), RFC 9849 (encrypted ClientHello), RFC 9112 (HTTP/1.1).
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from belljar_tui.core.host_name import host_name

MOST_BYTES = 16 << 10
"""What is looked at of a flow. Longer heads say nothing: with every key share of today a ClientHello is below 4 KiB."""


class Source(StrEnum):
    TLS = "tls"
    HTTP = "http"


class Claimed(msgspec.Struct, frozen=True):
    name: str
    source: Source


class Unsaid(StrEnum):
    """Why there is no name."""

    MORE = "more"
    """What is there may be the beginning of one that says it."""
    NONE = "none"
    """Nothing that follows will say it."""


def claimed_name(data: bytes) -> Claimed | Unsaid:
    """What the first bytes that a caller sent say of whom it calls."""
    if not data:
        return Unsaid.MORE
    found = _in_tls(data) if data[0] == _HANDSHAKE else _in_http(data)
    return Unsaid.NONE if found is Unsaid.MORE and len(data) >= MOST_BYTES else found


_HANDSHAKE, _CLIENT_HELLO = 22, 1
_RECORD_AT_MOST = 1 << 14
_SERVER_NAME, _HOST_NAME, _ENCRYPTED_HELLO = 0, 0, 0xFE0D


class _Reader:
    """Reads a run of bytes from its front. What is not there ends it: _Short."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def is_at_end(self) -> bool:
        return self._at >= len(self._data)

    def take(self, count: int) -> bytes:
        if self._at + count > len(self._data):
            raise _Short
        self._at += count
        return self._data[self._at - count : self._at]

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "big")

    def vector(self, size: int) -> bytes:
        """Bytes that are preceded by their number, itself `size` bytes."""
        return self.take(self.number(size))


class _Short(Exception):
    """The bytes end before what they announce."""


def _in_tls(data: bytes) -> Claimed | Unsaid:
    """A ClientHello may lie in several records, and a flow may carry less than all of it so far."""
    records, handshake = _Reader(data), b""
    while not records.is_at_end:
        try:
            if records.number(1) != _HANDSHAKE or records.number(1) != 3:
                return Unsaid.NONE
            records.take(1)
            length = records.number(2)
            if not 0 < length <= _RECORD_AT_MOST:
                return Unsaid.NONE
            handshake += records.take(length)
        except _Short:
            return Unsaid.MORE
        if handshake[0] != _CLIENT_HELLO:
            return Unsaid.NONE
        if len(handshake) >= 4 and len(handshake) >= 4 + int.from_bytes(handshake[1:4], "big"):
            return _in_hello(handshake[4 : 4 + int.from_bytes(handshake[1:4], "big")])
    return Unsaid.MORE


def _in_hello(hello: bytes) -> Claimed | Unsaid:
    """A hello that hides its name says another one in its place: nothing is said then."""
    name = ""
    try:
        reader = _Reader(hello)
        reader.take(2 + 32)  # version, random
        reader.vector(1)  # session
        reader.vector(2)  # ciphers
        reader.vector(1)  # compressions
        extensions = _Reader(reader.vector(2))
        while not extensions.is_at_end:
            kind, content = extensions.number(2), extensions.vector(2)
            if kind == _ENCRYPTED_HELLO:
                return Unsaid.NONE
            if kind == _SERVER_NAME:
                name = _server_name(content)
    except _Short:
        return Unsaid.NONE
    return Claimed(name, Source.TLS) if name else Unsaid.NONE


def _server_name(content: bytes) -> str:
    names = _Reader(_Reader(content).vector(2))
    while not names.is_at_end:
        kind, value = names.number(1), names.vector(2)
        if kind == _HOST_NAME:
            return host_name(value.decode("ascii", "replace"))
    return ""


_LONGEST_METHOD = 20
_REQUEST = re.compile(rb"[A-Z]{1,20} /[\x21-\x7e]{0,8192} HTTP/1\.[01]\r?")
"""A request to whoever answers. One through a proxy (an absolute address, or CONNECT) names somebody else."""
_BEGINS_LIKE_ONE = re.compile(rb"[A-Z]{1,20}(?: (?:/[\x21-\x7e]{0,8192}(?: [HTP/1.0]{0,8}\r?)?)?)?")
_HOST = re.compile(rb"^host:[ \t]*([\x21-\x7e]{1,260})[ \t]*$", re.IGNORECASE | re.MULTILINE)
_PORT = re.compile(r":[0-9]{0,5}$")


def _in_http(data: bytes) -> Claimed | Unsaid:
    first, ended, _ = data.partition(b"\n")
    if not (_REQUEST if ended else _BEGINS_LIKE_ONE).fullmatch(first):
        return Unsaid.NONE
    head, ended, _ = data.replace(b"\r\n", b"\n").partition(b"\n\n")
    found = _HOST.findall(head)
    if len(found) > 1 or (ended and not found):
        return Unsaid.NONE
    if not ended:
        return Unsaid.MORE
    name = host_name(_PORT.sub("", found[0].decode("ascii")))
    return Claimed(name, Source.HTTP) if name else Unsaid.NONE
