"""Notes made while looking at a recorded session. They stand beside the journal, which is never written again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from belljar_tui.errors import BadJournal
from belljar_tui.journal.whole_file import remedy, write_whole

VERSION = 1
SUFFIX = ".notes.jsonl"
_REMEDY = "Mend it or move it away; it is not written to as it is."


class LateNote(msgspec.Struct, frozen=True, kw_only=True):
    """A note on a moment of the past."""

    at: float
    """The moment, seconds since the session started."""
    text: str
    dependency: str | None = None
    written: str = ""
    """Wall clock, ISO 8601 with zone."""


class _Header(msgspec.Struct, frozen=True, kw_only=True):
    belljar_notes: int


def notes_of(journal: Path) -> Path:
    """Where the notes on a journal are: `journal.belljar.jsonl` has `journal.belljar.notes.jsonl`."""
    return journal.with_name(journal.name.removesuffix(".jsonl") + SUFFIX)


def read_notes(path: Path) -> list[LateNote]:
    """By moment; none where there is no file. Raises BadJournal."""
    try:
        head, *lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BadJournal(str(path), f"cannot be read: {error.strerror}.") from error
    except ValueError:
        return []  # empty: nothing was ever noted
    number = 1
    try:
        version = msgspec.json.decode(head, type=_Header).belljar_notes
        if version != VERSION:
            raise BadJournal(str(path), f"line 1: notes of format {version}; this BellJar reads {VERSION}.", _REMEDY)
        notes = []
        for number, line in enumerate(lines, start=2):  # noqa: B007  # told in the error
            notes.append(msgspec.json.decode(line, type=LateNote))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadJournal(str(path), f"line {number}: not a note: {error}.", _REMEDY) from error
    return sorted(notes, key=lambda note: note.at)


class Notebook:
    """The notes on one journal, in memory and in their file. Every change is made to what the file has by then."""

    def __init__(self, journal: Path) -> None:
        self.path = notes_of(journal)
        self.notes: list[LateNote] = []
        self.failure = ""
        """Why the file could not be read; empty while all is well."""
        try:
            self.notes = read_notes(self.path)
        except BadJournal as error:
            self.failure = error.what

    def add(self, note: LateNote) -> None:
        """Raises BadJournal when it cannot be kept."""
        self._change(lambda notes: [*notes, note])

    def replace(self, old: LateNote, new: LateNote) -> None:
        """Raises BadJournal likewise."""
        self._change(lambda notes: [*(note for note in notes if note != old), new])

    def remove(self, old: LateNote) -> None:
        """Raises BadJournal likewise."""
        self._change(lambda notes: [note for note in notes if note != old])

    def _change(self, change: Callable[[list[LateNote]], list[LateNote]]) -> None:
        notes = sorted(change(read_notes(self.path)), key=lambda note: note.at)
        lines = [msgspec.json.encode(_Header(belljar_notes=VERSION)), *map(msgspec.json.encode, notes)]
        try:
            write_whole(self.path, b"".join(line + b"\n" for line in lines), mode=0o600)
        except OSError as error:
            raise BadJournal(str(self.path), f"cannot be written: {error.strerror}.", remedy(error)) from error
        self.notes = notes
