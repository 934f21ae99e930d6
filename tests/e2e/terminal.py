"""A real terminal, as a person has it: a tmux server of its own."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

_FIRST = 4


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, socket: Path, command: str, width: int, height: int, environment: dict[str, str]) -> None:
        self._socket = socket
        settings = [word for name, value in environment.items() for word in ("-e", f"{name}={value}")]
        size = ["-x", str(width), "-y", str(height)]
        self._tmux("-f", "/dev/null", "new-session", "-d", *size, *settings, command)
        self._tmux("set", "-g", "remain-on-exit", "on")
        self.pid = int(self._tmux("display", "-p", "#{pane_pid}"))

    def press(self, *keys: str) -> None:
        self._tmux("send-keys", *keys)

    def screen(self) -> str:
        return self._tmux("capture-pane", "-p")

    def shows(self, text: str) -> str:
        """Wait until `text` is on the screen."""
        end = time.monotonic() + 20
        seen: dict[str, None] = {}
        while text not in (screen := self.screen()):
            if len(seen) < _FIRST:
                seen[screen] = None  # what went wrong was on the screen early, and has gone since
            assert time.monotonic() < end, f"{text!r} did not appear:\n" + "\n".join([*seen, screen])
            time.sleep(0.05)
        return screen

    def lacks(self, text: str) -> None:
        """Wait until `text` is no longer on the screen."""
        end = time.monotonic() + 20
        while text in (screen := self.screen()):
            assert time.monotonic() < end, f"{text!r} did not go:\n{screen}"
            time.sleep(0.05)

    def ends(self) -> None:
        """Wait until the command has ended. (tmux says so on the screen, too, but not always.)"""
        end = time.monotonic() + 20
        while self._tmux("display", "-p", "#{pane_dead}").strip() != "1":
            assert time.monotonic() < end, f"it does not end:\n{self.screen()}"
            time.sleep(0.05)

    def close(self) -> None:
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], check=False, capture_output=True)

    def _tmux(self, *words: str) -> str:
        # Not the environment of C: readline, which pytest loads, leaves its own COLUMNS and LINES there.
        command, environment = ["tmux", "-S", str(self._socket), *words], dict(os.environ)
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
