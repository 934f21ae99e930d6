"""Cuts a unix socket by laying another one over its path, in the jar's own view of the file system.

One mount is one cut: atomic, and nothing that the service may undo (it has no capability over these mounts, and copies
of them that it makes in a namespace of its own are locked). What lies over it is
    refuse      a socket that nobody listens on: connection refused, at once
    blackhole   one whose listener accepts nobody and whose queue is full: callers wait, or are told to try again
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import socket
from pathlib import Path

import msgspec

from belljar_tui.agent.unix.table import File, file_of
from belljar_tui.core.model import Mode

_MS_BIND, _MNT_DETACH, _UMOUNT_NOFOLLOW = 0x1000, 2, 8
_DEAD = "dead-socket"
_libc = ctypes.CDLL(None, use_errno=True)


class Mask(msgspec.Struct, frozen=True):
    """What lies over a path."""

    mode: Mode
    file: File
    """Of the socket that lies there."""
    below: File
    """Of the one that it covers."""
    kept: socket.socket | None = None
    """What must stay open for it to be what it is."""


class Masks:
    """The masks of one jar.

    Args:
        folder: descriptor of a directory in the jar's mount namespace that the service cannot reach.
    """

    def __init__(self, folder: int) -> None:
        self._folder = folder
        self._masks: dict[str, Mask] = {}
        self._made = 0
        dead, _ = self._bound(_DEAD, socket.SOCK_STREAM)
        dead.close()

    @property
    def paths(self) -> tuple[str, ...]:
        """Every path that something lies over."""
        return tuple(self._masks)

    def at(self, path: str) -> Mask | None:
        """What lies over `path`, as far as we laid it."""
        return self._masks.get(path)

    def below(self, path: str) -> File | None:
        """The socket at `path`, masked or not; None when there is none."""
        mask = self._masks.get(path)
        return mask.below if mask is not None and self.holds(path) else _socket_at(path)

    def holds(self, path: str) -> bool:
        """Whether the mask is what is found at `path`. It goes when the file below is removed on the machine."""
        mask = self._masks.get(path)
        return mask is not None and _socket_at(path) == mask.file

    def lay(self, path: str, mode: Mode, kind: int) -> None:
        """Let `path` fail by `mode`. Nothing happens where there is no socket. Raises OSError naming the path.

        Args:
            kind: of the socket that is covered: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET.
        """
        mask = self._masks.get(path)
        if mask is not None and mask.mode is mode and self.holds(path):
            return
        self.lift(path)
        below = _socket_at(path)
        if below is None:
            return
        name, kept = (_DEAD, None) if mode is not Mode.BLACKHOLE else self._full(kind)
        source = f"/proc/self/fd/{self._folder}/{name}"
        if _libc.mount(source.encode(), os.fsencode(path), None, _MS_BIND, None) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), path)
        self._masks[path] = Mask(mode, file_of(Path(source).stat()), below, kept)

    def lift(self, path: str) -> None:
        """Uncover `path`; whoever waits there gets through: the kernel looks anew. Raises OSError naming the path."""
        mask = self._masks.pop(path, None)
        if mask is None:
            return
        try:
            if _socket_at(path) == mask.file and _libc.umount2(os.fsencode(path), _MNT_DETACH | _UMOUNT_NOFOLLOW) != 0:
                number = ctypes.get_errno()
                raise OSError(number, os.strerror(number), path)
        finally:
            if mask.kept is not None:
                address = str(mask.kept.getsockname())
                mask.kept.close()
                Path(address).unlink()

    def prove(self) -> list[str]:
        """Cut a socket of our own and restore it; what went wrong."""
        made, address = self._bound("probe", socket.SOCK_STREAM)
        failures: list[str] = []
        with made:
            made.listen(1)
            self.lay(address, Mode.REFUSE, socket.SOCK_STREAM)
            if _connects(address):
                failures.append("a call to a unix socket that must be blocked went through")
            self.lift(address)
            if not _connects(address):
                failures.append("a call to a unix socket that must pass was blocked")
        Path(address).unlink()
        return failures

    def dead_peer(self) -> tuple[socket.socket, str]:
        """A datagram socket to connect somebody to, and its address; once it is closed their sends are refused."""
        self._made += 1
        return self._bound(f"peer-{self._made}", socket.SOCK_DGRAM)

    def _full(self, kind: int) -> tuple[str, socket.socket]:
        """A socket that takes nothing more, and its name."""
        self._made += 1
        name = f"full-{self._made}"
        full, address = self._bound(name, kind)
        _fill(full, address, kind)
        return name, full

    def _bound(self, name: str, kind: int) -> tuple[socket.socket, str]:
        """A socket at `name` in our folder that everybody may write to, and its address."""
        made = socket.socket(socket.AF_UNIX, kind)
        address = f"/proc/self/fd/{self._folder}/{name}"
        made.bind(address)
        Path(address).chmod(0o777)
        return made, address


def _connects(address: str) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        return probe.connect_ex(address) == 0


def _fill(full: socket.socket, address: str, kind: int) -> None:
    """Fill its queue. What is in it stays there when the sender closes."""
    if kind != socket.SOCK_DGRAM:
        full.listen(0)
    with contextlib.suppress(BlockingIOError):
        while True:
            with socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK) as filler:
                filler.connect(address)
                while kind == socket.SOCK_DGRAM:
                    filler.send(b"")


def _socket_at(path: str) -> File | None:
    """The socket file at `path`; None when it is none."""
    with contextlib.suppress(OSError):
        status = Path(path).lstat()
        if (status.st_mode & 0o170000) == 0o140000:
            return file_of(status)
    return None
