"""`belljar minimize`: the minimal working set, without a screen."""

from __future__ import annotations

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from belljar_tui import __version__, locations
from belljar_tui.core import events as ev
from belljar_tui.core.fold import apply, fold
from belljar_tui.core.given import TrialModes, set_apart
from belljar_tui.core.model import Wanted
from belljar_tui.core.question import Conclusion, Found, Question
from belljar_tui.core.search_view import SearchView
from belljar_tui.core.state import State
from belljar_tui.core.trial import Outcome, Recovery
from belljar_tui.errors import BellJarError, UsageError
from belljar_tui.headless import diagnostics, printer, search_report
from belljar_tui.headless.asked import Asked, asked_for_lab
from belljar_tui.headless.asking import asked_for
from belljar_tui.headless.container_options import ContainerAsked
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.headless.opening import jar_of, saver_of
from belljar_tui.headless.progress import SearchProgress
from belljar_tui.headless.searching import oracle_of, soak_s_of
from belljar_tui.journal.reader import read_journal
from belljar_tui.journal.sessions import said
from belljar_tui.journal.writer import JournalWriter
from belljar_tui.session import Saver
from belljar_tui.trials.command import CommandOracle
from belljar_tui.trials.oracle import Oracle
from belljar_tui.trials.runner import SearchRunner
from belljar_tui.wire.messages import Checks

_COMPARED = ("command", "checks", "recovery", "soak", "dependencies", "setting of virtual addresses")
_CODES = {
    Conclusion.FOUND: Exit.HOLDS,
    Conclusion.NEVER_HEALTHY: Exit.BROKEN,
    Conclusion.INCONCLUSIVE: Exit.INCONCLUSIVE,
}


class MinimizeAsked(msgspec.Struct, frozen=True, kw_only=True):
    """The command line of `belljar minimize`."""

    command: tuple[str, ...]
    container: ContainerAsked
    checks: tuple[str, ...]
    health_for: int
    health_every: float
    health_timeout: float
    forward: tuple[int, ...]
    settings: tuple[str, ...]
    virtual_addresses: bool
    name: str | None
    output: str | None
    lab: str | None
    trial_command: str | None
    dependencies: str | None
    trial_limit: float
    recovery: str
    modes: TrialModes
    deadline_s: float | None
    soak_s: float | None
    jobs: int
    retries: int
    stay_open: tuple[str, ...]
    stay_cut: tuple[str, ...]
    prefer: tuple[str, ...]
    is_all: bool
    limit: int
    is_direct: bool
    resume: str | None
    as_json: bool
    journal: str | None


class Recorder:
    """Journals and folds the events of a search, and shows them."""

    def __init__(self, journal: Path, opening: ev.SessionStarted, zero: float) -> None:
        self.path = journal
        self.state = State()
        self.writer = JournalWriter(journal)
        self._zero = zero
        self.progress: SearchProgress | None = None
        self.take(opening)

    def now(self) -> float:
        """Seconds since the session started."""
        return time.monotonic() - self._zero

    def take(self, event: ev.AnyEvent) -> None:
        self.writer.write(event)
        self.state = apply(self.state, event)
        if self.progress is not None and self.state.search is not None:
            self.progress.show(self.state.search, event, self.now())


def minimize(**options: Any) -> int:
    """Returns the exit code. Raises BellJarError before the first trial, or when no trial can work."""
    container = ContainerAsked(**{name: options.pop(name) for name in ContainerAsked.__struct_fields__})
    line = msgspec.convert({**options, "container": container}, MinimizeAsked, strict=False)
    _check(line)
    return _outside(line) if line.trial_command else _in_jars(line)


