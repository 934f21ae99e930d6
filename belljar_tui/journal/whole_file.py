"""Files written whole or not at all: a crash or a full disk leaves the old file or the new one, never a half."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NOT_BESIDE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)
"""The folder takes no new file, or the file is a mount of its own: it can only be written into."""


def write_whole(path: Path, content: bytes, *, mode: int | None = None) -> None:
    """Write beside, then rename. A device or a pipe is written into. Raises OSError, and leaves nothing of it behind.

    Args:
        mode: of the file; where it is not given, that of the old file, or what the umask leaves.
    """
    target = path.resolve()
    if target.exists() and not target.is_file():
        target.write_bytes(content)
        return
    try:
        _replace(target, content, _mode(target) if mode is None else mode)
    except OSError as error:
        if error.errno not in _NOT_BESIDE or not target.exists():
            raise
        target.write_bytes(content)


def remedy(error: OSError) -> str:
    """What to do about a file that could not be written; empty where the error's own words say it."""
    if error.errno not in _NO_ROOM:
        return ""
    return "Nothing of it is kept, and a file that was there is as it was. Make room, or name a file on another disk."


def _replace(target: Path, content: bytes, mode: int) -> None:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name[:80]}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), mode)
        Path(temporary).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def _mode(target: Path) -> int:
    """What the old file had; else what a new file gets (reading the umask means setting it)."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask
