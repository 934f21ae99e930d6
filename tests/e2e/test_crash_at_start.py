"""The same at any moment of the start, where half a jar stands: nothing is left."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import termios
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from jarred import BELLJAR, all_gone, mounts

pytestmark = pytest.mark.kernel
MOMENTS = ("the first process", "the world", "the agent", "the service")
"""How far the start has come: so many generations of processes below the app."""


class Explorer:
    """`belljar demo` on a terminal of its own."""

    def __init__(self, state_home: Path) -> None:
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            environment = {**os.environ, "XDG_STATE_HOME": str(state_home), "TERM": "xterm-256color"}
            os.execve(BELLJAR[0], [*BELLJAR, "demo"], environment)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        os.set_blocking(self.terminal, False)

    def family(self) -> list[psutil.Process]:
        top = psutil.Process(self.pid)
        return [top, *top.children(recursive=True)]

    def has_family_of(self, count: int) -> list[psutil.Process]:
        """Wait for so many processes; the screen is read meanwhile, or it would stand still."""
        end = time.monotonic() + 20
        while len(family := self.family()) < count:
            assert time.monotonic() < end, family
            self.read()
        return family

    def read(self) -> None:
        try:
            os.read(self.terminal, 1 << 16)
        except OSError:
            time.sleep(0.002)

    def close(self) -> None:
        if self.terminal >= 0:
            os.close(self.terminal)
            self.terminal = -1

    def ended(self) -> int:
        """Its exit code, as a shell's child; the screen is read until then."""
        end = time.monotonic() + 20
        while time.monotonic() < end:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status)
            if self.terminal >= 0:
                self.read()
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        raise AssertionError("it did not end")


ENDS: dict[str, Callable[[Explorer], object]] = {
    "ctrl+c": lambda e: os.write(e.terminal, b"\x03"),
    "a closed terminal": lambda e: e.close(),
    "kill -9": lambda e: os.kill(e.pid, signal.SIGKILL),
    "SIGTERM": lambda e: os.kill(e.pid, signal.SIGTERM),
}


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("so_far", range(len(MOMENTS)), ids=MOMENTS)
def test_an_end_while_it_starts_leaves_nothing(how: str, so_far: int, tmp_path: Path) -> None:
    before = mounts()
    explorer = Explorer(tmp_path)
    try:
        family = explorer.has_family_of((2, 3, 5, 6)[so_far])
        ENDS[how](explorer)
        code = explorer.ended()
    finally:
        explorer.close()
    assert code in ((-signal.SIGKILL,) if how == "kill -9" else (0, 129, 130, -signal.SIGHUP, -signal.SIGTERM))
    assert all_gone(family)
    assert mounts() == before
