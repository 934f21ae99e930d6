"""A disk of its own for a command: small, seen by nobody else, and gone with the last who uses it."""

from __future__ import annotations

from pathlib import Path

_MOUNT = 'mount -t tmpfs -o size=1m tmpfs "$0" && exec "$@"'


def on_small_disk(folder: Path) -> tuple[str, ...]:
    """What comes before the command's own words, as root: `folder` is a disk of 1 MiB for it."""
    return ("unshare", "--mount", "sh", "-c", _MOUNT, str(folder))


def fill(folder: Path) -> None:
    """Its disk takes not one byte more."""
    with (folder / "filler").open("wb", buffering=0) as filler:
        size = 1 << 16
        while size:
            try:
                filler.write(b"\0" * size)
            except OSError:
                size //= 2
