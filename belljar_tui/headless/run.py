"""`belljar run` and `belljar demo`."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from belljar_tui import locations
from belljar_tui.core.model import Mode, Seal, Wanted
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.asking import asked_for
from belljar_tui.headless.container_options import ContainerAsked
from belljar_tui.headless.opening import Asked, Opened, asked_for_lab, open_session
from belljar_tui.headless.searching import new_search_of
from belljar_tui.headless.stream import stream
from belljar_tui.session import NewSearch
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
    return _show(_checked(asked, headless=headless), search, headless=headless)


def demo(lab: str, *, seal: str, headless: bool, journal: str | None, search: tuple[Sequence[Mode], int]) -> int:
    """Open a built-in lab. Returns the exit code. Raises BellJarError."""
    asked = msgspec.structs.replace(asked_for_lab(lab, Wanted(seal=Seal(seal))), journal=journal)
    return _show(_checked(asked, headless=headless), search, headless=headless)


def require_terminal() -> None:
    """Raises UsageError where the explorer would have no screen."""
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError(
            "The explorer needs a terminal, and this is none.",
            remedy="Add --headless for events as JSON Lines, or use: belljar verify PROFILE",
        )


def _checked(asked: Asked, *, headless: bool) -> Asked:
    if not headless:
        require_terminal()
    return asked


def _show(asked: Asked, search: tuple[Sequence[Mode], int], *, headless: bool) -> int:
    def searches(of: Asked, folder: Path) -> NewSearch:
        return new_search_of(of, folder, *search)

    return show(lambda: open_session(asked, searches), headless=headless)


def show(open_one: Callable[[], Opened], *, headless: bool) -> int:
    """Open a session and see it to its end, on the screen or headless. Returns the exit code. Raises BellJarError."""
    if headless:
        opened = open_one()
        code = int(asyncio.run(stream(opened.session)))
    else:
        from belljar_tui.tui.app import ExplorerApp
        from belljar_tui.tui.keymap import read_keymap

        keymap = read_keymap(locations.keymap())  # before anything is made
        opened = open_one()
        path = locations.profile_of(opened.session.opening.name, Path())
        app = ExplorerApp(opened.session, str(path), keymap)
        app.run()
        code = app.return_code or 0
    output = f"\noutput   {opened.log}" if opened.log.exists() else ""
    diagnostics.note(f"journal  {opened.journal}{output}")
    if opened.writer.lost:
        diagnostics.note(f"belljar: the journal lacks {opened.writer.lost} events: {opened.writer.failure}")
    return code
