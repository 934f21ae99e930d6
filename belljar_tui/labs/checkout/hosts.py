"""The dependencies of the checkout lab."""

from __future__ import annotations

import struct
import time

from belljar_tui.labs.hosts import Serve, serve_datagrams, serve_http, serve_lines

_NTP_EPOCH = 2_208_988_800


def orders_db(line: str) -> str:
    """Takes `INSERT` and `SELECT`, answers as a database would: with a tag or rows."""
    match line.partition(" ")[0]:
        case "INSERT":
            return "INSERT 0 1"
        case "SELECT":
            return "1 row"
        case _:
            return "ERROR syntax"


class Cache:
    """`SET key value` is stored, `GET key` finds it or not."""

    def __init__(self) -> None:
        self._values: dict[str, str] = {}

    def answer(self, line: str) -> str:
        command, _, rest = line.partition(" ")
        key, _, value = rest.partition(" ")
        match command:
            case "SET":
                self._values[key] = value
                return "STORED"
            case "GET":
                return f"VALUE {self._values[key]}" if key in self._values else "MISS"
            case _:
                return "ERROR unknown command"


def auth(path: str) -> object:
    """A token's check."""
    return {"path": path, "user": "ada", "ok": True, "expires": int(time.time()) + 300}


def config(path: str) -> object:
    """The service's settings."""
    return {"path": path, "currency": "EUR", "page": 25, "features": ["recommendations"]}


def payment(path: str) -> object:
    return {"path": path, "authorised": True}


def recommendations(path: str) -> object:
    return {"path": path, "items": [{"id": n, "title": f"item {n}"} for n in range(12)]}


def updates(path: str) -> object:
    return {"path": path, "latest": "2.4.1"}


def ntp(query: bytes) -> bytes:
    """A server's reply (RFC 5905, mode 4): the fields a simple client reads."""
    if len(query) < 48:
        return b""
    now = struct.pack(">II", int(time.time()) + _NTP_EPOCH, 0)
    return bytes([0x24, 2, 6, 0xEC]) + bytes(8) + b"LAB\0" + now + query[40:48] + now + now


def nothing(_: bytes) -> bytes:
    """Metrics are taken and not answered."""
    return b""


HOSTS: dict[str, Serve] = {
    "orders-db.lab": serve_lines(5432, orders_db),
    "auth.lab": serve_http(9000, auth),
    "config.lab": serve_http(8500, config),
    "pay-a.lab": serve_http(7000, payment),
    "pay-b.lab": serve_http(7000, payment),
    "cache.lab": serve_lines(6379, Cache().answer),
    "recs.lab": serve_http(8081, recommendations),
    "time.lab": serve_datagrams(123, ntp),
    "metrics.lab": serve_datagrams(8125, nothing),
    "updates": serve_http(443, updates),
}
