"""A journal read back: old versions migrated, a torn last line forgiven, any other damage told with its line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec

from belljar_tui.core.events import AnyEvent, decode
from belljar_tui.errors import BadJournal
from belljar_tui.journal.migrate import VERSION, Record, migrated
from belljar_tui.journal.writer import Header

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, LookupError, TypeError)
"""What reading a line that is no event may raise."""
_READ_ALL_THE_SAME = "belljar replay shows all of it that can be read."
_REMEDY = "Is it a journal (*.belljar.jsonl) that BellJar wrote?"


def nothing_in(path: Path) -> BadJournal:
    """What to say of a journal with a first line and no event."""
    return BadJournal(str(path), "nothing was recorded: there is no event in it.")


def read_journal(path: Path) -> list[AnyEvent]:
    """Every event of the journal at `path`. Raises BadJournal."""
    return list(iterate_journal(path))


def iterate_journal(path: Path, torn: Callable[[int], object] = lambda _: None) -> Iterator[AnyEvent]:
    """The events of the journal at `path` one by one, for journals larger than memory. Raises BadJournal.

    Args:
        torn: called with the number of a last line that is torn; it is left away.
    """
    try:
        with path.open("rb") as file:
            yield from _events(path, file, torn)
    except OSError as error:
        raise BadJournal(str(path), f"cannot be read: {error.strerror}.") from error


def _events(path: Path, file: BinaryIO, torn: Callable[[int], object]) -> Iterator[AnyEvent]:
    version = version_of(path, file.readline())
    if version > VERSION:
        why = f"line 1: it has format {version} and was written by a newer BellJar; this one reads up to {VERSION}."
        raise BadJournal(str(path), why, "Upgrade BellJar.")
    read = line_reader(version)
    for number, line in enumerate(file, start=2):
        try:
            event = read(line)
        except UNREADABLE as error:
            if not line.endswith(b"\n"):
                torn(number)  # the writer was killed in the middle of it
                return
            raise BadJournal(str(path), f"line {number}: {reason(line, error)}.", _READ_ALL_THE_SAME) from error
        yield event


def line_reader(version: int) -> Callable[[bytes], AnyEvent]:
    """What reads one line of that format; it may raise any of UNREADABLE."""
    return decode if version >= VERSION else _migrating(version)


def _migrating(version: int) -> Callable[[bytes], AnyEvent]:
    def read(line: bytes) -> AnyEvent:
        record: Record = msgspec.json.decode(line, type=Record)
        return decode(msgspec.json.encode(migrated(record, version)))

    return read


def version_of(path: Path, line: bytes) -> int:
    """The format that a journal's first line names, be it newer than ours. Raises BadJournal when it is none."""
    if not line:
        raise BadJournal(str(path), "is empty.", _REMEDY)
    try:
        version = msgspec.json.decode(line, type=Header).belljar_journal
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadJournal(str(path), "line 1: this is not the first line of a journal.", _REMEDY) from error
    if version < 1:
        raise BadJournal(str(path), f"line 1: there is no journal format {version}.", _REMEDY)
    return version


def reason(line: bytes, error: Exception) -> str:
    """Why a line is no event, in words."""
    if isinstance(error, msgspec.ValidationError):
        return f"not an event: {error}"
    return "damaged, not JSON" if line.strip() else "empty, where an event should be"
