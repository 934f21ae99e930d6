"""Wherever in the explorer a MemoryError is met, it comes to the one place that ends it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from rich.traceback import Traceback
from stage import Stage, staged, until
from textual.app import App

from belljar_tui.tui.graph import GraphView
from belljar_tui.tui.starved import LastWords

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")


@pytest.fixture
def met(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Each MemoryError that would have ended the process."""
    found: list[object] = []
    monkeypatch.setattr(LastWords, "say_if", lambda _, e: found.append(e) if isinstance(e, MemoryError) else None)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)  # to be as it was afterwards
    return found


def _starve() -> None:
    raise MemoryError


async def _starve_too() -> None:
    raise MemoryError


async def _in_a_frame(app: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "_handle_exception", lambda _, __: None)  # Textual's own, that ours goes on to
    monkeypatch.setattr(GraphView, "show", lambda *_: _starve())
    app._is_stale = True


async def _in_a_worker(app: Stage, _: pytest.MonkeyPatch) -> None:
    app.run_worker(_starve_too(), exit_on_error=False)


async def _in_the_session(app: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.session, "start", _starve_too)
    await app._explore()


async def _in_the_loop(_: Stage, __: pytest.MonkeyPatch) -> None:
    asyncio.get_running_loop().call_soon(_starve)


async def _in_a_thread(_: Stage, __: pytest.MonkeyPatch) -> None:
    threading.Thread(target=_starve).start()


async def _in_the_thread_that_reads_keys(app: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(App, "panic", lambda *_: None)
    try:
        _starve()
    except MemoryError:
        app.panic(Traceback())


@pytest.mark.parametrize(
    "where", [_in_a_worker, _in_the_session, _in_the_loop, _in_a_thread, _in_a_frame, _in_the_thread_that_reads_keys]
)
async def test_no_memory_comes_to_the_one_place(
    where: object, met: list[object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with staged() as (app, pilot):
        app._last_words.listen()
        await where(app, monkeypatch)  # type: ignore[operator]
        await until(pilot, lambda: met)
        monkeypatch.undo()
