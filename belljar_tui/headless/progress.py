"""A search's progress on a person's terminal. On stderr, so that stdout stays the result's."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from belljar_tui.core import events as ev
from belljar_tui.core.search_view import SearchView
from belljar_tui.core.trial import TrialVerdict

_MARKS = {
    TrialVerdict.HEALTHY: "[green]✓[/]",
    TrialVerdict.BROKEN: "[red]✗[/]",
    TrialVerdict.INCONCLUSIVE: "[yellow]?[/]",
}


class SearchProgress:
    """A bar and a line per trial on a terminal; without one, a plain line per trial."""

    def __init__(self) -> None:
        console = Console(stderr=True, highlight=False)
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[counts]}"))
        is_off = not console.is_terminal
        self._bar = Progress(*columns, TimeElapsedColumn(), console=console, disable=is_off, transient=True)
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        self._bar.start()
        self._task = self._bar.add_task("getting ready", total=None, counts="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()
        sys.stderr.flush()

    def show(self, view: SearchView, event: ev.AnyEvent, now: float) -> None:
        """After the fold of one of the search's events."""
        if isinstance(event, ev.TrialEnded) and not event.is_recalled:
            self._console.print(_line(view, event), soft_wrap=True)
        if self._task is None:
            return
        running = [trial for trial in view.trials.values() if trial.is_running]
        phase = str(running[-1].phase) if running and running[-1].phase is not None else "thinking"
        left = view.time_left_s(now)
        counts = f"{view.done} of about {view.done + view.expected}" + (f", {left:.0f} s left" if left else "")
        self._bar.update(
            self._task, description=f"{phase:<18}", completed=view.done, total=view.done + view.expected, counts=counts
        )


def _line(view: SearchView, event: ev.TrialEnded) -> str:
    """`  7 ✗ one cut: auth.lab:9000   503 auth.lab: connection refused   4.0 s`"""
    outcome = event.outcome
    trial = view.trials[event.number]
    about = f": {escape(trial.about.removeprefix('tcp://'))}" if trial.about else ""
    again = f", try {outcome.trial.attempt}" if outcome.trial.attempt > 1 else ""
    mode = f", {outcome.trial.mode}" if len(view.question.modes) > 1 and outcome.trial.open is not None else ""
    words = f"  [dim]{escape(outcome.detail)}[/]" if outcome.detail else ""
    return (
        f"{event.number:>4} {_MARKS[outcome.verdict]} {trial.phase}{about}{mode}{again}{words}  {outcome.spent_s:.1f} s"
    )