def _check(line: MinimizeAsked) -> None:
    """Raises UsageError where the command line contradicts itself."""
    worlds = [bool(line.command or line.container.is_any), line.lab is not None, line.trial_command is not None]
    if sum(worlds) != 1:
        raise UsageError(
            "What is to be searched in? Give one of: -- COMMAND, --image, --from, --lab, --trial-command.",
            remedy="For example: belljar minimize --health http://localhost:8080/ready -- ./server",
        )
    if line.trial_command and line.dependencies is None:
        raise UsageError("--trial-command needs --dependencies FILE.", "The file names what can be cut, one id a line.")
    if line.trial_command and line.output:
        raise UsageError(
            "-o cannot be used with --trial-command.",
            "A profile names a service to prove it with; this has none.",
            "Use --json for a file that a machine can read.",
        )
    if line.command and not line.checks and not line.container.is_any:
        raise UsageError(
            "There is no health check, so no trial could be judged.",
            remedy="Add one: --health http://localhost:8080/ready, tcp://localhost:5432 or exec:COMMAND",
        )
    both = set(line.stay_open) & set(line.stay_cut)
    if both:
        raise UsageError(f"{', '.join(sorted(both))} cannot be kept open and cut at once.")


def _in_jars(line: MinimizeAsked) -> int:
    asked = _asked(line)
    recovery = Recovery(line.recovery)
    question = _question(line, (), has_evidence=True)
    opening = ev.SearchStarted(
        at=0.0,
        question=question,
        recovery=recovery,
        deadline_s=line.deadline_s or 0.0,
        soak_s=line.soak_s if line.soak_s is not None else soak_s_of(recovery, asked.health),
        jobs=line.jobs,
        has_virtual_addresses=asked.has_virtual_addresses,
    )
    folder = locations.new_session(asked.name, datetime.now().astimezone())
    recorder = _recorder(line, asked.name, asked.command, folder, jar_of(asked), asked.health)
    recalled = _recalled(line, recorder.state, opening)
    code = _run(line, recorder, opening, oracle_of(asked, opening, folder, recalled), recalled)
    if code is Exit.HOLDS and line.output:
        _save(recorder, saver_of(asked), Path(line.output))
        recorder.take(ev.ProfileSaved(at=recorder.now(), path=line.output))
        diagnostics.note(f"profile  {line.output}   prove it again: belljar verify {shlex.quote(line.output)}")
    return code


def _save(recorder: Recorder, save: Saver, path: Path) -> None:
    """What was found in hours is not lost with a disk that is full in the end."""
    try:
        save(recorder.state, path)
    except BellJarError:
        _say_how_to_resume(recorder)
        raise


def _outside(line: MinimizeAsked) -> int:
    command = tuple(shlex.split(line.trial_command or ""))
    if not command:
        raise UsageError("--trial-command is empty.")
    candidates = _candidates(Path(line.dependencies or ""))
    question = _question(line, candidates, has_evidence=False)
    opening = ev.SearchStarted(at=0.0, question=question, deadline_s=line.trial_limit, jobs=line.jobs)
    name = line.name or Path(command[0]).name
    folder = locations.new_session(name, datetime.now().astimezone())
    recorder = _recorder(line, name, command, folder, "outside", Checks())
    recalled = _recalled(line, recorder.state, opening)
    return _run(line, recorder, opening, CommandOracle(command, candidates, folder, limit_s=line.trial_limit), recalled)


def _run(
    line: MinimizeAsked, recorder: Recorder, opening: ev.SearchStarted, oracle: Oracle, recalled: Sequence[Outcome]
) -> Exit:
    """Search to the end and say what was found."""
    runner = SearchRunner(oracle, opening, emit=recorder.take, now=recorder.now, recalled=recalled)
    try:
        with SearchProgress() as recorder.progress:
            found = asyncio.run(_interruptible(runner))
    except BellJarError as error:
        recorder.take(ev.SessionEnded(at=recorder.now(), reason=str(error)))
        _say_how_to_resume(recorder)
        raise
    view = recorder.state.search
    if recorder.writer.lost:
        diagnostics.note(f"belljar: the journal lacks {recorder.writer.lost} events: {recorder.writer.failure}")
    recorder.take(ev.SessionEnded(at=recorder.now(), reason="quit" if found else "interrupted"))
    if found is None or view is None:
        _say_how_to_resume(recorder)
        return Exit.INTERRUPTED
    if line.as_json:
        printer.json({**search_report.as_json(view, found), "journal": str(recorder.path)})
    else:
        printer.rich(search_report.as_text(view, found, recorder.state.name))
        diagnostics.note(f"journal  {recorder.path}\nagain    belljar replay {shlex.quote(said(recorder.path))}")
    return _CODES[found.conclusion]


