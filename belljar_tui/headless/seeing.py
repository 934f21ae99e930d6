"""What was asked for, seen to its end: in the explorer, as a stream, with a scenario beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec

from belljar_tui.core.given import TrialModes
from belljar_tui.core.scenario import first_wanted
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.asked import Asked
from belljar_tui.headless.opening import Opened, open_session
from belljar_tui.headless.searching import new_search_of
from belljar_tui.headless.showing import explore, note_files, show
from belljar_tui.headless.stream import stream, tell, with_commands
from belljar_tui.session import NewSearch
from belljar_tui.teaching import Teacher


def see(
    asked: Asked,
    search: tuple[TrialModes, int],
    scenario: str | None,
    *,
    headless: bool,
    as_json: bool,
    predict: bool,
) -> int:
    """Returns the exit code. Raises BellJarError.

    Args:
        search: the modes in which the explorer's `x` cuts, and how many jars it has at once.
        scenario: file of one.
        predict: each cut's effect is to be foretold.
    """
    if scenario is not None:
        return _play(asked, search, scenario, headless=headless, as_json=as_json)
    return show(_opening(asked, search, Teacher(must_foretell=True) if predict else None), headless=headless)


def _play(asked: Asked, search: tuple[TrialModes, int], scenario: str, *, headless: bool, as_json: bool) -> int:
    """The session with a scenario beside it; 0 when all went as expected."""
    from belljar_tui.headless.scenario import Script, Verdict

    script = Script.read(scenario, asked.lab)
    if not asked.health.checks and any(step.expect is not None for step in script.scenario.steps):
        what = f"{scenario} expects something of health, and nothing measures it."
        raise UsageError(what, remedy="Give a check: --health http://localhost:8080/ready")
    asked = msgspec.structs.replace(asked, wanted=first_wanted(script.scenario, asked.wanted))
    if headless or as_json:
        opened = open_session(asked)
        beside = with_commands(script.play) if headless else script.play
        code = int(asyncio.run(stream(opened.session, tell if headless else None, beside)))
    else:
        opened, code = explore(_opening(asked, search), script)
    note_files(opened)
    if code:
        return code
    verdict = Verdict.of(script, opened.session.state)
    if headless and not as_json:
        diagnostics.note("\n".join(verdict.plain_lines()))  # stdout is the events'
    else:
        verdict.say(opened.journal, as_json=as_json)
    return verdict.code


def _opening(asked: Asked, search: tuple[TrialModes, int], teacher: Teacher | None = None) -> Callable[[], Opened]:
    """A session that finds minimal working sets in these modes, with so many jars at once."""

    def searches(of: Asked, folder: Path) -> NewSearch:
        return new_search_of(of, folder, *search)

    def opening() -> Opened:
        opened = open_session(asked, searches)
        opened.session.teacher = teacher
        return opened

    return opening
