"""The checkout service: `web` takes orders on port 8080, `updater` asks an address that nobody wrote down.

It is written as services are: some calls pooled and some not, some with a timeout, and the cache without one.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import http.client
import http.server
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

_PR_SET_NAME = 15
_PR_SET_PDEATHSIG = 1
_ARGUMENTS_START = 45
"""Fields of /proc/self/stat after the name (man 5 proc): where the argument strings begin, and after it, end."""
_libc = ctypes.CDLL(None)
_TIMEOUT_S = 1.0
_PAY_TIMEOUT_S = 0.6
"""Shorter: the second provider has to answer in the same request."""
_UPDATES = ("10.77.1.44", 443)


class Unavailable(Exception):
    """A dependency failed; the message names it as an operator would read it."""


def connect(host: str, port: int, timeout_s: float | None) -> socket.socket:
    """A connection made within `timeout_s` in all, however many addresses the name has. Raises OSError."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    failure = OSError("no address")
    for family, kind, protocol, _, address in found:
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(None if timeout_s is None else timeout_s / len(found))
            connection.connect(address)
            connection.settimeout(timeout_s)
            return connection
        except OSError as error:
            connection.close()
            failure = error
    raise failure


def http_get(host: str, port: int, path: str, timeout_s: float = _TIMEOUT_S) -> bytes:
    """One request on a connection of its own. Raises Unavailable."""
    connection = http.client.HTTPConnection(host, port)
    try:
        connection.sock = connect(host, port, timeout_s)
        connection.request("GET", path)
        return connection.getresponse().read()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{host}: {_words(error)}") from error
    finally:
        connection.close()


class Pool:
    """Connections that speak lines, kept for the next call. A call that finds none idle opens one.

    An idle connection may have died unseen, so a call that fails on one at once is made again on a fresh one.
    """

    def __init__(self, host: str, port: int, timeout_s: float | None) -> None:
        self._host = host
        self._port = port
        self._timeout_s = timeout_s
        self._idle: list[socket.socket] = []
        self._lock = threading.Lock()

    def ask(self, line: str) -> str:
        """Send a line, return the answer. Raises Unavailable."""
        try:
            idle = self._take()
            if idle is not None:
                try:
                    return self._talk(idle, line)
                except ConnectionError:
                    self._forget()
            return self._talk(connect(self._host, self._port, self._timeout_s), line)
        except OSError as error:
            raise Unavailable(f"{self._host}: {_words(error)}") from error

    def _talk(self, connection: socket.socket, line: str) -> str:
        try:
            connection.sendall(line.encode() + b"\n")
            answer = connection.recv(4096)
            if not answer:
                raise ConnectionResetError(errno.ECONNRESET, "closed without an answer")
        except OSError:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)
        return answer.decode(errors="replace").strip()

    def _take(self) -> socket.socket | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _forget(self) -> None:
        """Close what else is idle: it is as old as the one that just died."""
        with self._lock:
            dead, self._idle = self._idle, []
        for connection in dead:
            connection.close()


