"""The templates of one format, and what they may call. Whatever a template prints goes through `finalize` first, so
that nothing of a session's own words can mean something to the format."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import jinja2

from belljar_tui.core.model import Health
from belljar_tui.core.moments import shown
from belljar_tui.core.report import Report
from belljar_tui.core.search_view import SearchView
from belljar_tui.report import words
from belljar_tui.report.graph import graph_of
from belljar_tui.report.timeline import timeline_of

MOMENTS_AT_MOST = 400
"""Rows of the table beside the time line; the journal has them all."""


def rendered(folder: str, template: str, report: Report, finalize: Callable[[Any], Any], **more: Any) -> str:
    """`template` of `folder` (html or markdown), filled with the report.

    Args:
        finalize: makes harmless what is printed; HTML's own escaping comes after it.
        more: further names for the template.
    """
    return _environment(folder, finalize).get_template(template).render(**_names(report), **more)


@cache
def _environment(folder: str, finalize: Callable[[Any], Any]) -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("belljar_tui.report", folder),
        autoescape=folder == "html",
        finalize=finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _names(report: Report) -> Mapping[str, Any]:
    state = report.state
    search = state.search
    return {
        "report": report,
        "state": state,
        "claim": report.claim,
        "title": words.title_of(report),
        "jar": words.jar_of(report),
        "command": words.command_of(report),
        "summary": words.summary_of(report),
        "known": words.known_in(report),
        "marks": words.marks_of(report),
        "moments": report.moments[:MOMENTS_AT_MOST],
        "moments_left_out": max(len(report.moments) - MOMENTS_AT_MOST, 0),
        "search": search,
        "found": search.found if search is not None else None,
        "stuck_in_search": _stuck(search),
        "timeline": timeline_of(report),
        "graph": graph_of(report),
        "words": words,
        "shown": shown,
        "health_glyphs": {str(health): glyph for health, glyph in words.GLYPHS.items()},
        "UNHEALTHY": Health.UNHEALTHY,
    }


def _stuck(search: SearchView | None) -> list[str]:
    """What a steady trial cut, and the service did not come back from."""
    outcomes = [trial for trial in search.trials.values() if trial.outcome is not None] if search is not None else []
    return sorted({trial.about for trial in outcomes if trial.outcome and trial.outcome.is_stuck and trial.about})
