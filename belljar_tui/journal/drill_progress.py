"""What somebody has found so far: one small JSON file under the state folder."""

from __future__ import annotations

from pathlib import Path

import msgspec

from belljar_tui.errors import UsageError
from belljar_tui.journal.whole_file import remedy, write_whole


class Done(msgspec.Struct, frozen=True):
    best: int
    """Points of the best play; 0: never found."""
    plays: int


class _Progress(msgspec.Struct, frozen=True):
    belljar_drill_progress: int = 1
    drills: dict[str, Done] = {}


def read_progress(path: Path) -> dict[str, Done]:
    """Drill -> what was done; nothing where there is no file. Raises UsageError when it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Progress).drills
    except FileNotFoundError:
        return {}
    except (OSError, msgspec.MsgspecError) as error:
        remedy = "Put it aside to begin anew."
        raise UsageError(f"{path}: {error}.", "The progress of drills is kept there.", remedy) from error


def keep(path: Path, name: str, score: int) -> None:
    """Write down a play. Raises UsageError when that cannot be done."""
    done = read_progress(path)
    before = done.get(name, Done(0, 0))
    done[name] = Done(max(before.best, score), before.plays + 1)
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, msgspec.json.format(msgspec.json.encode(_Progress(drills=done)), indent=2) + b"\n")
    except OSError as error:
        why = "The progress of drills is kept there."
        raise UsageError(f"{path}: {error.strerror}.", why, remedy(error)) from error
