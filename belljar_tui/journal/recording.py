"""A journal to look around in, however long and however damaged: read block by block, any block again on demand.

Nothing of it is kept but where each block begins. What cannot be read is passed over and told with its line; the file
is only ever read.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from belljar_tui.core.events import AnyEvent, decode_lines
from belljar_tui.core.time_line import TimeLine
from belljar_tui.errors import BadJournal
from belljar_tui.journal.migrate import VERSION
from belljar_tui.journal.reader import UNREADABLE, line_reader, nothing_in, reason, version_of

BLOCK_BYTES = 1 << 20
"""About 10,000 events: a seek folds at most so many."""
_DAMAGES_KEPT = 1000


class Damage(msgspec.Struct, frozen=True):
    """Lines that could not be read."""

    first: int
    last: int
    why: str

    def __str__(self) -> str:
        where = f"line {self.first:,}" if self.first == self.last else f"lines {self.first:,} to {self.last:,}"
        return f"{where}: {self.why}"


class _Span(msgspec.Struct, frozen=True, gc=False):
    offset: int
    size: int
    line: int
    """Number of its first line."""
    is_sound: bool = True
    """Every line of it is an event, of the present format."""


class Recording:
    """Open it, call `read_on` until it says False, and look at `line` at any time.

    Raises BadJournal from the beginning where nothing at all could be shown.
    """

    def __init__(self, path: Path, block_bytes: int = BLOCK_BYTES) -> None:
        self.path = path
        self.damages: list[Damage] = []
        self.line = TimeLine(self.load)
        self._block_bytes = block_bytes
        self._spans: list[_Span] = []
        self._file = _opened(path)
        try:
            self.size = os.fstat(self._file).st_size
            header = self._line_at(0)
            version = version_of(path, header)
        except BaseException:
            self.close()
            raise
        self._read: Callable[[bytes], AnyEvent] = line_reader(version)
        self._is_current = version >= VERSION
        if version > VERSION:
            why = f"the journal has format {version}, of a newer BellJar than this one, which reads up to {VERSION}"
            self._damage(1, f"{why}: shown is what it understands. Upgrade BellJar")
        self._next = _Span(len(header), 0, 2)

    @property
    def progress(self) -> float:
        """How much has been read, 0 to 1."""
        return min(1.0, self._next.offset / max(1, self.size))

    @property
    def is_read(self) -> bool:
        return self._next.offset >= self.size

    def read_on(self) -> bool:
        """Read one block more; whether there was one. Raises BadJournal when the disk fails."""
        if self.is_read:
            return False
        data = self._block_at(self._next.offset)
        if not data:
            self.size = self._next.offset  # it was cut short under our hands
            return False
        lines = data.count(b"\n")
        events = self._decoded_at_once(data, lines)
        is_sound = events is not None
        if events is None:
            events = self._one_by_one(data, self._next.line, self._damage)
        if events:
            self._spans.append(_Span(self._next.offset, len(data), self._next.line, is_sound))
            self.line.feed(events)
        self._next = _Span(self._next.offset + len(data), 0, self._next.line + lines)
        return True

    def read_all(self) -> TimeLine:
        while self.read_on():
            pass
        return self.line

    def load(self, number: int) -> Sequence[AnyEvent]:
        """A block's events once more."""
        span = self._spans[number]
        data = os.pread(self._file, span.size, span.offset)
        return decode_lines(data) if span.is_sound else self._one_by_one(data, span.line, lambda *_: None)

    def require_events(self) -> None:
        """Raises BadJournal when all has been read and there was nothing in it."""
        if self.is_read and not self.line.count:
            raise BadJournal(str(self.path), f"{self.damages[-1]}.") if self.damages else nothing_in(self.path)

    def line_of(self, index: int) -> int:
        """The line in the file of the `index`-th event, from 1."""
        number, offset = self.line.place_of(index)
        span = self._spans[number]
        damaged: list[int] = []
        data = os.pread(self._file, span.size, span.offset)
        self._one_by_one(data, span.line, lambda line, _: damaged.append(line))
        line = span.line + offset
        for each in damaged:
            line += each <= line
        return line

    def close(self) -> None:
        """Safe to call twice."""
        if self._file >= 0:
            descriptor, self._file = self._file, -1
            os.close(descriptor)

    def warnings(self) -> list[str]:
        """What is missing or odd, in words, with file and line; empty for a sound journal."""
        name, damages, backwards = self.path.name, self.damages, self.line.backwards
        found = [f"{name}, {damage}." for damage in damages[:2]]
        if len(damages) > 2:
            many = f"{len(damages):,}" if len(damages) < _DAMAGES_KEPT else f"{_DAMAGES_KEPT:,} and more"
            found.append(f"{name}: {many} places cannot be read; all that can is shown.")
        if backwards:
            first = backwards[0]
            more = f" (and {len(backwards) - 1:,} more)" if len(backwards) > 1 else ""
            where = f"{name}, line {self.line_of(first.index):,}{more}"
            found.append(f"{where}: time goes back by {first.by_s:.1f} s; the later holds.")
        return found

    def _decoded_at_once(self, data: bytes, lines: int) -> Sequence[AnyEvent] | None:
        """The events of that many whole lines; None where they have to be read one by one."""
        if not self._is_current or not data.endswith(b"\n"):
            return None
        try:
            events = decode_lines(data)
        except UNREADABLE:
            return None
        return events if len(events) == lines else None

    def _one_by_one(self, data: bytes, number: int, damage: Callable[[int, str], None]) -> list[AnyEvent]:
        found = []
        for at, line in enumerate(_lines(data), start=number):
            try:
                found.append(self._read(line))
            except UNREADABLE as error:
                is_torn = not line.endswith(b"\n")
                damage(at, "torn: the writer ended in the middle of it" if is_torn else reason(line, error))
        return found

    def _damage(self, line: int, why: str) -> None:
        last = self.damages[-1] if self.damages else None
        if last is not None and last.last == line - 1 and last.why.partition(":")[0] == why.partition(":")[0]:
            self.damages[-1] = Damage(last.first, line, last.why)
        elif len(self.damages) < _DAMAGES_KEPT:
            self.damages.append(Damage(line, line, why))

    def _block_at(self, offset: int) -> bytes:
        """Whole lines from there on; at the end of the file, whatever is left."""
        data = self._pread(self._block_bytes, offset)
        while data and offset + len(data) < self.size and b"\n" not in data:
            more = self._pread(len(data), offset + len(data))
            if not more:
                break
            data += more
        return data[: data.rfind(b"\n") + 1] or data

    def _line_at(self, offset: int) -> bytes:
        data = self._pread(1 << 16, offset)
        return data[: data.find(b"\n") + 1 or len(data)]

    def _pread(self, size: int, offset: int) -> bytes:
        try:
            return os.pread(self._file, size, offset)
        except OSError as error:
            raise BadJournal(str(self.path), f"cannot be read: {error.strerror}.") from error


def _lines(data: bytes) -> list[bytes]:
    """With their ends, where they have one."""
    *whole, rest = data.split(b"\n")
    return [line + b"\n" for line in whole] + ([rest] if rest else [])


def _opened(path: Path) -> int:
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise BadJournal(str(path), f"cannot be read: {error.strerror}.") from error
