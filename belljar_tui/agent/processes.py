"""The processes of the jar, from its own /proc (the agent is PID 1 there, so it shows the jar and nothing else).

Read with plain system calls: a held call waits for this, and psutil takes some 100 µs for what takes 10 here.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable, Iterator

import msgspec

_COMMAND_BYTES = 300
_STAT_BYTES = 1024
_INFORMATION_BYTES = 512
_NEWEST = 4
"""Children looked at for a socket that their parent has too. It was forked between making the socket and calling, so
the newest will do."""
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


class _Wanted(msgspec.Struct, frozen=True):
    """A socket's inode, as the two places of /proc write it."""

    link: str
    line: bytes


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
        self._socket_mount = _socket_mount()

    def owner(self, inode: int, target: object = None) -> Process | None:
        """The process with socket `inode` open, of several (after a fork) the youngest; None when nobody has it.

        `target`: what is called, where it is known: its last caller is tried first.
        """
        wanted = _Wanted(f"socket:[{inode}]", f"ino:\t{inode}\n".encode())
        for pid in self._likely(target):
            if self._has(pid, wanted):
                owner = self._youngest(pid, wanted)
                self._remember(owner, target)
                return self._read(owner)
        return None

    def of_thread(self, thread: int) -> Process | None:
        """The process that a thread is one of."""
        pid = self._process_of.get(thread)
        if pid is None or not os.access(f"{self._root}/{pid}/task/{thread}", os.F_OK):
            status = _content(f"{self._root}/{thread}/status", _STAT_BYTES)
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

    def _youngest(self, pid: int, wanted: _Wanted) -> int:
        """`pid`, or the newest of its descendants that shares the socket."""
        for child in sorted(self._children(pid), reverse=True)[:_NEWEST]:
            if self._has(child, wanted):
                return self._youngest(child, wanted)
        return pid

    def _children(self, pid: int) -> set[int]:
        """Those of its first thread as the kernel has them now, and those of all threads as of the last scan."""
        known = {child for child, life in self._said.items() if life.process.parent == pid}
        return known | {int(word) for word in _content(f"{self._root}/{pid}/task/{pid}/children", 1 << 16).split()}

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

    def _has(self, pid: int, wanted: _Wanted) -> bool:
        """Newest descriptors first: the call is being made now."""
        folder = f"{self._root}/{pid}/fd/"
        try:
            numbers = os.listdir(folder)
        except PermissionError:
            return self._has_by_information(pid, wanted)
        except OSError:
            self._recent.pop(pid, None)
            return False
        numbers.sort(key=int, reverse=True)
        for number in numbers:
            try:
                if os.readlink(folder + number) == wanted.link:
                    return True
            except OSError:
                continue
        return False

    def _has_by_information(self, pid: int, wanted: _Wanted) -> bool:
        """The same from /proc/PID/fdinfo. The folder `fd` of another user's process is closed to an agent without
        CAP_DAC_READ_SEARCH, whereas this one (since Linux 5.14, and so the inode in it) asks for CAP_SYS_PTRACE only.
        Inode numbers are those of one file system: the mount must be the one that sockets have."""
        folder = f"{self._root}/{pid}/fdinfo/"
        try:
            numbers = sorted(os.listdir(folder), key=int, reverse=True)
        except OSError:
            self._recent.pop(pid, None)
            return False
        return any(
            wanted.line in content and self._socket_mount in content
            for content in (_content(folder + number, _INFORMATION_BYTES) for number in numbers)
        )

    def _read(self, pid: int) -> Process | None:
        """None when it is gone, or a zombie. The command line is read anew only when start or name are others."""
        stat = _content(f"{self._root}/{pid}/stat", _STAT_BYTES).decode(errors="replace")
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
        words = _content(f"{self._root}/{pid}/cmdline", _COMMAND_BYTES)
        return words.replace(b"\0", b" ").decode(errors="replace").strip()


def _socket_mount() -> bytes:
    """The line of /proc/PID/fdinfo/N that says a descriptor is a socket: sockets all live on one hidden mount."""
    with socket.socket(socket.AF_UNIX) as any_socket:
        content = _content(f"/proc/self/fdinfo/{any_socket.fileno()}", _INFORMATION_BYTES)
    return next((line + b"\n" for line in content.split(b"\n") if line.startswith(b"mnt_id:")), b"mnt_id:")


def _content(path: str, size: int) -> bytes:
    """The first `size` bytes of a file of proc; empty when there is none."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.read(descriptor, size)
    except OSError:  # it ended between
        return b""
    finally:
        os.close(descriptor)
