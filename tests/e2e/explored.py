"""The explorer on a pseudo-terminal of ours: every byte it writes, the terminal's settings, and keys."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
from jarred import BELLJAR, DEADLINE_S, family_of


class Explored:
    """A `belljar demo` that is healthy."""

    def __init__(self, process: subprocess.Popen[bytes], ours: int, theirs: int) -> None:
        self.process = process
        self.before: list[object] = termios.tcgetattr(theirs)
        """The terminal's settings before it was touched."""
        self.written = b""
        self.family: list[psutil.Process] = []
        self._ours, self._theirs = ours, theirs

    @property
    def app(self) -> psutil.Process:
        return next(p for p in self.family if "belljar_tui" in p.cmdline())

    @property
    def last(self) -> bytes:
        """What was written once the terminal's own screen was back."""
        return self.written.rpartition(b"\x1b[?1049l")[2]

    def reads_until(self, is_enough: Callable[[], object]) -> None:
        end = time.monotonic() + DEADLINE_S
        while not is_enough():
            assert time.monotonic() < end, self.written[-2000:]
            self._read(0.05)

    def says(self, *words: bytes) -> None:
        """Wait until it has written all of these since it began."""
        self.reads_until(lambda: all(each in self.written for each in words))

    def ends(self) -> int:
        """Wait until it has ended; the exit code."""
        self.reads_until(lambda: self.process.poll() is not None)
        while self._read(0.2):
            pass
        return self.process.returncode

    def types(self, keys: bytes) -> None:
        os.write(self._ours, keys)

    def pastes_until_it_ends(self) -> None:
        """Into a note, more than there is memory for."""
        self.types(b"n\x1b[200~")
        end = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < end:
            self._read(0)
            if select.select([], [self._ours], [], 0.05)[1]:
                self.types(b"x" * 500)  # a select promises no more

    def settings(self) -> list[object]:
        return termios.tcgetattr(self._theirs)

    def _read(self, wait_s: float) -> bool:
        if not select.select([self._ours], [], [], wait_s)[0]:
            return False
        self.written += os.read(self._ours, 1 << 16)
        return True


@contextmanager
def explored(state_home: Path, through: tuple[str, ...] = ()) -> Iterator[Explored]:
    """`through`: words that come before the command's own, and end in executing it."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 120, 0, 0))
    settings = termios.tcgetattr(theirs)
    environment = {**os.environ, "XDG_STATE_HOME": str(state_home), "TERM": "xterm-256color"}
    command = [*through, *BELLJAR, "demo"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as process:
        try:
            explorer = Explored(process, ours, theirs)
            explorer.before = settings
            explorer.says(b"healthy", b"orders-db")
            explorer.family = family_of(process.pid)
            yield explorer
        finally:
            process.kill()
            os.close(ours)
            os.close(theirs)
