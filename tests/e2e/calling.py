"""A service: it answers http://localhost:8080, calls what is cut ten times a second, and prints what each call met.

A disk that takes no more of its output is nothing to it. On SIGUSR1 it takes memory without end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import socket
import time


def grow(*_: object) -> None:
    taken = []
    while True:
        taken.append(b"x" * (1 << 20))


def main() -> None:
    signal.signal(signal.SIGUSR1, grow)
    with socket.create_server(("127.0.0.1", 8080), backlog=1000) as listener:
        listener.setblocking(False)
        while True:
            with contextlib.suppress(OSError):
                asker = listener.accept()[0]
                asker.settimeout(0.2)
                asker.recv(4096)
                asker.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                asker.close()
            with socket.socket() as call:
                call.settimeout(1)
                met = call.connect_ex(("198.51.100.1", 9000))
            with contextlib.suppress(OSError):
                os.write(1, f"{errno.errorcode.get(met, met)}\n".encode())
            time.sleep(0.1)


if __name__ == "__main__":
    main()
