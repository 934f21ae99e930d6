"""`belljar run` and `belljar demo`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from belljar_tui import locations
from belljar_tui.core.model import Mode, Seal, Wanted
from belljar_tui.core.scenario import first_wanted
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.opening import Asked, Opened, Searches, asked_for_lab, open_session
from belljar_tui.headless.options import environment_of
from belljar_tui.headless.scenario import Script, Verdict
from belljar_tui.headless.searching import new_search_of
from belljar_tui.headless.stream import stream, tell
from belljar_tui.session import Beside, NewSearch
from belljar_tui.wire.messages import Checks


def run(
    command: Sequence[str],
    *,
    name: str | None,
    health: Checks,
    forward: Sequence[int],
    settings: Sequence[str],
    seal: str,
    headless: bool,
    journal: str | None,
    search: tuple[Sequence[Mode], int],
    scenario: str | None = None,
    as_json: bool = False,
) -> int:
    """Seal a program of the user's. Returns the exit code. Raises BellJarError."""
    asked = Asked(
        name=name or Path(command[0]).name,
        command=tuple(command),
        health=health,
        wanted=Wanted(seal=Seal(seal)),
        environment=environment_of(settings),
        added=tuple(setting.partition("=")[0] for setting in settings),
        forward=tuple(forward),
        journal=journal,
    )
    if scenario is not None:
        return _play(asked, search, scenario, headless=headless, as_json=as_json)
    return _show(_checked(asked, headless=headless, as_json=as_json), search, headless=headless)


def demo(
    lab: str,
    *,
    seal: str,
    headless: bool,
    journal: str | None,
    search: tuple[Sequence[Mode], int],
    scenario: str | None = None,
    as_json: bool = False,
) -> int:
    """Open a built-in lab. Returns the exit code. Raises BellJarError."""
    asked = msgspec.structs.replace(asked_for_lab(lab, Wanted(seal=Seal(seal))), journal=journal)
    if scenario is not None:
        return _play(asked, search, scenario, headless=headless, as_json=as_json)
    return _show(_checked(asked, headless=headless, as_json=as_json), search, headless=headless)


def _play(asked: Asked, search: tuple[Sequence[Mode], int], scenario: str, *, headless: bool, as_json: bool) -> int:
    """The session with a scenario beside it; 0 when all went as expected."""
    script = Script.read(scenario, asked.lab)
    if not asked.health.checks and any(step.expect is not None for step in script.scenario.steps):
        what = f"{scenario} expects something of health, and nothing measures it."
        raise UsageError(what, remedy="Give a check: --health http://localhost:8080/ready")
    asked = msgspec.structs.replace(asked, wanted=first_wanted(script.scenario, asked.wanted))
    if headless or as_json:
        opened = open_session(asked)
        code = int(asyncio.run(stream(opened.session, tell if headless else None, script.play)))
    else:
        opened, code = _explore(_checked(asked, headless=False, as_json=as_json), search, script.play)
    _note_files(opened)
    if code:
        return code
    verdict = Verdict.of(script, opened.session.state)
    if headless and not as_json:
        diagnostics.note("\n".join(verdict.plain_lines()))  # stdout is the events'
    else:
        verdict.say(opened.journal, as_json=as_json)
    return verdict.code


def _checked(asked: Asked, *, headless: bool, as_json: bool) -> Asked:
    if as_json:
        raise UsageError("--json says what came of a scenario.", remedy="Give one: --scenario FILE")
    if not headless and not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError(
            "The explorer needs a terminal, and this is none.",
            remedy="Add --headless for events as JSON Lines, or use: belljar verify PROFILE",
        )
    return asked


def _show(asked: Asked, search: tuple[Sequence[Mode], int], *, headless: bool) -> int:
    if headless:
        opened = open_session(asked, _searches(search))
        code = int(asyncio.run(stream(opened.session)))
    else:
        opened, code = _explore(asked, search)
    _note_files(opened)
    return code


def _explore(asked: Asked, search: tuple[Sequence[Mode], int], beside: Beside | None = None) -> tuple[Opened, int]:
    from belljar_tui.tui.app import ExplorerApp
    from belljar_tui.tui.keymap import read_keymap

    keymap = read_keymap(locations.keymap())  # before anything is made
    opened = open_session(asked, _searches(search))
    path = locations.profile_of(opened.session.opening.name, Path())
    app = ExplorerApp(opened.session, str(path), keymap, beside)
    app.run()
    return opened, app.return_code or 0


def _searches(search: tuple[Sequence[Mode], int]) -> Searches:
    def searches(of: Asked, folder: Path) -> NewSearch:
        return new_search_of(of, folder, *search)

    return searches


def _note_files(opened: Opened) -> None:
    diagnostics.note(f"journal  {opened.journal}\noutput   {opened.log}")
    if opened.writer.lost:
        diagnostics.note(f"belljar: the journal lacks {opened.writer.lost} events: {opened.writer.failure}")
