"""`belljar verify`: one sealed run per profile, and a clear answer, for people and for CI."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from belljar_tui import __version__
from belljar_tui.core.profile import Profile
from belljar_tui.errors import BadProfile, UsageError
from belljar_tui.headless import diagnostics, github, printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.headless.junit import junit_xml
from belljar_tui.headless.verifying.progress import Meter
from belljar_tui.headless.verifying.proving import Prover
from belljar_tui.headless.verifying.result import Verified, exit_code
from belljar_tui.headless.verifying.say import lines_of
from belljar_tui.journal.profile_file import line_in, read_profile
from belljar_tui.journal.whole_file import remedy, write_whole
from belljar_tui.labs import LABS


def verify(
    paths: Sequence[str],
    *,
    as_json: bool,
    is_strict: bool,
    junit: str | None,
    jobs: int,
    virtual_addresses: bool = True,
) -> int:
    """Returns the exit code: of several profiles the worst. Raises BellJarError before the first run only."""
    profiles = [(path, _read(path)) for path in paths]
    if not virtual_addresses:
        profiles = [(path, msgspec.structs.replace(profile, virtual_addresses=False)) for path, profile in profiles]
    if junit is not None:
        _require_room(Path(junit))
    started = datetime.now()
    try:
        results = asyncio.run(_proven(profiles, as_json=as_json, is_strict=is_strict, jobs=jobs))
    except KeyboardInterrupt:  # a second time: nothing is waited for
        return Exit.INTERRUPTED
    if as_json:
        printer.json({"profiles": results})
    if junit is not None:
        xml = junit_xml(results, started=started.isoformat(timespec="seconds"), version=__version__)
        _write(Path(junit), xml)
    if github.is_on(os.environ):
        _tell_github(results, as_json=as_json)
    return exit_code(results)


async def _proven(
    profiles: Sequence[tuple[str, Profile]], *, as_json: bool, is_strict: bool, jobs: int
) -> list[Verified]:
    def say(result: Verified) -> None:
        if not as_json:
            printer.rich("\n".join(lines_of(result)))

    asyncio.get_running_loop().set_exception_handler(diagnostics.end_without_memory)
    prover = Prover(jobs=jobs, is_strict=is_strict, meter=Meter(diagnostics.console()), on_result=say)
    return await prover.prove(profiles)


def _read(path: str) -> Profile:
    try:
        profile = read_profile(Path(path))
        if profile.lab is not None and profile.lab not in LABS:
            where = f"line {line_in(Path(path), ('lab',))}"
            raise BadProfile(path, where, f"there is no lab {profile.lab!r}.", f"The labs are: {', '.join(LABS)}.")
    except BadProfile as error:
        if github.is_on(os.environ):
            diagnostics.note(github.annotation(path, error.line, "not a profile", str(error)))
        raise
    return profile


def _tell_github(results: Sequence[Verified], *, as_json: bool) -> None:
    """Annotations beside the result (stdout is the machine's with --json), the table into the job's summary."""
    told = list(github.annotations_of(results, lambda path, place: line_in(Path(path), place), os.environ))
    for command in told:
        if as_json:
            diagnostics.note(command)
        else:
            printer.line(command.encode())
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if not summary:
        return
    try:
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(github.summary(results))
    except OSError as error:
        diagnostics.note(f"belljar: the job's summary {summary} cannot be written: {error.strerror}")


def _require_room(path: Path) -> None:
    """Better before the runs than after them."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        why = "it is a folder" if path.is_dir() else "there is no such folder"
        raise UsageError(f"--junit {path}: {why}.", remedy="Name a file in a folder that exists.")


def _write(path: Path, content: bytes) -> None:
    try:
        write_whole(path, content)
    except OSError as error:
        raise UsageError(f"--junit {path} cannot be written: {error.strerror}.", remedy=remedy(error)) from error
