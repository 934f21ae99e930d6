"""A socket before the engine's, which can be lost and come back: an engine killed and started, to who is connected. Or
it passes nothing on for a while, and ends nothing: a network that breaks off.

To an engine that is lost they have gone, as with one that lost its clients; containers and shims it keeps.
"""

from __future__ import annotations

import contextlib
import os
import socket
import socketserver
import threading
from pathlib import Path


class Relay:
    """Between `path` and the engine that DOCKER_HOST names; there from the start."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
        self._open: set[socket.socket] = set()
        self._server: socketserver.ThreadingUnixStreamServer | None = None
        self._is_passing = threading.Event()
        self._is_passing.set()
        self.come_back()

    def come_back(self) -> None:
        relay = self

        class Connection(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.socket(socket.AF_UNIX) as there, contextlib.suppress(OSError):
                    there.connect(relay._engine)
                    relay._open |= {self.request, there}
                    back = threading.Thread(target=relay._copy, args=(there, self.request), daemon=True)
                    back.start()
                    relay._copy(self.request, there)
                    back.join()

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True
            request_queue_size = 64

        self._server = Server(str(self._path), Connection)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def break_off(self) -> None:
        """Whoever is connected, or connects, is not told, and no byte gets to the other side."""
        self._is_passing.clear()

    def mend(self) -> None:
        """All that was said meanwhile arrives."""
        self._is_passing.set()

    def lose(self) -> None:
        """Nobody listens there any more, and every connection ends."""
        if self._server is not None:
            self._server.shutdown()
            self._server.socket.close()
            self._path.unlink()
            self._server = None
        for each in self._open:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._open.clear()
        self.mend()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                self._is_passing.wait()
                sink.sendall(data)
        self._is_passing.wait()  # an end is told no sooner than a byte
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
