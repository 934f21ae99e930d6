"""The journal being written: a header line, then one event a line, append only."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

import belljar_tui
from belljar_tui.core.events import AnyEvent, EventsLost, encode
from belljar_tui.errors import BadJournal
from belljar_tui.journal.migrate import VERSION


class Header(msgspec.Struct, frozen=True, kw_only=True):
    """The first line."""

    belljar_journal: int
    """The format's version."""
    written_by: str = ""
    """BellJar's version."""


class JournalWriter:
    """Writes every event with one system call, so that nothing written is lost to `kill -9` of this process.

    A failing disk never stops the session: the first failure stands in `failure`, every unwritten event is counted
    in `lost`, and once the disk takes lines again the gap stands in the journal as an EventsLost.
    """

    def __init__(self, path: Path) -> None:
        """Raises BadJournal when the file cannot be made, or is already there."""
        self.path = path
        self.lost = 0
        """Events that could not be written."""
        self.failure = ""
        """The first failure in the system's words; empty while all is well."""
        self._good_size = 0
        self._gap = 0
        self._is_torn = False
        self._file = _created(path)
        header = Header(belljar_journal=VERSION, written_by=belljar_tui.__version__)
        self._header = msgspec.json.encode(header) + b"\n"
        self._append(self._header)

    def write(self, event: AnyEvent) -> bool:
        """Append one event; whether the disk took it. Never raises for the disk's sake."""
        line = encode(event) + b"\n"
        if self._gap:
            line = encode(EventsLost(at=event.at, source="journal", count=self._gap)) + b"\n" + line
        if self._append(line):
            self._gap = 0
            return True
        self.lost += 1
        self._gap += 1
        return False

    def close(self) -> None:
        """Safe to call twice."""
        if self._file >= 0:
            descriptor, self._file = self._file, -1
            os.close(descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _append(self, line: bytes) -> bool:
        """Whether the whole of `line` is in the file."""
        if self._file < 0:
            return False
        if self._good_size == 0:
            line = line if line == self._header else self._header + line
        try:
            self._mend()
            self._write_all(line)
        except OSError as error:
            self._fail(error)
            return False
        self._good_size += len(line)
        return True

    def _write_all(self, line: bytes) -> None:
        rest = memoryview(line)
        while rest:
            self._is_torn = True
            rest = rest[os.write(self._file, rest) :]
        self._is_torn = False

    def _mend(self) -> None:
        """Take back the half line a full disk left, or the next line would grow out of its middle."""
        if self._is_torn:
            os.ftruncate(self._file, self._good_size)
            self._is_torn = False

    def _fail(self, error: OSError) -> None:
        with contextlib.suppress(OSError):
            self._mend()
        self.failure = self.failure or error.strerror or str(error)


def _created(path: Path) -> int:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    try:
        return os.open(path, flags, 0o600)
    except FileExistsError as error:
        raise BadJournal(
            str(path), "is already there.", "Name another file; a journal is never overwritten."
        ) from error
    except OSError as error:
        raise BadJournal(str(path), f"cannot be written: {error.strerror}.") from error
