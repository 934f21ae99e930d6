"""Which running container is meant, where the command line names none: a list to choose from."""

from __future__ import annotations

import asyncio
import os
import re
import sys

from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.jars.engine import Json
from belljar_tui.jars.target import PROJECT, SERVICE, name_of, running

HEADINGS = ("NAME", "IMAGE", "SERVICE", "NETWORKS", "HEALTH")
_HEALTH = re.compile(r"\((healthy|unhealthy|health: starting|Paused)\)")
Row = tuple[str, tuple[str, ...]]
"""Whole id, and what is shown."""


def pick(*, may_ask: bool) -> str:
    """The chosen container's id. Raises UsageError where nobody can be asked, nothing runs, or none was chosen."""
    rows = [row_of(each) for each in asyncio.run(running())]
    if not rows:
        raise UsageError("No container runs.", remedy="Start one, or name the PID of a process: belljar attach PID")
    if not may_ask:
        names = ", ".join(cells[0] for _, cells in rows)
        raise UsageError("What is to be attached to?", f"These run: {names}.", "Name one: belljar attach NAME")
    chosen = _numbered(rows) if os.environ.get("TERM", "dumb") == "dumb" else _listed(rows)
    if chosen is None:
        raise UsageError("Nothing was chosen; nothing was touched.")
    return chosen


def row_of(listed: Json) -> Row:
    """A listed container as a row."""
    labels = listed.get("Labels") or {}
    service = f"{labels[PROJECT]}/{labels[SERVICE]}" if PROJECT in labels and SERVICE in labels else ""
    networks = ", ".join((listed.get("NetworkSettings") or {}).get("Networks") or {})
    health = _HEALTH.search(str(listed.get("Status", "")))
    words = health[1].lower().removeprefix("health: ") if health else ""
    return str(listed["Id"]), (name_of(listed), str(listed["Image"]), service, networks, words)


def _listed(rows: list[Row]) -> str | None:
    from belljar_tui.tui.pick_list import PickList

    return PickList(HEADINGS, rows).run()


def _numbered(rows: list[Row]) -> str | None:
    """For a terminal that can do no more than lines."""
    table = [HEADINGS, *(cells for _, cells in rows)]
    widths = [max(len(cells[column]) for cells in table) for column in range(len(HEADINGS))]
    for number, cells in enumerate(table):
        line = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
        diagnostics.note(f"{number or '':>3}  {line}".rstrip())
    while True:
        diagnostics.note(f"Attach to which? 1 to {len(rows)}, empty for none:")
        answer = sys.stdin.readline().strip()
        if not answer:
            return None
        if answer.isdigit() and 1 <= int(answer) <= len(rows):
            return rows[int(answer) - 1][0]
