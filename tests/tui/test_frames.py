"""What goes to the terminal, and when: a key is answered in one frame, and a frame paints what has changed."""

from __future__ import annotations

import math

import pytest
from stage import Stage, staged, until
from textual.pilot import Pilot

from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode
from belljar_tui.tui.graph import GraphView
from belljar_tui.tui.panels import DependencyPanel

AUTH, DB = "tcp://auth.lab:9000", "tcp://orders-db.lab:5432"
BLOCKED = ev.CallBlocked(at=2.0, dependency=AUTH, mode=Mode.REFUSE, pid=7, process="web", count=3)


class Terminal:
    """Each frame that is written while it looks, as the lines (and columns) it paints."""

    def __init__(self, app: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
        self.frames: list[list[tuple[int, int, int]]] = []
        display = app._display

        def displayed(screen: object, update: object) -> None:
            if update is not None:
                self.frames.append(list(getattr(update, "spans", [])))
            display(screen, update)  # type: ignore[arg-type]

        monkeypatch.setattr(app, "_display", displayed)


async def _still(app: Stage, pilot: Pilot[None]) -> None:
    """Wait until nothing more is to be painted."""
    await until(pilot, lambda: not app._is_stale and not app.screen._dirty_widgets)


async def test_a_key_is_answered_in_one_frame_map_and_panel_together(monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged() as (app, pilot):
        await _still(app, pilot)
        terminal = Terminal(app, monkeypatch)
        await pilot.press("down")
        await until(pilot, lambda: "orders-db.lab tcp 5432" in app.screen_text)
        await _still(app, pilot)
        assert app.query_one(GraphView).selected == DB
        (frame,) = terminal.frames
        columns = app.query_one(GraphView).region.column_span
        in_map = [line for line, start, end in frame if columns[0] <= start and end <= columns[1]]
        assert 0 < len(in_map) <= 4, "the two rows, and what of the panel stands beside the map"


async def test_of_a_panel_only_the_lines_that_say_something_else_are_painted(monkeypatch: pytest.MonkeyPatch) -> None:
    async with staged((120, 40)) as (app, pilot):
        await pilot.press("space")
        await until(pilot, lambda: "hit nothing so far" in app.screen_text)
        app.agent.tell(BLOCKED)
        await until(pilot, lambda: "×3" in app.screen_text)
        await _still(app, pilot)
        terminal = Terminal(app, monkeypatch)
        app.agent.tell(BLOCKED)
        await until(pilot, lambda: "×6" in app.screen_text)
        panel = app.query_one(DependencyPanel).region
        painted = {y for frame in terminal.frames for y, start, _ in frame if start >= panel.x and y < panel.bottom}
        assert 0 < len(painted) < 8 < panel.height


async def test_while_the_screen_rests_from_a_slow_frame_a_key_is_answered_at_once() -> None:
    async with staged() as (app, pilot):
        app._rests_until = math.inf
        app.agent.tell(BLOCKED)
        await until(pilot, lambda: app.session.state.blocked)
        await pilot.pause(0.1)
        assert "blocked 3" not in app.screen_text
        await pilot.press("down")
        await until(pilot, lambda: "blocked 3" in app.screen_text)
        assert "orders-db.lab tcp 5432" in app.screen_text
        app._rests_until = 0.0


async def test_the_screen_rests_twice_as_long_as_a_frame_took_and_never_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with staged() as (app, pilot):
        await pilot.pause()
        clock = [100.0]
        monkeypatch.setattr("belljar_tui.tui.explorer.time.monotonic", lambda: clock[0])
        app._rest(99.95)
        assert app._rests_until == pytest.approx(100.1)
        app._rest(90.0)
        assert app._rests_until == pytest.approx(100.2)
        monkeypatch.undo()
        app._rests_until = 0.0
