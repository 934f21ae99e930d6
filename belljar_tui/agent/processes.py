"""The processes of the jar, from its own /proc (the agent is PID 1 there, so it shows the jar and nothing else)."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

_COMMAND_BYTES = 300


class Process(msgspec.Struct, frozen=True):
    pid: int
    parent: int
    name: str
    """As in /proc/PID/comm."""
    command: str
    """Command line, words joined by spaces, at most 300 bytes."""


class ProcessTable:
    """Finds who owns a socket, and what came and went."""

    def __init__(self, root: str = "/proc", ignored: Iterable[int] = (1,)) -> None:
        self._root = root
        self._ignored = set(ignored)
        self._known: dict[int, Process] = {}
        self._recent: dict[int, None] = {}
        """Pids that owned a socket, latest first to be tried: callers call again."""

    def owner(self, inode: int) -> Process | None:
        """The process with socket `inode` open: of several (after a fork) the youngest that called before."""
        wanted = f"socket:[{inode}]"
        for pid in dict.fromkeys([*reversed(self._recent), *sorted(self._pids(), reverse=True)]):
            if self._has(pid, wanted):
                self._recent.pop(pid, None)
                self._recent[pid] = None
                return self._known.get(pid) or self._read(pid)
            self._recent.pop(pid, None) if not self._exists(pid) else None
        return None

    def scan(self) -> tuple[list[Process], list[int]]:
        """What is new, or renamed itself, since the last scan; and the pids that are gone."""
        fresh: list[Process] = []
        living = set(self._pids())
        for pid in sorted(living):
            process = self._read(pid)
            if process is not None and process != self._known.get(pid):
                self._known[pid] = process
                fresh.append(process)
        gone = sorted(self._known.keys() - living)
        for pid in gone:
            del self._known[pid]
        return fresh, gone

    def _pids(self) -> list[int]:
        return [int(name) for name in os.listdir(self._root) if name.isdigit() and int(name) not in self._ignored]

    def _exists(self, pid: int) -> bool:
        return Path(self._root, str(pid)).exists()

    def _has(self, pid: int, wanted: str) -> bool:
        """Newest descriptors first: the call is being made now."""
        folder = f"{self._root}/{pid}/fd"
        try:
            for number in sorted(map(int, os.listdir(folder)), reverse=True):
                try:
                    if os.readlink(f"{folder}/{number}") == wanted:
                        return True
                except OSError:
                    continue
        except OSError:
            return False
        return False

    def _read(self, pid: int) -> Process | None:
        """None when it is gone, or a zombie."""
        base = Path(self._root, str(pid))
        try:
            stat = base.joinpath("stat").read_text(errors="replace")
            words = base.joinpath("cmdline").read_bytes()[:_COMMAND_BYTES]
        except OSError:
            return None
        name = stat[stat.index("(") + 1 : stat.rindex(")")]
        state, parent = stat[stat.rindex(")") + 2 :].split()[:2]
        if state == "Z":
            return None
        command = words.replace(b"\0", b" ").decode(errors="replace").strip()
        return Process(pid, int(parent), name, command or name)
