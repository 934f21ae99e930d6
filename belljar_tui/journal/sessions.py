"""Recorded sessions: finding a journal by file, folder or name, and telling them apart in a list."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from belljar_tui import locations
from belljar_tui.core import events as ev
from belljar_tui.errors import BadJournal

_END_BYTES = 1 << 14
_SUFFIX = ".belljar.jsonl"


class Recorded(msgspec.Struct, frozen=True):
    """What a list says of a session."""

    journal: Path
    name: str
    """The session's name; the folder's where the journal does not say."""
    started: str
    """Wall clock, ISO 8601; empty where the journal does not say."""
    length_s: float | None
    """None where its end could not be read."""
    how: str
    """Why it ended; empty where it was killed, or runs still."""
    size: int


def journal_at(where: str) -> Path:
    """The journal that a person means: a file, a session's folder, or the name of a recorded session.

    Raises BadJournal when there is none, or several.
    """
    path = _named(where)
    if not path.is_dir():
        return path
    if locations.journal_of(path).exists():
        return locations.journal_of(path)
    found = sorted(path.glob(f"*{_SUFFIX}"))
    if len(found) == 1:
        return found[0]
    why = f"there are {len(found)} journals in it." if found else f"there is no journal (*{_SUFFIX}) in it."
    raise BadJournal(where, why, "Name the file." if found else "Name a session's folder, or a journal.")


def is_session_folder(where: str) -> bool:
    """Whether a person means a session's folder, or a recorded session by its name."""
    return _named(where).is_dir()


def said(journal: Path) -> str:
    """The shortest that means this journal: its session's name, where it is in its usual place."""
    folder = journal.parent
    is_usual = folder.parent == locations.sessions() and journal == locations.journal_of(folder)
    return folder.name if is_usual else str(journal)


def _named(where: str) -> Path:
    path = Path(where)
    if not path.exists() and os.sep not in where and (locations.sessions() / where).is_dir():
        return locations.sessions() / where
    return path


def recorded_sessions() -> list[Recorded]:
    """All in their usual place, newest first. What cannot be read is left out."""
    try:
        folders = [folder for folder in locations.sessions().iterdir() if locations.journal_of(folder).is_file()]
    except OSError:
        return []
    found = [_recorded(locations.journal_of(folder), folder.name) for folder in folders]
    return sorted((one for one in found if one is not None), key=_age)


def names(beginning: str = "") -> list[str]:
    """Names of recorded sessions, newest first: what a shell completes."""
    return [one.journal.parent.name for one in recorded_sessions() if one.journal.parent.name.startswith(beginning)]


def _age(one: Recorded) -> float:
    return -one.journal.stat().st_mtime


def _recorded(journal: Path, folder: str) -> Recorded | None:
    try:
        with journal.open("rb") as file:
            file.readline()
            first = _event(file.readline())
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _END_BYTES))
            tail = [event for event in map(_event, file.read().splitlines()) if event]
    except OSError:
        return None
    last = tail[-1] if tail else None
    end = next((event for event in tail if isinstance(event, ev.SessionEnded)), None)  # a profile may be saved after it
    return Recorded(
        journal,
        first.name if isinstance(first, ev.SessionStarted) else folder,
        first.started if isinstance(first, ev.SessionStarted) else "",
        last.at if last is not None else None,
        end.reason if end is not None else "",
        size,
    )


def _event(line: bytes) -> ev.AnyEvent | None:
    try:
        return ev.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
