"""Files as the target sees them, read from outside its mount namespace."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

_OPENAT2 = 437
"""The same number on every architecture (linux/unistd.h, since 5.6)."""
_RESOLVE_IN_ROOT, _RESOLVE_NO_MAGICLINKS = 0x10, 0x02
_CURRENT_FOLDER = -100
_MOST_BYTES = 1 << 20
_libc = ctypes.CDLL(None, use_errno=True)


def read(pid: int, path: str) -> str:
    """A file of the process's root, where links lead nowhere out of that root. Empty when it cannot be read."""
    try:
        root = os.open(f"/proc/{pid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        return _read_in(root, path)
    except OSError:
        return ""
    finally:
        os.close(root)


def _read_in(root: int, path: str) -> str:
    how = struct.pack("=QQQ", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, 0, _RESOLVE_IN_ROOT | _RESOLVE_NO_MAGICLINKS)
    descriptor = _libc.syscall(_OPENAT2, root, path.lstrip("/").encode(), how, len(how))
    if descriptor < 0:
        number = ctypes.get_errno()
        if number not in (errno.ENOSYS, errno.EPERM):
            raise OSError(number, os.strerror(number), path)
        # an older kernel, or a seccomp profile that does not know the call: without following links, then
        descriptor = os.open(path.lstrip("/"), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW, dir_fd=root)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_MOST_BYTES).decode(errors="replace")
