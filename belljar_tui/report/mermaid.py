"""The Mermaid diagrams of the Markdown report: the graph as a flowchart, the time line as a Gantt chart. Pure.

Whatever stands in a label is written so that it can mean nothing to Mermaid: as its number in a flowchart, without
punctuation in a Gantt chart, which knows no escapes.
"""

from __future__ import annotations

from collections.abc import Iterator

from belljar_tui.core.model import Health
from belljar_tui.core.moments import shown
from belljar_tui.core.report import CutSpan, Report
from belljar_tui.export.mermaid import label
from belljar_tui.report.words import known_in, marks_of, printable, title_of, what_was_cut

NODES_AT_MOST, BARS_AT_MOST = 60, 60
_EDGES = (
    ("single", "==>"),
    ("needed (if", "-.->"),
    ("needed", "==>"),
    ("fallback", "-.->"),
    ("tolerated", "-.->"),
)


def flowchart(report: Report) -> str:
    """What the service calls, and what was found; empty where nothing is known."""
    known = known_in(report)[:NODES_AT_MOST]
    return "\n".join(["flowchart LR", *(f"  {line}" for line in _nodes(report, known))]) if known else ""


def _nodes(report: Report, known: list[str]) -> Iterator[str]:
    marks = marks_of(report)
    yield f'service(["{label(title_of(report))}"])'
    for index, identity in enumerate(known):
        yield f'd{index}["{label(shown(identity))}<br/>{label(marks[identity])}"]'
        edge = next((edge for word, edge in _EDGES if marks[identity].startswith(word)), "---")
        yield f"service {edge} d{index}"
    if single := [f"d{index}" for index, one in enumerate(known) if marks[one].startswith("single")]:
        yield "classDef single stroke-width:4px"
        yield f"class {','.join(single)} single"


def gantt(report: Report) -> str:
    """Health and cuts over seconds; empty where there are none."""
    if not report.health and not report.cuts:
        return ""
    form = "%H:%M:%S" if report.until_s >= 3600 else "%M:%S"
    lines = ["gantt", "  dateFormat x", f"  axisFormat {form}", "  section health"]
    lines += [_bar(str(one.health), _tag(one.health), one.at, one.until) for one in report.health[:BARS_AT_MOST]]
    section = "health"
    for cut in report.cuts[:BARS_AT_MOST]:
        if what_was_cut(cut) != section:
            section = what_was_cut(cut)
            lines.append(f"  section {_plain(section)}")
        lines.append(_bar(f"{cut.mode}", _tag(cut.effect), cut.at, _end(cut, report)))
    if report.state.notes:
        lines.append("  section notes")
        notes = enumerate(report.state.notes[:BARS_AT_MOST], 1)
        lines += [f"  note {number} : milestone, {_ms(note.at)}, 0ms" for number, note in notes]
    return "\n".join(lines)


def _tag(health: Health) -> str:
    return {Health.UNHEALTHY: "crit, ", Health.HEALTHY: "done, "}.get(health, "active, ")


def _end(cut: CutSpan, report: Report) -> float:
    return report.until_s if cut.until is None else cut.until


def _bar(name: str, tag: str, at: float, until: float) -> str:
    return f"  {_plain(name)} : {tag}{_ms(at)}, {max(_ms(until), _ms(at) + 1)}"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _plain(text: str) -> str:
    kept = "".join(c if c.isalnum() or c in " .-_/" else " " for c in printable(text))
    return " ".join(kept.split())[:60] or "-"
