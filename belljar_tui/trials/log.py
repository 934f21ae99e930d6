"""Where the output of a trial goes: a file of its own, `trial-N.log`."""

from __future__ import annotations

from pathlib import Path

from belljar_tui.errors import UsageError

_TAIL_BYTES = 4096
_WORDS = 200


def new_log(folder: Path, number: int) -> Path:
    """An empty file for the `number`th trial, readable by its owner alone. Raises UsageError when it cannot be made."""
    log = folder / f"trial-{number}.log"
    try:
        log.unlink(missing_ok=True)
        log.touch(mode=0o600)
    except OSError as error:
        raise UsageError(f"{log}: {error.strerror}.", "The output of a trial goes there.") from error
    return log


def last_line(log: Path) -> str:
    """The last line that says something; empty when there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip()[:_WORDS] for line in reversed(lines) if line.strip()), "")
