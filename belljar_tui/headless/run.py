"""`belljar run` and `belljar demo`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from belljar_tui.core.model import Mode, Seal, Wanted
from belljar_tui.core.scenario import first_wanted
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.asking import asked_for
from belljar_tui.headless.container_options import ContainerAsked
from belljar_tui.headless.opening import Asked, Opened, asked_for_lab, open_session
from belljar_tui.headless.scenario import Script, Verdict
from belljar_tui.headless.searching import new_search_of
from belljar_tui.headless.showing import explore, note_files, require_terminal, show
from belljar_tui.headless.stream import stream, tell, with_commands
from belljar_tui.session import NewSearch
from belljar_tui.teaching import Teacher
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
    container: ContainerAsked,
    scenario: str | None = None,
    as_json: bool = False,
    predict: bool = False,
) -> int:
    """Seal a program of the user's, or a container. Returns the exit code. Raises BellJarError."""
    asked = asked_for(
        command,
        container,
        name=name,
        health=health,
        forward=forward,
        settings=settings,
        wanted=Wanted(seal=Seal(seal)),
        journal=journal,
    )
    return _see(asked, search, scenario, headless=headless, as_json=as_json, predict=predict)


def demo(
    lab: str,
    *,
    seal: str,
    headless: bool,
    journal: str | None,
    search: tuple[Sequence[Mode], int],
    scenario: str | None = None,
    as_json: bool = False,
    predict: bool = False,
) -> int:
    """Open a built-in lab. Returns the exit code. Raises BellJarError."""
    asked = msgspec.structs.replace(asked_for_lab(lab, Wanted(seal=Seal(seal))), journal=journal)
    return _see(asked, search, scenario, headless=headless, as_json=as_json, predict=predict)


def _see(
    asked: Asked,
    search: tuple[Sequence[Mode], int],
    scenario: str | None,
    *,
    headless: bool,
    as_json: bool,
    predict: bool,
) -> int:
    if as_json and scenario is None:
        raise UsageError("--json says what came of a scenario.", remedy="Give one: --scenario FILE")
    if predict and scenario is not None:
        raise UsageError("A scenario's cuts are known before.", remedy="Leave --predict or --scenario away.")
    if not headless and not as_json:
        require_terminal()
    if scenario is not None:
        return _play(asked, search, scenario, headless=headless, as_json=as_json)
    return show(_opening(asked, search, Teacher(must_foretell=True) if predict else None), headless=headless)


def _play(asked: Asked, search: tuple[Sequence[Mode], int], scenario: str, *, headless: bool, as_json: bool) -> int:
    """The session with a scenario beside it; 0 when all went as expected."""
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


def _opening(asked: Asked, search: tuple[Sequence[Mode], int], teacher: Teacher | None = None) -> Callable[[], Opened]:
    """A session that finds minimal working sets in these modes, with so many jars at once."""

    def searches(of: Asked, folder: Path) -> NewSearch:
        return new_search_of(of, folder, *search)

    def opening() -> Opened:
        opened = open_session(asked, searches)
        opened.session.teacher = teacher
        return opened

    return opening
