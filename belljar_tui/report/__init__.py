"""A session as a page: `core.report` says what happened, the modules here how it looks. One small template per part, in
`html/` and `markdown/`; pictures are computed (`timeline`, `graph`, `mermaid`) and only written down by templates.

A new format is a module here with a function `render`, and a line in FORMATS.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from belljar_tui.core.report import Report

FORMATS = {"html": "one self-contained page", "md": "Markdown with Mermaid diagrams, for a postmortem document"}
"""Suffix -> what one gets."""
_MODULES = {"html": "page", "md": "document"}


def render(report: Report, to: str) -> str:
    """The report in the format `to`, one of FORMATS."""
    rendered: Callable[[Report], str] = import_module(f"{__name__}.{_MODULES[to]}").render
    return rendered(report)
