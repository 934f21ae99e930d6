"""Unix sockets of the machine as dependencies of the service: which there are, who calls them, how they are cut.

What a socket that is bound inside the jar is called for stays inside: it is no dependency.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable

import msgspec

from belljar_tui.agent.processes import Process, ProcessTable
from belljar_tui.agent.unix.calls import HeldCalls, UnixCall
from belljar_tui.agent.unix.endings import end_connections
from belljar_tui.agent.unix.masks import Masks
from belljar_tui.agent.unix.table import File, UnixSocket, UnixTable, file_of
from belljar_tui.core.model import Dependency, Mode, Protocol, Seal, Wanted

OnCall = Callable[[Dependency, Mode | None, Process | None], None]
"""Told of every call: what is called, how it fails (None: open), and who calls."""


class _Met(msgspec.Struct, frozen=True):
    """What a held call comes to."""

    dependency: Dependency
    mode: Mode | None
    caller: Process | None


class UnixSockets:
    """One jar's.

    Args:
        jar: sockets of the jar's network namespace.
        machine: those of the machine around it; None where they are not known.
    """

    def __init__(self, masks: Masks, jar: UnixTable, machine: UnixTable | None, processes: ProcessTable) -> None:
        self._masks = masks
        self._jar = jar
        self._machine = machine
        self._processes = processes
        self._wanted = Wanted()
        self._decided: dict[str, Dependency] = {}
        """Path without links -> what was decided about by that name or another."""
        self._seen: dict[str, Dependency] = {}
        self._callers: set[tuple[Dependency, int]] = set()
        """Who was seen calling what, by pid."""
        self._looked: set[int] = set()
        """Inodes of the sockets that were there at the last look."""
        self._is_internal_file: dict[tuple[File, int], bool] = {}
        self._met: _Met | None = None
        self._told: set[tuple[str, int]] = set()
        """Paths and pids of holes that were told of."""
        self.on_call: OnCall = lambda _dependency, _mode, _caller: None
        self.on_hole: Callable[[str, Process | None], None] = lambda _path, _caller: None
        """Told once of each process that a cut's mount does not reach."""

    @classmethod
    def of_jar(cls, folder: int, machine: int, processes: ProcessTable) -> UnixSockets | None:
        """Those of the jar we are in; None where this kernel tells nothing of unix sockets.

        Args:
            folder: descriptor of a folder that only the agent can reach.
            machine: descriptor of the machine's table; negative: there is none.
        """
        jar = UnixTable()
        try:
            jar.all()
        except OSError:
            return None
        return cls(Masks(folder), jar, UnixTable(machine) if machine >= 0 else None, processes)

    @property
    def seen(self) -> tuple[Dependency, ...]:
        """Those that were called, first called first."""
        return tuple(self._seen.values())

    def hold(self, descriptor: int) -> None:
        """Answer the calls that are told of on `descriptor`."""
        HeldCalls(descriptor, self._answer, self._settle).start()

    def want(self, wanted: Wanted) -> None:
        """Bring every mask to what the wanted state says; established connections to what is newly cut are ended."""
        self._wanted = wanted
        identities = [identity for identity in (*wanted.opens, *wanted.cuts) if identity.startswith("unix:")]
        decided = [Dependency.parse(identity) for identity in identities]
        self._decided = {os.path.realpath(each.host): each for each in decided}
        self.renew()

    def renew(self) -> None:
        """Lay what the wanted state asks for and is not there: a socket was made anew, or is new under the vacuum."""
        targets = self._targets()
        for path in self._masks.paths:
            if path not in targets:
                with contextlib.suppress(OSError):  # the audit says what is still there
                    self._masks.lift(path)
        self._cover(targets)

    def differing(self) -> list[str]:
        """Ids of sockets that are not as the wanted state has them."""
        targets = self._targets()
        wrong = [path for path in targets if self._masks.below(path) is not None and not self._masks.holds(path)]
        wrong += [path for path in self._masks.paths if path not in targets]
        return sorted(str(self._dependency_at(path)) for path in wrong)

    def prove(self) -> list[str]:
        """Cut a socket of our own and restore it; what went wrong."""
        return self._masks.prove()

    def look(self) -> None:
        """Connections that were made by a call that was not held: who has one calls it, too."""
        looked, self._looked = self._looked, set()
        for each in self._jar.all():
            self._looked.add(each.inode)
            if (
                each.inode in looked
                or each.file is None
                or not each.is_connection
                or each.kind == socket.SOCK_DGRAM
                or not each.peer
            ):
                continue
            path = os.path.realpath(each.path) if each.path.startswith("/") else ""
            if not path or self._masks.below(path) != each.file or self._is_bound_inside(each.file):
                continue
            caller = self._processes.owner(each.peer)
            dependency = self._dependency_at(path)
            if caller is not None and (dependency, caller.pid) not in self._callers:
                self._note(path, _Met(dependency, None, caller))

    def _targets(self) -> dict[str, Mode]:
        """Every path to be cut, and how."""
        paths = dict.fromkeys([*self._decided, *self._seen])
        if self._wanted.seal is Seal.VACUUM:
            paths |= dict.fromkeys(self._paths_of_machine())
        found = {path: self._wanted.mode_of(str(self._dependency_at(path))) for path in paths}
        return {path: mode for path, mode in found.items() if mode is not None}

    def _paths_of_machine(self) -> list[str]:
        """Paths at which the jar finds the very sockets that the machine's processes have bound."""
        found: list[str] = []
        for each in self._machine.all() if self._machine is not None else ():
            if each.path.startswith("/") and each.file is not None and not _is_accepted(each):
                path = os.path.realpath(each.path)
                if self._masks.below(path) == each.file:
                    found.append(path)
        return found

    def _dependency_at(self, path: str) -> Dependency:
        return self._decided.get(path) or Dependency(Protocol.UNIX, path)

    def _cover(self, targets: dict[str, Mode]) -> None:
        """Cut those of these that are not, and end the connections to them."""
        due = {path: mode for path, mode in targets.items() if not self._is_cut_so(path, mode)}
        files = {path: file for path in due if (file := self._masks.below(path)) is not None}
        if not files:
            return
        jar, machine = self._jar.all(), self._machine.all() if self._machine is not None else []
        kinds = {each.file: each.kind for each in (*jar, *machine) if each.file is not None}
        for path, file in files.items():
            with contextlib.suppress(OSError):  # the audit says what is not there
                self._masks.lay(path, due[path], kinds.get(file, socket.SOCK_STREAM))
        end_connections(set(files.values()), jar, machine, self._masks)

    def _is_cut_so(self, path: str, mode: Mode) -> bool:
        mask = self._masks.at(path)
        return mask is not None and mask.mode is mode and self._masks.holds(path)

    def _is_bound_inside(self, file: File) -> bool:
        return any(each.file == file and not _is_accepted(each) for each in self._jar.all())

    def _answer(self, call: UnixCall) -> int:
        """Note what a held call meets; where it would get past a cut, make it fail here."""
        self._met = None
        found = _resolved(call)
        if found is None:
            return 0
        path, status = found
        caller = self._processes.of_thread(call.thread)
        mask = self._masks.at(path)
        if mask is not None and mask.file == file_of(status):
            self._met = _Met(self._dependency_at(path), mask.mode, caller)
            return 0
        if path not in self._decided and self._is_internal(status):
            return 0
        dependency = self._dependency_at(path)
        mode = self._wanted.mode_of(str(dependency))
        self._met = _Met(dependency, mode, caller)
        if mode is None or self._is_covered(call, path, mode):
            return 0
        self._tell_hole(path, caller)
        return errno.ECONNREFUSED

    def _is_covered(self, call: UnixCall, path: str, mode: Mode) -> bool:
        """Cover what was made since; whether the caller will now meet it (it may have mounts of its own)."""
        self._cover({path: mode})
        again, mask = _resolved(call), self._masks.at(path)
        return again is not None and mask is not None and file_of(again[1]) == mask.file

    def _tell_hole(self, path: str, caller: Process | None) -> None:
        key = (path, caller.pid if caller is not None else 0)
        if key not in self._told:
            self._told.add(key)
            self.on_hole(path, caller)

    def _is_internal(self, status: os.stat_result) -> bool:
        """Whether it is bound inside the jar. A path that is bound anew is another file."""
        key = (file_of(status), status.st_ctime_ns)
        known = self._is_internal_file.get(key)
        if known is None:
            known = self._is_internal_file[key] = self._is_bound_inside(key[0])
        return known

    def _settle(self, _call: UnixCall) -> None:
        met, self._met = self._met, None
        if met is not None:
            path = next((path for path, each in self._decided.items() if each == met.dependency), met.dependency.host)
            self._note(path, met)

    def _note(self, path: str, met: _Met) -> None:
        self._seen.setdefault(path, met.dependency)
        if met.caller is not None:
            self._callers.add((met.dependency, met.caller.pid))
        self.on_call(met.dependency, met.mode, met.caller)


def _is_accepted(each: UnixSocket) -> bool:
    """A server's end of a connection: it bears its listener's path."""
    return each.is_connection and each.kind != socket.SOCK_DGRAM


def _resolved(call: UnixCall) -> tuple[str, os.stat_result] | None:
    """The socket's file as the caller finds it: its path without links; None when there is none."""
    start = f"/proc/{call.thread}/{'root' if call.path.startswith(b'/') else 'cwd'}/"
    try:
        descriptor = os.open(start + os.fsdecode(call.path).lstrip("/"), os.O_PATH | os.O_CLOEXEC)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(descriptor)
        return (os.readlink(f"/proc/self/fd/{descriptor}"), status) if stat.S_ISSOCK(status.st_mode) else None
    finally:
        os.close(descriptor)