def _words(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timed out"
    if isinstance(error, socket.gaierror):
        return "name not resolved"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return str(error) or type(error).__name__


class Checkout:
    """What the web process does, and what it needs for it."""

    def __init__(self) -> None:
        self.orders = Pool("orders-db.lab", 5432, _TIMEOUT_S)
        self.cache = Pool("cache.lab", 6379, None)  # nobody thought of a timeout
        self.is_configured = threading.Event()
        self._missing = "config.lab: settings not loaded yet"

    def ready(self) -> None:
        """Raises Unavailable with what is missing."""
        if not self.is_configured.is_set():
            raise Unavailable(self._missing)
        self.orders.ask("SELECT 1")
        http_get("auth.lab", 9000, "/token/check")
        self.pay("/health")
        self.remember("GET ready")

    def order(self) -> None:
        """Place an order. Raises Unavailable."""
        self.ready()
        self.pay("/authorise")
        self.orders.ask("INSERT INTO orders VALUES (1)")
        self.remember("SET order 1")

    def pay(self, path: str) -> None:
        """Through the first payment provider, or else the second. Raises Unavailable when both fail."""
        try:
            http_get("pay-a.lab", 7000, path, _PAY_TIMEOUT_S)
        except Unavailable:
            http_get("pay-b.lab", 7000, path, _PAY_TIMEOUT_S)

    def remember(self, line: str) -> None:
        """The cache may be gone; that it may be silent did not occur to anybody."""
        with contextlib.suppress(Unavailable):
            self.cache.ask(line)

    def configure(self) -> None:
        """Load the settings, once: without them there is no service, with them nobody asks again."""
        if self.is_configured.is_set():
            return
        try:
            http_get("config.lab", 8500, "/v1/checkout")
        except Unavailable as error:
            self._missing = str(error)
            raise
        self.is_configured.set()


def ask_time() -> None:
    """How far our clock is off; nobody minds not knowing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as query:
        query.settimeout(_TIMEOUT_S)
        query.connect(("time.lab", 123))
        query.send(b"\x1b" + bytes(39) + struct.pack(">Q", time.time_ns()))
        query.recv(128)


class Metrics:
    """Sent and forgotten, from one socket, as statsd clients do."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)

    def count_up(self) -> None:
        self._socket.sendto(b"checkout.alive:1|c", ("metrics.lab", 8125))


def every(seconds: float, work: Callable[[], object]) -> None:
    """Do `work` again and again in a thread; its failures are its own."""

    def loop() -> None:
        while True:
            with contextlib.suppress(OSError, Unavailable):  # tolerated: that is the point of it
                work()
            time.sleep(seconds)

    threading.Thread(target=loop, daemon=True).start()


def become(name: str) -> None:
    """Take a short name that tools show, as the process's name and as its command line."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    fields = Path("/proc/self/stat").read_text().rpartition(")")[2].split()
    start, end = (int(field) for field in fields[_ARGUMENTS_START : _ARGUMENTS_START + 2])
    words = name.encode() + b"\0"
    if end - start >= len(words):  # 0 where the kernel hides them
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, words, len(words))


def web() -> None:
    """Serve until killed."""
    become("web")
    checkout = Checkout()

    class Requests(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name the standard library calls
            work = {"/ready": checkout.ready, "/order": checkout.order}.get(self.path)
            if work is None:
                return self._say(404, "there are /ready and /order")
            try:
                work()
            except Unavailable as error:
                return self._say(503, str(error))
            return self._say(200, "ready" if self.path == "/ready" else "ordered")

        def _say(self, code: int, words: str) -> None:
            body = f"{words}\n".encode()
            try:
                self.send_response(code)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
            except OSError:
                return  # the caller did not wait

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the standard library has it
            return

    server = http.server.ThreadingHTTPServer(("", 8080), Requests)
    every(0.3, checkout.configure)
    every(0.5, lambda: checkout.pay("/health"))
    every(0.9, lambda: http_get("pay-b.lab", 7000, "/health", _PAY_TIMEOUT_S))
    every(0.7, lambda: http_get("auth.lab", 9000, "/keys"))
    every(0.4, lambda: checkout.orders.ask("SELECT 1"))
    every(0.4, lambda: checkout.remember("GET basket"))
    every(1.0, lambda: http_get("recs.lab", 8081, "/recommend"))
    every(2.0, ask_time)
    every(1.0, Metrics().count_up)
    server.serve_forever()


def updater() -> None:
    """Ask for updates at an address that is in no document."""
    become("updater")
    while True:
        with contextlib.suppress(Unavailable):  # next time, then
            http_get(*_UPDATES, "/latest")
        time.sleep(2)


def main() -> None:
    """Fork the updater, then serve."""
    parent = os.getpid()
    if os.fork() == 0:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:  # or it died before we asked to die with it
            updater()
        return
    web()


if __name__ == "__main__":
    main()
