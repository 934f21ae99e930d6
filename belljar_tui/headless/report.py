"""`belljar report`: a recorded session as a page, or as Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from belljar_tui import locations
from belljar_tui.core.events import AnyEvent
from belljar_tui.core.profile import Profile
from belljar_tui.core.report import report_of
from belljar_tui.errors import BadJournal, CannotExport, UsageError
from belljar_tui.headless import diagnostics, printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.journal.profile_file import read_profile
from belljar_tui.journal.reader import iterate_journal
from belljar_tui.report import FORMATS, render


def report(source: str, *, to: str | None, output: str | None, profile: str | None) -> int:
    """Write the report of the session at `source`, a journal or a session's folder.

    Of a journal that is damaged on the way, what stands before the damage is reported, and the exit code is 2. Raises
    BellJarError when nothing can be read, or the report not be written.
    """
    form = to or _form_of(output)
    journal = journal_at(Path(source))
    contract = read_profile(Path(profile)) if profile is not None else _profile_beside(journal, Path(source))
    reading = _Reading(journal)
    told = report_of(reading, profile=contract)
    if reading.damage:
        if not reading.count:
            raise reading.damage
        told = report_of(_Reading(journal), profile=contract, damage=str(reading.damage).replace(f"{journal}: ", ""))
    text = render(told, form)
    if output is None or output == "-":
        printer.line(text.removesuffix("\n").encode(errors="replace"))
    else:
        _write(Path(output), text)
    if reading.damage:
        diagnostics.note(f"belljar: {reading.damage}\nThe report has what stands before that.")
    return Exit.USAGE if reading.damage else Exit.HOLDS


def journal_at(path: Path) -> Path:
    """The journal at `path`, which may be a session's folder."""
    return locations.journal_of(path) if path.is_dir() else path


class _Reading:
    """The events of a journal up to its end, or to where it is damaged."""

    def __init__(self, journal: Path) -> None:
        self._journal = journal
        self.count = 0
        self.damage: BadJournal | None = None

    def __iter__(self) -> Iterator[AnyEvent]:
        try:
            for event in iterate_journal(self._journal):
                self.count += 1
                yield event
        except BadJournal as error:
            self.damage = error


def _profile_beside(journal: Path, source: Path) -> Profile | None:
    """In a session's folder: its profile, where there is exactly one."""
    found = sorted(journal.parent.glob(f"*{locations.PROFILE_SUFFIX}")) if source.is_dir() else []
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
        path.write_bytes(text.encode(errors="replace"))
    except OSError as error:
        raise CannotExport(f"{path} cannot be written: {error.strerror}.") from error
