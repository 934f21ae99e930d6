"""A session from its opening to its end: on the screen, or as a stream."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from belljar_tui import locations
from belljar_tui.headless import diagnostics
from belljar_tui.headless.opening import Opened
from belljar_tui.headless.stream import stream
from belljar_tui.journal.sessions import said

if TYPE_CHECKING:
    from belljar_tui.headless.scenario import Script  # much to load, and few have one


def show(open_one: Callable[[], Opened], *, headless: bool) -> int:
    """Open a session and see it to its end. Returns the exit code. Raises BellJarError."""
    if headless:
        opened = open_one()
        code = int(asyncio.run(stream(opened.session)))
    else:
        opened, code = explore(open_one)
    note_files(opened)
    return code


def explore(open_one: Callable[[], Opened], script: Script | None = None) -> tuple[Opened, int]:
    """Open a session on the screen, with a scenario beside it where there is one. Its exit code comes second."""
    from belljar_tui.tui.app import ExplorerApp
    from belljar_tui.tui.drill_app import DrillApp
    from belljar_tui.tui.keymap import read_keymap
    from belljar_tui.tui.scenario_app import ScenarioApp, Staged

    keymap = read_keymap(locations.keymap())  # before anything is made
    opened = open_one()
    path = locations.profile_of(opened.session.opening.name, Path())
    teacher = opened.session.teacher
    if script is not None:
        staged = Staged(script.scenario, script.play, script.told)
        app: ExplorerApp = ScenarioApp(opened.session, staged, str(path), keymap)
    elif teacher is not None:
        app = DrillApp(opened.session, teacher, keymap, str(path))
    else:
        app = ExplorerApp(opened.session, str(path), keymap)
    app.run()
    return opened, app.return_code or 0


def note_files(opened: Opened) -> None:
    """Say where the session can be read again, and how well its cuts were foretold."""
    output = f"\noutput   {opened.log}" if opened.log.exists() else ""
    again = f"\nagain    belljar replay {shlex.quote(said(opened.journal))}"
    diagnostics.note(f"journal  {opened.journal}{output}{again}")
    teacher = opened.session.teacher
    if teacher is not None and teacher.game.drill is None:
        told = teacher.game.calibration(opened.session.state, teacher.changes)
        diagnostics.note(f"Predictions: {told or 'no cut was foretold'}")
    if opened.writer.lost:
        diagnostics.note(f"belljar: the journal lacks {opened.writer.lost} events: {opened.writer.failure}")
