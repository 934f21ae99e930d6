"""The processes of the jar, from its own /proc (the agent is PID 1 there, so it shows the jar and nothing else).

Read with plain system calls: a held call waits for this, and psutil takes some 100 µs for what takes 10 here.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator

import msgspec

from belljar_tui.agent.descriptors import Descriptors
from belljar_tui.agent.proc_file import content

_COMMAND_BYTES = 300
_STAT_BYTES = 1024
_NEWEST = 4
"""Children looked at for a socket that their parent has too. It was forked between making the socket and calling, so
the newest will do."""
_NEWEST_DESCRIPTORS = 64
"""Of each process, before those with thousands are looked through: a socket that calls is mostly new."""
_RECENT = 64
"""Callers and targets remembered."""
_PARENT_FIELD, _START_FIELD = 1, 19
"""Fields of /proc/PID/stat counted from the state, behind the name (man 5 proc)."""


class Process(msgspec.Struct, frozen=True):
    pid: int
    parent: int
    name: str
    """As in /proc/PID/comm."""
    command: str
    """Command line, words joined by spaces, at most 300 bytes."""


class _Life(msgspec.Struct, frozen=True):
    """A process as it was last read. A pid alone names many over time; pid and start name one."""

    start: int
    process: Process


class ProcessTable:
    """Finds who owns a socket, and what came and went.

    Args:
        root: where proc is mounted.
        ignored: pids that are never the service's: the agent.
        is_check: whether a pid is one of our own health checks; it and what it starts are left out of `scan`.
        is_inside: whether a pid is in the jar, where /proc shows others too.
    """

    def __init__(
        self,
        root: str = "/proc",
        ignored: Iterable[int] = (1,),
        is_check: Callable[[int], bool] = lambda _: False,
        is_inside: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._root = root
        self._ignored = frozenset(ignored)
        self._is_check = is_check
        self._is_inside = is_inside
        self._lives: dict[int, _Life] = {}
        """As last read, whoever asked."""
        self._said: dict[int, _Life] = {}
        """As last returned by `scan`."""
        self._recent: dict[int, None] = {}
        """Pids that owned a socket, the latest last: callers call again."""
        self._callers: dict[object, int] = {}
        """Who last called a target."""
        self._process_of: dict[int, int] = {}
        """Thread -> process, of those that called last."""
        self._descriptors = Descriptors(root)

    def owner(self, inode: int, target: object = None) -> Process | None:
        """The process with socket `inode` open, of several (after a fork) the youngest; None when nobody has it.

        `target`: what is called, where it is known: its last caller is tried first.
        """
        pid = self._descriptors.last_owner(inode)
        for newest in (_NEWEST_DESCRIPTORS, None) if pid is None else ():
            pid = next((each for each in self._likely(target) if self._has(each, inode, newest)), None)
            if pid is not None:
                break
        if pid is None:
            return None
        owner = self._youngest(pid, inode)
        self._remember(owner, target)
        return self._read(owner)

    def of_thread(self, thread: int) -> Process | None:
        """The process that a thread is one of."""
        pid = self._process_of.get(thread)
        if pid is None or not os.access(f"{self._root}/{pid}/task/{thread}", os.F_OK):
            status = content(f"{self._root}/{thread}/status", _STAT_BYTES)
            pid = next((int(line.split()[1]) for line in status.split(b"\n") if line.startswith(b"Tgid:")), 0)
            if len(self._process_of) > _RECENT:
                self._process_of.clear()
            self._process_of[thread] = pid
        return self._read(pid)

    def scan(self) -> tuple[list[Process], list[int]]:
        """What is new, or became another program, since the last scan; and the pids that are gone."""
        self._lives = {}  # a program that executes another may keep its name: read all anew
        living = {pid: process for pid in self._pids() if (process := self._read(pid)) is not None}
        seen = {pid for pid in living if not self._is_of_check(pid, living)}
        fresh = [living[pid] for pid in sorted(seen) if self._said.get(pid) != self._lives[pid]]
        gone = sorted(self._said.keys() - seen)
        self._said = {pid: self._lives[pid] for pid in seen}
        return fresh, gone

    def _likely(self, target: object) -> Iterator[int]:
        """Every pid, likely owners first: the target's last caller, the latest callers, the youngest."""
        first = [self._callers[target]] if target in self._callers else []
        recent = dict.fromkeys([*first, *reversed(self._recent)])
        yield from recent
        yield from (pid for pid in sorted(self._pids(), reverse=True) if pid not in recent)

    def _remember(self, pid: int, target: object) -> None:
        self._recent.pop(pid, None)
        self._recent[pid] = None
        if target is not None:
            self._callers.pop(target, None)
            self._callers[target] = pid
        for kept in (self._recent, self._callers):
            if len(kept) > _RECENT:
                kept.pop(next(iter(kept)))  # type: ignore[call-overload]

    def _youngest(self, pid: int, inode: int) -> int:
        """`pid`, or the newest of its descendants that shares the socket."""
        for child in sorted(self._children(pid), reverse=True)[:_NEWEST]:
            if self._has(child, inode):
                return self._youngest(child, inode)
        return pid

    def _children(self, pid: int) -> set[int]:
        """Those of its first thread as the kernel has them now, and those of all threads as of the last scan."""
        known = {child for child, life in self._said.items() if life.process.parent == pid}
        return known | {int(word) for word in content(f"{self._root}/{pid}/task/{pid}/children", 1 << 16).split()}

    def _is_of_check(self, pid: int, living: dict[int, Process]) -> bool:
        above: set[int] = set()
        while pid in living and pid not in above:
            if self._is_check(pid):
                return True
            above.add(pid)
            pid = living[pid].parent
        return False

    def _pids(self) -> list[int]:
        living = (int(name) for name in os.listdir(self._root) if name.isdigit())
        return [pid for pid in living if pid not in self._ignored and self._is_inside(pid)]

    def _has(self, pid: int, inode: int, newest: int | None = None) -> bool:
        try:
            return self._descriptors.has(pid, inode, newest)
        except OSError:
            self._recent.pop(pid, None)
            return False

    def _read(self, pid: int) -> Process | None:
        """None when it is gone, or a zombie. The command line is read anew only when start or name are others."""
        stat = content(f"{self._root}/{pid}/stat", _STAT_BYTES).decode(errors="replace")
        before, _, after = stat.rpartition(")")
        fields = after.split()
        if len(fields) <= _START_FIELD or fields[0] in "ZX":
            return None
        name = before.partition("(")[2]
        parent, start = int(fields[_PARENT_FIELD]), int(fields[_START_FIELD])
        life = self._lives.get(pid)
        if life is None or (life.start, life.process.name, life.process.parent) != (start, name, parent):
            life = _Life(start, Process(pid, parent, name, self._command(pid) or name))
            self._lives[pid] = life
        return life.process

    def _command(self, pid: int) -> str:
        words = content(f"{self._root}/{pid}/cmdline", _COMMAND_BYTES)
        return words.replace(b"\0", b" ").decode(errors="replace").strip()
