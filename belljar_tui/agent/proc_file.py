"""A file of proc, with plain system calls: a held call waits for it."""

from __future__ import annotations

import os


def content(path: str, size: int) -> bytes:
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
