"""A terminal that nobody reads any more."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from jarred import BELLJAR, DEADLINE_S, all_gone, family_of

pytestmark = [pytest.mark.kernel, pytest.mark.terminal]


@contextmanager
def deaf_demo(state_home: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The demo on a terminal that is read until its service runs and then never again; its process, and our end."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 60, 200, 0, 0))
    environment = {**os.environ, "XDG_STATE_HOME": str(state_home), "TERM": "xterm-256color"}
    command = [*BELLJAR, "demo"]
    with subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
    ) as demo:
        os.close(theirs)
        try:
            _read_until(ours, b"healthy")
            yield demo, ours
        finally:
            demo.kill()
            os.close(ours)


def _read_until(terminal: int, words: bytes) -> None:
    seen = b""
    end = time.monotonic() + DEADLINE_S
    while words not in seen and time.monotonic() < end:
        seen += os.read(terminal, 1 << 16)
    assert words in seen


def _is_deaf(demo: subprocess.Popen[bytes], terminal: int) -> bool:
    """Whether the terminal takes no more: what is in it stays the same for a while."""
    size, since = -1, time.monotonic()
    end = time.monotonic() + DEADLINE_S
    while time.monotonic() < end and demo.poll() is None:
        waiting = struct.unpack("i", fcntl.ioctl(terminal, termios.FIONREAD, b"\0" * 4))[0]
        if waiting != size:
            size, since = waiting, time.monotonic()
        elif size > 0 and time.monotonic() - since > 2:
            return True
        time.sleep(0.05)
    return False


@pytest.mark.parametrize("way", ["q", "SIGHUP", "SIGTERM"])
def test_leaving_a_deaf_terminal_leaves_nothing(way: str, tmp_path: Path) -> None:
    with deaf_demo(tmp_path) as (demo, terminal):
        family: list[psutil.Process] = family_of(demo.pid)
        assert _is_deaf(demo, terminal)
        if way == "q":
            os.write(terminal, b"q")
        else:
            demo.send_signal(signal.Signals[way])
        assert all_gone(family), [p for p in family if p.is_running()]
