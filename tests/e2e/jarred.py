"""Drives the `belljar` command as a person or a script would, and looks for what it left behind."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil

BELLJAR = (sys.executable, "-m", "belljar_tui")
DEADLINE_S = 20.0
Event = dict[str, Any]


class Headless:
    """A `belljar … --headless` under way: commands in, events out."""

    def __init__(self, arguments: tuple[str, ...], state_home: Path, through: tuple[str, ...] = ()) -> None:
        """`through`: words that come before the command's own, and end in executing it."""
        self.events: list[Event] = []
        self._arriving: queue.Queue[Event | None] = queue.Queue()
        self.process = subprocess.Popen(
            [*through, *BELLJAR, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "XDG_STATE_HOME": str(state_home)},
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def say(self, **command: object) -> None:
        """Send one command."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def wait_for(self, name: str, where: Callable[[Event], bool] = lambda _: True) -> Event:
        """The next event of this name that fits; fails when none comes in time."""
        return self._next(lambda event: event["event"] == name and where(event), name)

    def _next(self, fits: Callable[[Event], bool], name: str) -> Event:
        end = time.monotonic() + DEADLINE_S
        while True:
            try:
                event = self._arriving.get(timeout=max(0.0, end - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no {name} within {DEADLINE_S} s; the last: {self.events[-5:]}") from None
            assert event is not None, f"the stream ended before {name}; the last: {self.events[-5:]} {self.words()}"
            if fits(event):
                return event

    def wait_for_each(self, *names: str) -> list[Event]:
        """The next event of each name, in whatever order they come."""
        found: dict[str, Event] = {}
        while len(found) < len(names):
            event = self._next(lambda e: e["event"] in names and e["event"] not in found, " or ".join(names))
            found[str(event["event"])] = event
        return [found[name] for name in names]

    def wait_for_health(self, health: str) -> Event:
        return self.wait_for("health_changed", lambda e: e["health"] == health)

    def quit(self) -> int:
        """Leave politely; the exit code."""
        self.say(command="quit")
        return self.process.wait(DEADLINE_S)

    def words(self) -> str:
        """What it said on stderr, once it has ended."""
        return self.process.stderr.read() if self.process.stderr is not None and self.process.poll() is not None else ""

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            self.events.append(event)
            self._arriving.put(event)
        self._arriving.put(None)


@contextmanager
def headless(state_home: Path, *arguments: str, through: tuple[str, ...] = ()) -> Iterator[Headless]:
    """Start it, as the words of another command where `through` is one; whatever happens, it is gone afterwards."""
    running = Headless(arguments, state_home, through)
    family = [psutil.Process(running.process.pid)]
    try:
        yield running
    finally:
        for process in family:
            if process.is_running():
                process.kill()
        running.process.wait(DEADLINE_S)
        for stream in (running.process.stdin, running.process.stdout, running.process.stderr):
            if stream is not None:
                with suppress(BrokenPipeError):
                    stream.close()


def family_of(pid: int) -> list[psutil.Process]:
    """A process and all its descendants."""
    top = psutil.Process(pid)
    return [top, *top.children(recursive=True)]


def all_gone(processes: list[psutil.Process]) -> bool:
    """Whether they have all ended before the deadline. Whoever is to ask for an orphan's exit code may never do so."""
    end = time.monotonic() + DEADLINE_S
    while any(map(_lives, processes)):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _lives(process: psutil.Process) -> bool:
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def mounts() -> str:
    return Path("/proc/self/mountinfo").read_text()
