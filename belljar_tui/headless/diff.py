"""`belljar diff`: what changed between two profiles, for a review."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from belljar_tui.core.profile import claim_of
from belljar_tui.core.profile_diff import Change, changes
from belljar_tui.headless import printer
from belljar_tui.journal.profile_file import read_profile

SAME, DIFFERENT = 0, 1
"""Exit codes, as those of diff(1); trouble is 2."""


def diff(before: str, after: str, *, as_json: bool) -> int:
    """Returns whether the contract is the same. Raises BadProfile."""
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
