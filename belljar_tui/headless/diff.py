"""`belljar diff`: what changed between two profiles, for a review; or between two recorded sessions."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from belljar_tui.core.profile import claim_of
from belljar_tui.core.profile_diff import Change, changes
from belljar_tui.core.report import Report, report_of
from belljar_tui.core.session_diff import Difference, differences
from belljar_tui.core.state import State
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics, printer
from belljar_tui.journal.profile_file import read_profile
from belljar_tui.journal.reader import iterate_journal, nothing_in
from belljar_tui.journal.sessions import is_session_folder, journal_at

SAME, DIFFERENT = 0, 1
"""Exit codes, as those of diff(1); trouble is 2."""
_PEEK = 64
"""Bytes of a file that tell what it is."""


def diff(before: str, after: str, *, as_json: bool) -> int:
    """Returns whether they are the same. Raises BadProfile and BadJournal, and UsageError for one of each."""
    kinds = [_is_session(path) for path in (before, after)]
    if all(kinds):
        return _sessions(journal_at(before), journal_at(after), as_json=as_json)
    if any(kinds):
        session, profile = (before, after) if kinds[0] else (after, before)
        raise UsageError(
            f"{session} is a recorded session and {profile} is not.",
            remedy="Compare two sessions, or two profiles: a session saves its profile with s, a search with -o.",
        )
    return _profiles(before, after, as_json=as_json)


def _is_session(where: str) -> bool:
    """By content: a journal's first line says that it is one. What can be read only once is taken for a profile."""
    path = Path(where)
    if is_session_folder(where):
        return True
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            return file.read(_PEEK).lstrip().startswith(b'{"belljar_journal"')
    except OSError:
        return False


def _sessions(before: Path, after: Path, *, as_json: bool) -> int:
    found = differences(_told(before), _told(after))
    if as_json:
        printer.json({"same": not found, "differences": found})
    elif found:
        lines = [f"  {_mark(one)} {escape(one.words)}" for one in found]
        printer.rich("\n".join(["[bold]The sessions differ:[/]", *lines]))
    else:
        printer.rich("[bold]The same was called, cut and needed.[/]")
    return DIFFERENT if found else SAME


def _told(journal: Path) -> Report:
    """Raises BadJournal, also where nothing was recorded. A torn last line is said."""
    torn = f"belljar: {journal}: line {{}}: torn: the writer ended in the middle of it. What it said is missing."
    told = report_of(iterate_journal(journal, lambda line: diagnostics.note(torn.format(line))))
    if told.state == State():
        raise nothing_in(journal)
    return told


def _mark(one: Difference) -> str:
    if one.before is None:
        return "[green]+[/]"
    return "[red]-[/]" if one.after is None else "[yellow]~[/]"


def _profiles(before: str, after: str, *, as_json: bool) -> int:
    one, other = read_profile(Path(before)), read_profile(Path(after))
    found = changes(one, other)
    is_same = not any(change.is_contract for change in found)
    if as_json:
        claims = {"before": claim_of(one), "after": claim_of(other)}
        printer.json({"same_contract": is_same, "claims": claims, "changes": found})
    else:
        printer.rich("\n".join(_lines(claim_of(one), claim_of(other), found)))
    return SAME if is_same else DIFFERENT


def _lines(claim: str, claim_after: str, found: Sequence[Change]) -> list[str]:
    contract = [change for change in found if change.is_contract]
    evidence = [change for change in found if not change.is_contract]
    lines = [] if claim == claim_after else [f"[red]-[/] {escape(claim)}", f"[green]+[/] {escape(claim_after)}"]
    if contract:
        lines += ["[bold]The contract changed:[/]", *map(_line, contract)]
    else:
        lines.append("[bold]The contract is the same.[/]")
    if evidence:
        lines += ["[bold]The evidence changed:[/]", *map(_line, evidence)]
    return lines


def _line(change: Change) -> str:
    return f"  {_sign(change)} {escape(change.words)}"


def _sign(change: Change) -> str:
    if change.before is None:
        return "[green]+[/]"
    return "[red]-[/]" if change.after is None else "[yellow]~[/]"
