"""Whether a process has a socket open, from its descriptors in /proc."""

from __future__ import annotations

import os
import socket

from belljar_tui.agent.proc_file import content

_INFORMATION_BYTES = 512
_REMEMBERED = 16_384
_SOCKET = "socket:["


class Descriptors:
    """Looks through a process's descriptors, newest first: a call is mostly made from the newest.

    What it passes on its way it remembers. Of a process with thousands of calls under way the oldest is asked for
    first, and without that each of them would be looked for through all of the others (measured: 0.1 s each).

    Args:
        root: where proc is mounted.
    """

    def __init__(self, root: str) -> None:
        self._root = root
        self._mount = _socket_mount()
        self._places: dict[int, tuple[int, str]] = {}
        """Inode -> the process and descriptor it was last seen at."""

    def last_owner(self, inode: int) -> int | None:
        """A process that has the socket open, if it was passed before."""
        place = self._places.get(inode)
        return place[0] if place is not None and self._inode_at(*place) == inode else None

    def has(self, pid: int, inode: int, at_most: int | None = None) -> bool:
        """Whether `pid` has the socket open, among its newest `at_most` descriptors. Raises OSError when it is gone."""
        if len(self._places) > _REMEMBERED:
            self._places.clear()
        for number in self._newest_first(pid)[:at_most]:
            found = self._inode_at(pid, number)
            if found == inode:
                return True
            if found:
                self._places[found] = pid, number
        return False

    def _newest_first(self, pid: int) -> list[str]:
        try:
            numbers = os.listdir(f"{self._root}/{pid}/fd")
        except PermissionError:
            numbers = os.listdir(f"{self._root}/{pid}/fdinfo")
        numbers.sort(key=int, reverse=True)
        return numbers

    def _inode_at(self, pid: int, number: str) -> int:
        """The inode of the socket at a descriptor; 0 when there is none."""
        try:
            link = os.readlink(f"{self._root}/{pid}/fd/{number}")
        except PermissionError:
            return self._inode_of(content(f"{self._root}/{pid}/fdinfo/{number}", _INFORMATION_BYTES))
        except OSError:
            return 0
        return int(link[len(_SOCKET) : -1]) if link.startswith(_SOCKET) else 0

    def _inode_of(self, information: bytes) -> int:
        """The same from /proc/PID/fdinfo. The folder `fd` of another user's process is closed to an agent without
        CAP_DAC_READ_SEARCH, whereas this one (since Linux 5.14, and so the inode in it) asks for CAP_SYS_PTRACE only.
        Inode numbers are those of one file system: the mount must be the one that sockets have."""
        if self._mount not in information:
            return 0
        lines = information.split(b"\n")
        return next((int(line.split()[1]) for line in lines if line.startswith(b"ino:")), 0)


def _socket_mount() -> bytes:
    """The line of /proc/PID/fdinfo/N that says a descriptor is a socket: sockets all live on one hidden mount."""
    with socket.socket(socket.AF_UNIX) as any_socket:
        lines = content(f"/proc/self/fdinfo/{any_socket.fileno()}", _INFORMATION_BYTES).split(b"\n")
    return next((line + b"\n" for line in lines if line.startswith(b"mnt_id:")), b"mnt_id:")
