"""Makes calls of every kind from many short-lived processes: `python recall_calls.py WAVES PROCESSES`.

One JSON line for each process, `{"pid": 7, "process": "caller-3", "calls": {"tcp://auth.lab:9000": 10}}`, then `done`.
What is open and what is cut says `recall`.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import json
import os
import select
import signal
import socket
import struct
import sys
import threading
from collections import Counter
from typing import Any

BURST, FEW = 50, 10
UPDATES4, UPDATES6 = "10.77.1.44", "fd77:1::44"
_PR_SET_NAME = 15


class Caller:
    """One process's calls, counted as they are made."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []

    def tcp(self, host: str, port: int, family: int = socket.AF_UNSPEC) -> None:
        """Connect, wait for what comes of it, and close."""
        kind, _, _, _, address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as out, contextlib.suppress(OSError):
            self._count(f"tcp://{_shown(host)}:{port}")
            out.connect(address)

    def burst(self, host: str, port: int, count: int, wait_s: float) -> None:
        """So many connections at once, none waited for until all are under way."""
        kind, _, _, _, address = socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_STREAM)[0]
        waiting = select.poll()
        sockets = [socket.socket(kind, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) for _ in range(count)]
        for out in sockets:
            self._count(f"tcp://{host}:{port}")
            if out.connect_ex(address) == errno.EINPROGRESS:
                waiting.register(out, select.POLLOUT)
        left = count
        while left and (ready := waiting.poll(wait_s * 1000)):
            for number, _ in ready:
                waiting.unregister(number)
                left -= 1
        for out in sockets:
            out.close()

    def threads(self, host: str, port: int, count: int) -> None:
        """Connections from threads of this process."""
        made = [threading.Thread(target=self.tcp, args=(host, port)) for _ in range(count)]
        for thread in made:
            thread.start()
        for thread in made:
            thread.join()

    def dropped(self, host: str, port: int) -> None:
        """Datagrams of one connected socket that get nowhere: each is a call, for none begins a flow."""
        out = self._kept(socket.SOCK_DGRAM)
        out.connect(socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0][4])
        for _ in range(FEW):
            with contextlib.suppress(ConnectionRefusedError):  # what came of the one before is told instead of sent
                out.send(b"x")
                self._count(f"udp://{host}:{port}")

    def asked(self, host: str, port: int) -> None:
        """Requests of one unconnected socket, each answered: one flow, one call."""
        out = self._kept(socket.SOCK_DGRAM)
        self._count(f"udp://{host}:{port}")
        self._exchange(
            out, socket.getaddrinfo(host, port, socket.AF_INET, socket.SOCK_DGRAM)[0][4], b"\x1b" + bytes(47)
        )

    def pings(self, host: str) -> None:
        """Echo requests of one socket, likewise."""
        out = self._kept(socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
        self._count(f"icmp://{host}")
        address = socket.getaddrinfo(host, 0, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
        self._exchange(out, address, struct.pack(">BBHHH", 8, 0, 0, 0, 1))

    def _exchange(self, out: socket.socket, address: tuple[Any, ...], words: bytes) -> None:
        for _ in range(FEW):
            out.sendto(words, address)
            out.recv(512)

    def _kept(self, kind: int, protocol: int = 0) -> socket.socket:
        """A socket that lives as long as its process: nobody waits for a datagram, so whose it was can be said while
        its socket lives."""
        out = socket.socket(socket.AF_INET, kind, protocol)
        out.settimeout(10)
        self._sockets.append(out)
        return out

    def _count(self, dependency: str) -> None:
        with self._lock:
            self.calls[dependency] += 1


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def call(number: int) -> None:
    """All kinds, in a process of its own."""
    caller = Caller()
    name = f"caller-{number}"
    ctypes.CDLL(None).prctl(_PR_SET_NAME, name.encode(), 0, 0, 0)
    caller.dropped("metrics.lab", 8125)
    caller.asked("time.lab", 123)
    caller.pings("config.lab")
    for _ in range(FEW):
        caller.tcp("auth.lab", 9000)
        caller.tcp("orders-db.lab", 5432)
    caller.burst("recs.lab", 8081, BURST, 5)
    caller.burst("pay-b.lab", 7000, FEW, 0.2)
    caller.tcp("pay-a.lab", 7000)
    caller.tcp(UPDATES4, 443)
    caller.tcp(UPDATES6, 443, socket.AF_INET6)
    caller.threads("cache.lab", 6379, FEW)
    line = json.dumps({"pid": os.getpid(), "process": name, "calls": caller.calls}) + "\n"
    os.write(1, line.encode())


def main() -> None:
    waves, processes = int(sys.argv[1]), int(sys.argv[2])
    for wave in range(waves):
        children = []
        for index in range(processes):
            pid = os.fork()
            if pid == 0:
                call(wave * processes + index)
                os._exit(0)
            children.append(pid)
        for pid in children:
            os.waitpid(pid, 0)
    os.write(1, b"done\n")
    signal.pause()


if __name__ == "__main__":
    main()
