"""Every path BellJar uses, in one place (XDG base directories)."""

from __future__ import annotations

import os
from datetime import datetime
from itertools import count
from pathlib import Path

from belljar_tui.errors import UsageError

JOURNAL = "journal.belljar.jsonl"
SERVICE_LOG = "service.log"
PROFILE_SUFFIX = ".belljar.yaml"


def state_home() -> Path:
    """`~/.local/state/belljar` unless XDG_STATE_HOME says otherwise."""
    return _home("XDG_STATE_HOME", ".local/state") / "belljar"


def config_home() -> Path:
    """`~/.config/belljar` unless XDG_CONFIG_HOME says otherwise."""
    return _home("XDG_CONFIG_HOME", ".config") / "belljar"


def keymap() -> Path:
    """Where a person remaps keys."""
    return config_home() / "keymap.yaml"


def sessions() -> Path:
    """The folder of all recorded sessions."""
    return state_home() / "sessions"


def drill_progress() -> Path:
    """What somebody has found in drills so far."""
    return state_home() / "drills.json"


def new_session(name: str, started: datetime) -> Path:
    """Make and return a folder of its own for a session, readable by its owner alone.

    Raises UsageError when it cannot be made.
    """
    stem = f"{_safe(name)}-{started:%Y%m%d-%H%M%S}"
    try:
        _make_private(sessions())
        for number in count(1):
            folder = sessions() / (stem if number == 1 else f"{stem}-{number}")
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        remedy = "Set XDG_STATE_HOME to a folder that you can write to, on a disk that has room."
        raise UsageError(f"{error.filename}: {error.strerror}.", "The session's journal goes there.", remedy) from error
    raise AssertionError("count() has no end")


def journal_of(session: Path) -> Path:
    return session / JOURNAL


def service_log_of(session: Path) -> Path:
    return session / SERVICE_LOG


def profile_of(name: str, directory: Path) -> Path:
    """Where a profile is saved unless a path is given: `NAME.belljar.yaml` in `directory`."""
    return directory / f"{_safe(name)}{PROFILE_SUFFIX}"


def _home(variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable, ""))
    if path.is_absolute():  # The XDG specification: a relative path is to be ignored.
        return path
    try:
        return Path.home() / default
    except RuntimeError as error:
        raise UsageError("Your home folder is not known.", remedy=f"Set HOME, or {variable}.") from error


def _make_private(folder: Path) -> None:
    # mkdir(parents=True) gives the mode to the last folder only.
    for missing in reversed([f for f in (folder, *folder.parents) if not f.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)


def _safe(name: str) -> str:
    """`name` as a part of a file name."""
    kept = "".join(c if c.isalnum() or c in "._-" else "-" for c in name)[:80].strip(".-")
    return kept or "session"
