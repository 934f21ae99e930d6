"""The pool service: `web` serves on port 8080, `leased` fetches a licence from an address that nobody wrote down.

Every call of `web` takes one of four workers, and reports have no timeout: one slow dependency takes them all. Stock is
asked over connections that are kept, mail over a new one each time. What is wrong is not said.
"""

from __future__ import annotations

import contextlib
import ctypes
import http.server
import mmap
import os
import signal
import threading
import time
from collections.abc import Iterator

from belljar_tui.labs.checkout.service import Pool, Unavailable, become, every

_PR_SET_PDEATHSIG = 1
_WORKERS = 4
_WAIT_S = 0.4
"""For a free worker."""
_LICENCE = ("10.77.1.66", 5555)
_READERS = 6
"""More of them than workers: where each takes long, nobody else gets one."""


class Shop:
    """What the web process does, and what it needs for it."""

    def __init__(self, lease: mmap.mmap) -> None:
        self._lease = lease
        self._workers = threading.BoundedSemaphore(_WORKERS)
        self._stock = Pool("stock-db.lab", 5432, 1.0)

    def ready(self) -> None:
        """Raises Unavailable."""
        if not self._lease[0]:
            raise Unavailable("error 17")
        with self._worker():
            self._stock.ask("SELECT 1")
        with self._worker():
            Pool("mail.lab", 2525, 1.0).ask("NOOP")

    def report(self) -> None:
        """Nobody minds a report that fails; that one may take for ever did not occur to anybody."""
        with self._worker():
            Pool("reports.lab", 8083, None).ask("today")

    @contextlib.contextmanager
    def _worker(self) -> Iterator[None]:
        if not self._workers.acquire(timeout=_WAIT_S):
            raise Unavailable("busy")
        try:
            yield
        finally:
            self._workers.release()


def leased(lease: mmap.mmap) -> None:
    """Ask for the licence until there is one; then it holds for an hour."""
    become("leased")
    while True:
        with contextlib.suppress(Unavailable):
            Pool(*_LICENCE, 1.0).ask("LEASE")
            lease[0] = 1
            time.sleep(3600)
        time.sleep(0.5)


def web(lease: mmap.mmap) -> None:
    """Serve until killed."""
    become("web")
    shop = Shop(lease)

    class Requests(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name the standard library calls
            code, words = 200, b"ready\n"
            try:
                shop.ready()
            except Unavailable:
                code, words = 503, b"not ready\n"
            with contextlib.suppress(OSError):  # the caller did not wait
                self.send_response(code)
                self.send_header("Content-Length", str(len(words)))
                self.end_headers()
                self.wfile.write(words)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # as the standard library has it
            return

    server = http.server.ThreadingHTTPServer(("", 8080), Requests)
    for _ in range(_READERS):
        every(0.2, shop.report)
    server.serve_forever()


def main() -> None:
    """Fork what fetches the licence, then serve."""
    lease = mmap.mmap(-1, 1)  # shared with the child
    parent = os.getpid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() == parent:  # or it died before we asked to die with it
            leased(lease)
        return
    web(lease)


if __name__ == "__main__":
    main()
