"""How far the runs are, on a terminal; nothing anywhere else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

_TICK_S = 0.2


class Meter:
    """One line per run under way: elapsed against the deadline."""

    def __init__(self, console: Console) -> None:
        """`console`: where to show it; one that is no terminal shows nothing."""
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(30),
            TextColumn("{task.completed:.0f} / {task.total:.0f} s"),
        )
        self._progress = Progress(
            *columns,
            console=console,
            transient=True,
            disable=not console.is_terminal,
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @contextmanager
    def shown(self) -> Iterator[None]:
        with self._progress:
            yield

    @contextmanager
    def running(self, words: str, deadline_s: float) -> Iterator[None]:
        """While a run is under way."""
        line = self._progress.add_task(words, total=deadline_s)
        ticking = asyncio.create_task(self._tick(line))
        try:
            yield
        finally:
            ticking.cancel()
            self._progress.remove_task(line)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """While something is printed."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    async def _tick(self, line: TaskID) -> None:
        began = time.monotonic()
        while True:
            self._progress.update(line, completed=time.monotonic() - began)
            await asyncio.sleep(_TICK_S)