async def _interruptible(runner: SearchRunner) -> Found | None:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(diagnostics.end_without_memory)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, runner.stop, "interrupted")
    return await runner.run()


def _say_how_to_resume(recorder: Recorder) -> None:
    done = recorder.state.search.done if recorder.state.search is not None else 0
    if not done:
        return
    words = [word for at, word in enumerate(sys.argv[1:], 1) if word != "--resume" and sys.argv[at - 1] != "--resume"]
    again = shlex.join(["belljar", words[0], "--resume", str(recorder.path), *words[1:]])
    diagnostics.note(f"belljar: {done} trials are kept. Go on with:\n  {again}")


def _recalled(line: MinimizeAsked, now: State, opening: ev.SearchStarted) -> list[Outcome]:
    """The outcomes of an interrupted search. Raises UsageError when it was a search for something else."""
    if line.resume is None:
        return []
    path = Path(line.resume)
    before = fold(read_journal(locations.journal_of(path) if path.is_dir() else path))
    search = before.search
    if search is None:
        raise UsageError(f"{path}: there is no search in this journal.")
    then = (before.command, before.checks, *_settings_of(search))
    asked = (now.command, now.checks, *_settings_of(opening))
    for what, old, new in zip(_COMPARED, then, asked, strict=True):
        if old != new:
            raise UsageError(
                f"{path}: this search was for another {what}.",
                f"Then: {old}\nNow:  {new}",
                "Give the same command line as then, or leave --resume out.",
            )
    return search.outcomes


def _settings_of(search: SearchView | ev.SearchStarted) -> tuple[object, ...]:
    """What an outcome of one search must share with another's to be of use there."""
    virtual = "on" if search.has_virtual_addresses else "off"
    return search.recovery, search.soak_s, search.question.candidates, virtual


def _asked(line: MinimizeAsked) -> Asked:
    return msgspec.structs.replace(_world(line), has_virtual_addresses=line.virtual_addresses)


def _world(line: MinimizeAsked) -> Asked:
    health = Checks(line.checks, every_s=line.health_every, timeout_s=line.health_timeout, healthy_for=line.health_for)
    if line.lab is not None:
        return asked_for_lab(line.lab, Wanted(), health, line.name)
    return asked_for(
        line.command,
        line.container,
        name=line.name,
        health=health,
        forward=line.forward,
        settings=line.settings,
    )


def _question(line: MinimizeAsked, candidates: Sequence[str], *, has_evidence: bool) -> Question:
    return Question(
        candidates=tuple(candidates),
        has_evidence=has_evidence,
        modes=tuple(line.modes),
        settings=set_apart(line.modes),
        stay_open=frozenset(line.stay_open),
        stay_cut=frozenset(line.stay_cut),
        prefer=line.prefer,
        retries=line.retries,
        has_sweep=has_evidence or len(line.modes) > 1,
        is_all=line.is_all,
        is_direct=line.is_direct,
        limit=line.limit,
    )


def _candidates(path: Path) -> tuple[str, ...]:
    """Ids from a file, one a line. Raises UsageError."""
    try:
        lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: cannot be read: {error}.") from error
    found = [line for line in lines if line]
    if not found:
        raise UsageError(f"{path}: there is no dependency in it.", remedy="Write one id a line: tcp://orders-db:5432")
    twice = sorted({one for one in found if found.count(one) > 1})
    if twice:
        raise UsageError(f"{path}: {twice[0]} is there twice.")
    return tuple(found)


def _recorder(
    line: MinimizeAsked, name: str, command: Sequence[str], folder: Path, jar: str, health: Checks
) -> Recorder:
    zero = time.monotonic()
    opening = ev.SessionStarted(
        at=0.0,
        name=name,
        jar=jar,
        command=list(command),
        checks=list(health.checks),
        started=datetime.now().astimezone().isoformat(timespec="seconds"),
        version=__version__,
    )
    return Recorder(Path(line.journal) if line.journal else locations.journal_of(folder), opening, zero)
