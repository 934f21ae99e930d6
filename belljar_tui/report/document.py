"""`md`: Markdown for a postmortem document, as GitHub, GitLab and most wikis read it, with Mermaid diagrams."""

from __future__ import annotations

import re
from typing import Any

from belljar_tui.core.report import Report
from belljar_tui.report import mermaid
from belljar_tui.report.templates import rendered
from belljar_tui.report.words import printable

_MEANS_SOMETHING = re.compile(r"([\\`*_{}\[\]()#+!|~$@:-])")
_BLANK_LINES = re.compile(r"\n{3,}")


class Written(str):
    """Markdown already: not escaped again."""

    __slots__ = ()


def render(report: Report) -> str:
    text = rendered(
        "markdown",
        "document.md",
        report,
        _escaped,
        code=code,
        flowchart=Written(mermaid.flowchart(report)),
        gantt=Written(mermaid.gantt(report)),
    )
    return _BLANK_LINES.sub("\n\n", text).strip() + "\n"


def code(text: str) -> Written:
    """`text` as a code span that can stand in a table."""
    inner = " ".join(printable(text).split()).replace("`", "'").replace("|", "¦")
    return Written(f"`{inner or ' '}`")


def _escaped(value: Any) -> Any:
    if not isinstance(value, str) or isinstance(value, Written):
        return value
    return escaped(value)


def escaped(text: str) -> str:
    """`text` as words and nothing else, on one line."""
    line = " ".join(printable(text).split())
    line = line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MEANS_SOMETHING.sub(_harmless, line)


def _harmless(match: re.Match[str]) -> str:
    """Within a line some of these mean nothing, and a document is to be readable as text too."""
    character, before, after = match[0], match.string[: match.start()], match.string[match.end() :]
    is_link = (character == ":" and after.startswith("//")) or (character == "(" and before.endswith("]"))
    return character if character in "-():+" and before.strip() and not is_link else f"\\{character}"
