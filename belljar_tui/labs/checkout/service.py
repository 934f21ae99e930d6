"""The checkout service: `web` takes orders on port 8080, `updater` asks an address that nobody wrote down.

It is written as services are: some calls pooled and some not, some with a timeout, and the cache without one.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.client
import http.server
import os
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable

_PR_SET_NAME = 15
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)
_TIMEOUT_S = 1.0
_UPDATES = ("10.77.1.44", 443)


class Unavailable(Exception):
    """A dependency failed; the message names it as an operator would read it."""


def http_get(host: str, port: int, path: str, timeout_s: float = _TIMEOUT_S) -> bytes:
    """One request on a connection of its own."""
    try:
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        raise Unavailable(f"{host}: {_words(error)}") from error


class Pool:
    """One pooled connection that speaks lines; opened again after a failure."""

    def __init__(self, host: str, port: int, timeout_s: float | None) -> None:
        self._address = (host, port)
        self._timeout_s = timeout_s
        self._connection: socket.socket | None = None
        self._lock = threading.Lock()

    def ask(self, line: str) -> str:
        """Send a line, return the answer. Raises Unavailable."""
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = socket.create_connection(self._address, self._timeout_s)
                self._connection.sendall(line.encode() + b"\n")
                answer = self._connection.recv(4096)
                if not answer:
                    raise ConnectionResetError(104, "connection closed")
            except OSError as error:
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                raise Unavailable(f"{self._address[0]}: {_words(error)}") from error
            return answer.decode()


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

    def ready(self) -> None:
        """Raises Unavailable with what is missing."""
        if not self.is_configured.is_set():
            raise Unavailable("config.lab: settings not loaded yet")
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
        """Through the first payment provider, or else the second."""
        try:
            http_get("pay-a.lab", 7000, path)
        except Unavailable:
            http_get("pay-b.lab", 7000, path)

    def remember(self, line: str) -> None:
        """The cache may be gone; that it may be silent did not occur to anybody."""
        try:
            self.cache.ask(line)
        except Unavailable:
            return

    def configure(self) -> None:
        """Load the settings; without them there is no service."""
        while not self.is_configured.is_set():
            try:
                http_get("config.lab", 8500, "/v1/checkout")
            except Unavailable:
                time.sleep(0.5)
                continue
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
    """Take a short name that tools show."""
    _libc.prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)


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
    every(0.2, checkout.configure)
    every(0.5, lambda: checkout.pay("/health"))
    every(0.5, lambda: http_get("pay-b.lab", 7000, "/health"))
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
    if os.fork() == 0:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        updater()
    web()


if __name__ == "__main__":
    main()
