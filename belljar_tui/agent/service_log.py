"""The service's output on disk: written by the service itself, and never more of it than the disk can bear."""

from __future__ import annotations

import os
from contextlib import suppress

LIMIT = 64 << 20
"""Bytes. Beyond, the file starts anew with its last part. A look every 50 ms lets a service that prints 1 GB/s grow it
by some 50 MB more."""
KEPT = 1 << 20
"""Bytes of the end that a fresh start keeps."""


class ServiceLog:
    """An open file that the service appends to by itself, so that no output ever waits for us.

    Args:
        path: made when missing, readable by its owner alone; empty: the output goes nowhere.
    """

    def __init__(self, path: str, limit: int = LIMIT, kept: int = KEPT) -> None:
        self.descriptor = os.open(path or "/dev/null", os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._limit = limit
        self._kept = kept
        self._dropped = 0
        self._notice = b""

    def trim(self) -> None:
        """Past the limit, keep the end only, below a line that says how much is gone."""
        size = os.fstat(self.descriptor).st_size
        if size <= self._limit:
            return
        end = os.pread(self.descriptor, self._kept, size - self._kept).partition(b"\n")[2]
        self._dropped += size - len(end) - len(self._notice)
        self._notice = b"[belljar: %d bytes of earlier output dropped]\n" % self._dropped
        os.ftruncate(self.descriptor, 0)
        with suppress(OSError):  # a disk that others have filled meanwhile: the service's own prints fail as well
            os.write(self.descriptor, self._notice + end)
