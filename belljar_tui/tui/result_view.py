"""What a search found out, in words, as one page to scroll."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.widgets import Static

from belljar_tui.core.question import Question
from belljar_tui.core.reasons import in_modes
from belljar_tui.core.search import Conclusion, Conflict, Found
from belljar_tui.core.search_view import SearchView
from belljar_tui.core.trial import TrialVerdict
from belljar_tui.tui import search_words as say
from belljar_tui.tui import words

Section = tuple[str, list[Text]]
"""A label, and its lines."""
_NAMED = 60
"""Names in one list; the profile and the grid have all of them."""


class ResultView(VerticalScroll, can_focus=True):
    """Shows the answer of one search."""

    def compose(self) -> ComposeResult:
        yield Static(id="answer")

    def show(self, name: str, view: SearchView) -> None:
        """Take the answer of the service `name`. Does nothing before there is one."""
        if view.found is None:
            return
        self.query_one("#answer", Static).update(answer(name, view, view.found))


def answer(name: str, view: SearchView, found: Found) -> RenderableType:
    """The page. Everything that tempers the answer is said in it."""
    if found.conclusion is not Conclusion.FOUND:
        return Group(*_no_answer(name, view, found))
    parts: list[RenderableType] = [_claim(name, view, found), Text(), _table(_sets(found))]
    if len(view.question.modes) > 1:
        parts += [Text(), _heat_map(view.question, found)]
    return Group(*parts, Text(), _table(_reliance(view, found)))


def _claim(name: str, view: SearchView, found: Found) -> Text:
    many = len(found.minimal)
    known = many + len(found.tolerated) + len(found.never_called)
    if not many:
        return Text(f"{name} needs nothing: it is healthy with everything cut.", style="bold green")
    verb = "starts" if view.recovery == "cold" else "stays healthy"
    of = "only with all" if many == known else f"with {many}"
    rest = f"all else cut ({view.question.modes[0]})"
    return Text(f"{name} {verb} {of} of its {say.counted(known, 'dependency')} open, {rest}.", style="bold")


def _sets(found: Found) -> list[Section]:
    alone = [cut[0] for cut in found.cut_sets if len(cut) == 1]
    groups = [cut for cut in found.cut_sets if len(cut) > 1]
    others = [one for one in found.working_sets if one != found.minimal]
    sections: list[Section] = [
        ("minimal set", _names(found.minimal, say.IN_SET, "bold cyan")),
        ("single points\nof failure", _names(alone, "✗", "bold red")),
        ("fallbacks", [_line("◇", "bold magenta", f"{say.any_of(group)}: any one will do") for group in groups]),
        ("other sets", [_line(say.IN_SET, "cyan", say.listed(one, _NAMED)) for one in others]),
        ("tolerated", _names(found.tolerated, "✓", "green")),
        ("never called", _names(found.never_called, "○", "dim")),
    ]
    return [(label, lines) for label, lines in sections if lines]


def _names(ids: tuple[str, ...] | list[str], glyph: str, style: str) -> list[Text]:
    """One paragraph of names under one glyph."""
    return [_line(glyph, style, say.listed(ids, _NAMED))] if ids else []


def _line(glyph: str, style: str, text: str) -> Text:
    line = Text(f"{glyph} ", style=style)
    line.append(text, style="not bold default")
    return line


def _heat_map(question: Question, found: Found) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("each cut by itself", no_wrap=True, overflow="ellipsis")
    for mode in question.modes:
        table.add_column(question.named(mode), justify="center", no_wrap=True)
    table.add_column("", overflow="fold")
    telling_first = sorted(found.modes, key=lambda one: (not in_modes(found.modes[one]), say.named(one)))
    for one in telling_first:
        row = found.modes[one]
        table.add_row(
            say.named(one), *(_heat(row.get(mode)) for mode in question.modes), Text(in_modes(row), "bold yellow")
        )
    return table


def _heat(verdict: TrialVerdict | None) -> Text:
    if verdict is None:
        return Text("·", style="dim")
    return Text(*say.VERDICTS[verdict])


def _reliance(view: SearchView, found: Found) -> list[Section]:
    """How far to trust it, and where it went wrong."""
    took = words.clock((view.ended_at or view.started_at) - view.started_at)
    trials = f"{say.counted(view.done, 'trial')} in {took}"
    recalled = sum(trial.is_recalled for trial in view.trials.values())
    repeats = [f"{view.repeated} repeated"] if view.repeated else []
    repeats += [f"{recalled} recalled from an earlier search"] if recalled else []
    sections: list[Section] = [("evidence", [Text(" · ".join([trials, *repeats]))])]
    if found.flaky:
        words_ = f"{say.counted(found.flaky, 'trial')} both passed and failed; one pass counts for more than a failure"
        sections.append(("flaky", [Text(words_, style="yellow")]))
    if not found.is_monotone:
        lines = [Text("With more open it was worse, so nothing was inferred: every step was tried.", "yellow")]
        sections.append(("contradiction", lines + [_conflict(one) for one in found.conflicts[:4]]))
    stuck = sorted({say.listed(_shut(view, number)) for number in _stuck(view)})
    if stuck:
        sections.append(("stuck after restore", [Text(f"after cutting {one}", style="bold red") for one in stuck]))
    if not found.is_complete:
        sections.append(("incomplete", [Text("there are more sets than the limit; these are not all", style="yellow")]))
    return sections


def _stuck(view: SearchView) -> list[int]:
    return [number for number, t in view.trials.items() if t.outcome is not None and t.outcome.is_stuck]


def _shut(view: SearchView, number: int) -> list[str]:
    return [one for one in view.dependencies if not view.trials[number].is_open(one)]


def _conflict(conflict: Conflict) -> Text:
    more = sorted(set(conflict.failed) - set(conflict.passed))
    said = f"healthy with {say.listed(conflict.passed) or 'nothing'} open; "
    return Text(said + (f"broken with {say.listed(more)} open as well" if more else "broken with the same open"))


def _no_answer(name: str, view: SearchView, found: Found) -> list[RenderableType]:
    """What happened, what it means, what to do next."""
    if found.conclusion is Conclusion.NEVER_HEALTHY:
        pinned = bool(view.question.stay_cut) and any(o.verdict is TrialVerdict.HEALTHY for o in view.outcomes)
        said, remedy = _NEVER_PINNED if pinned else _NEVER
    else:
        said, remedy = _INCONCLUSIVE
    sections: list[Section] = [
        ("its words", [Text(found.detail or "none")]),
        ("what to do", [Text(line) for line in remedy]),
    ]
    return [Text(said.format(name=name), style="bold yellow"), Text(), _table([*sections, *_reliance(view, found)])]


_NEVER = (
    "{name} was not healthy even with everything open, so there is nothing to find.",
    [
        "Escape: see in the explorer whether it becomes healthy there, and what its check says.",
        "Needs it longer to start? Give it a longer --deadline.",
        "x searches again.",
    ],
)
_NEVER_PINNED = (
    "{name} is broken by what was pinned cut.",
    ["Search again with fewer dependencies pinned cut."],
)
_INCONCLUSIVE = (
    "A trial said nothing three times over, so the search ended without an answer.",
    [
        "←: the last trials, and why each said nothing.",
        "Mend that; x searches again.",
    ],
)


def _table(sections: list[Section]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for label, lines in sections:
        for number, line in enumerate(lines):
            table.add_row(label if not number else "", line)
    return table
