"""What stands around the grid of trials: how far the search is, and the selected trial in words."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from belljar_tui.core.grid import Column, Grid, Heading
from belljar_tui.core.search_view import SearchView, TrialView
from belljar_tui.core.state import State
from belljar_tui.core.trial import Outcome
from belljar_tui.tui import search_words as say
from belljar_tui.tui import words

_WIDE = 100
_BAR, _BAR_WIDE = 16, 32


class SearchStatus(Static):
    """Two lines: what is being done, and how far it is."""

    _shown: Text | None = None

    def show(self, state: State, view: SearchView, now: float) -> None:
        is_wide = self.size.width >= _WIDE
        first = Text(" BellJar  " if is_wide else " ", style="bold")
        modes = ", ".join(view.question.modes)
        first.append(f"{state.name} · {view.recovery} · {modes}   ", style="")
        style = "bold yellow" if view.is_paused or view.stopped else "bold green" if view.found else "bold cyan"
        first.append(say.phase(view).partition("\n")[0], style=style)
        done, to_come = say.progress(view, _BAR_WIDE if is_wide else _BAR)
        second = Text(" ")
        second.append(done, style="cyan" if view.found is None else "green")
        second.append(to_come, style="dim")
        second.append("  " + " · ".join(say.figures(view, now)))
        for line in (first, second):
            line.truncate(self.size.width, overflow="ellipsis")
        text = Text("\n").join([first, second])
        if text != self._shown:
            self._shown = text
            self.update(text, layout=False)


class TrialPanel(Static):
    """The selected trial in words."""

    _shown: tuple[object, ...] = ()
    """What the words on the screen were made from."""

    def show(self, grid: Grid, number: int | None, now: float) -> None:
        column = next((c for c in grid.columns if c.trial.number == number), None)
        if column is None:
            self.border_title, self.border_subtitle, self._shown = "trial", "", ()
            self.update(Text("no trial yet", style="dim"), layout=False)
            return
        took = _took(column.trial, now)
        if (column.trial, took, self.size, len(grid.rows)) == self._shown:
            return
        self._shown = (column.trial, took, self.size, len(grid.rows))
        title = " · ".join(_heading(column, say.what_for(column.trial)))
        fits = len(title) <= self.size.width - 2
        self.border_title = title if fits else " · ".join(_heading(column, str(column.trial.phase or "")))
        self.border_subtitle = took
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
        table.add_column(style="dim", no_wrap=True, min_width=8)
        table.add_column(overflow="ellipsis", no_wrap=self.size.height < _TALL)
        for label, value in _facts(column, [row.dependency for row in grid.rows]):
            table.add_row(label, value)
        self.update(table, layout=False)


_TALL = 8
"""Lines from which on a long list may take more than one."""


def _heading(column: Column, what_for: str) -> list[str]:
    """Number, what came of it, and what it was for."""
    trial = column.trial
    glyph, _ = say.HEADINGS[column.heading]
    parts = [f"trial {trial.number}", f"{glyph} {column.heading}", what_for]
    if column.heading is Heading.ABANDONED:
        parts.append("its answer was no longer wanted")
    return [part for part in parts if part]


def _facts(column: Column, ids: list[str]) -> list[tuple[str, Text]]:
    trial, outcome = column.trial, column.trial.outcome
    facts = [
        ("open", Text(_opened(trial, ids))),
        ("cut", Text(_cut(trial, ids))),
        ("blocked", _blocked(outcome)),
        ("check", Text(outcome.detail if outcome is not None and outcome.detail else "–")),
    ]
    if outcome is not None and outcome.is_stuck:
        facts[2] = ("restored", Text("and it stayed unhealthy: stuck after restore", style="bold red"))
    return facts


def _opened(trial: TrialView, ids: list[str]) -> str:
    """The shorter way to say it: what is open, or what is not."""
    if trial.open is None:
        return "everything"
    opened = [one for one in ids if one in trial.open]
    shut = [one for one in ids if one not in trial.open]
    if not opened:
        return "nothing"
    if len(shut) < len(opened):
        return f"everything but {say.listed(shut)}" if shut else "everything"
    return f"{len(opened)}: {say.listed(opened)}"


def _cut(trial: TrialView, ids: list[str]) -> str:
    shut = [one for one in ids if not trial.is_open(one)]
    if not shut:
        return "nothing"
    everything = len(shut) == len(ids)
    return f"{trial.mode} · " + ("everything" if everything else f"{len(shut)}: {say.listed(shut)}")


def _blocked(outcome: Outcome | None) -> Text:
    if outcome is None:
        return Text("–", style="dim")
    if outcome.blocked is None:
        return Text("nobody watched", style="dim")
    ids = sorted(outcome.blocked)
    return Text(say.listed(ids), style="bold red") if ids else Text("no call met a cut", style="dim")


def _took(trial: TrialView, now: float) -> str:
    outcome = trial.outcome
    if outcome is None:
        return f"{words.clock((trial.ended_at or now) - trial.started_at)} so far" if trial.is_running else "–"
    parts = [f"{outcome.spent_s:.1f} s"]
    if outcome.healthy_after_s is not None:
        parts.append(f"healthy after {outcome.healthy_after_s:.1f} s")
    if outcome.recovered_after_s is not None:
        parts.append(f"recovered in {outcome.recovered_after_s:.1f} s after the restore")
    if outcome.trial.attempt > 1:
        parts.append(f"attempt {outcome.trial.attempt}")
    return " · ".join(parts)
