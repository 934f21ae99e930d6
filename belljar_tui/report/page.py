"""`html`: one self-contained page. It loads nothing, runs nothing (its own policy forbids both), reads well in print,
in light and in dark, and every picture has a table that says the same."""

from __future__ import annotations

from typing import Any

from markupsafe import Markup

from belljar_tui.core.report import Report
from belljar_tui.report.templates import rendered
from belljar_tui.report.words import printable


def render(report: Report) -> str:
    return rendered("html", "page.html", report, _printable)


def _printable(value: Any) -> Any:
    """Text without characters a page cannot have; what a template itself made is left as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value
