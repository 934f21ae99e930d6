"""`belljar report`: a recorded session as a page, or as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from pathlib import Path

from belljar_tui import locations
from belljar_tui.core.events import AnyEvent, NoteAdded
from belljar_tui.core.profile import Profile
from belljar_tui.core.report import report_of
from belljar_tui.core.time_line import JITTER_S
from belljar_tui.errors import BadJournal, CannotExport, UsageError
from belljar_tui.headless import diagnostics, printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.journal.notes import LateNote, Notebook
from belljar_tui.journal.profile_file import read_profile
from belljar_tui.journal.reader import iterate_journal, nothing_in
from belljar_tui.journal.sessions import journal_at
from belljar_tui.journal.whole_file import remedy, write_whole
from belljar_tui.report import FORMATS, render


def report(source: str, *, to: str | None, output: str | None, profile: str | None) -> int:
    """Write the report of the session at `source`: a journal, a session's folder, or its name.

    Of a journal that is damaged on the way, what stands before the damage is reported, and the exit code is 2; so it
    is, without the notes, where those made afterwards cannot be read. Raises BellJarError when nothing can be read, or
    the report not be written.
    """
    form = to or _form_of(output)
    journal = journal_at(source)
    contract = read_profile(Path(profile)) if profile is not None else _profile_beside(journal, source)
    notes = Notebook(journal)
    reading = _Reading(journal, notes.notes)
    told = report_of(reading, profile=contract)
    if not reading.count:
        raise reading.damage or nothing_in(journal)
    oddities = list(reading.oddities)
    if reading.damage:
        again = _Reading(journal, notes.notes)
        told = report_of(again, profile=contract, damage=str(reading.damage).replace(f"{journal}: ", ""))
    text = render(told, form)
    if output is None or output == "-":
        printer.line(text.removesuffix("\n").encode(errors="replace"))
    else:
        _write(Path(output), text)
    for oddity in oddities:
        diagnostics.note(f"belljar: {journal}: {oddity}")
    if reading.damage:
        diagnostics.note(f"belljar: {reading.damage}\nThe report has what stands before that.")
    if notes.failure:
        diagnostics.note(f"belljar: {notes.path}: {notes.failure}\nThe report is without the notes made afterwards.")
    return Exit.USAGE if reading.damage or notes.failure else Exit.HOLDS


class _Reading:
    """The events of a journal up to its end, or to where it is damaged; notes made afterwards are among them."""

    def __init__(self, journal: Path, notes: Sequence[LateNote]) -> None:
        self._journal = journal
        self._notes = notes
        self.count = 0
        self.damage: BadJournal | None = None
        self._latest = 0.0
        self._torn = 0
        self._backwards: list[int] = []
        """Numbers of lines."""

    @property
    def oddities(self) -> Iterator[str]:
        """What was read all the same, in words, with its line."""
        if self._backwards:
            more = f" (and {len(self._backwards) - 1:,} more)" if len(self._backwards) > 1 else ""
            yield f"line {self._backwards[0]}{more}: time goes back; the later holds."
        if self._torn:
            yield f"line {self._torn}: torn: the writer ended in the middle of it. What it said is missing."

    def __iter__(self) -> Iterator[AnyEvent]:
        return merge(self._recorded(), map(_event_of, self._notes), key=lambda event: event.at)

    def _recorded(self) -> Iterator[AnyEvent]:
        try:
            for event in iterate_journal(self._journal, self._tear):
                self.count += 1
                if event.at < self._latest - JITTER_S:
                    self._backwards.append(self.count + 1)
                self._latest = max(self._latest, event.at)
                yield event
        except BadJournal as error:
            self.damage = error

    def _tear(self, line: int) -> None:
        self._torn = line


def _event_of(note: LateNote) -> AnyEvent:
    return NoteAdded(at=note.at, text=f"{note.text} (noted afterwards)", dependency=note.dependency)


def _profile_beside(journal: Path, source: str) -> Profile | None:
    """In a session's folder: its profile, where there is exactly one."""
    is_folder = journal != Path(source)
    found = sorted(journal.parent.glob(f"*{locations.PROFILE_SUFFIX}")) if is_folder else []
    return read_profile(found[0]) if len(found) == 1 else None


def _form_of(output: str | None) -> str:
    suffix = Path(output or "").suffix.removeprefix(".").lower()
    form = {"htm": "html", "markdown": "md"}.get(suffix, suffix)
    if form in FORMATS:
        return form
    what = f"{output}: no format is known by that suffix." if output else "Which format is it to have?"
    raise UsageError(what, remedy=f"Name a file that ends in .html or .md, or give --to {'|'.join(FORMATS)}")


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode(errors="replace"))
    except OSError as error:
        raise CannotExport(f"{path} cannot be written: {error.strerror}.", remedy=remedy(error)) from error
