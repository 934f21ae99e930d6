"""Trials by an outside command: a staging cluster, a farm of machines, whatever can be asked with a script.

    BELLJAR_OPEN   ids left open, one a line          exit 0    healthy
    BELLJAR_CUT    all others, one a line             exit 1    broken
    BELLJAR_MODE   how they fail                      exit 125  nothing was learned
    BELLJAR_PARAMETERS  of the mode, `delay_s=2`      any other: an error that ends the search
    BELLJAR_JOB    which of the trials at once, from 0
    BELLJAR_TRIAL  the trial's number

What the command started in its own process group is ended with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import heapq
import os
import shutil
import signal
import time
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from belljar_tui.core.given import written
from belljar_tui.core.search import Wanted
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.errors import TrialCommandFailed, UsageError
from belljar_tui.trials.log import last_line, new_log

OPEN, CUT, MODE, PARAMETERS = "BELLJAR_OPEN", "BELLJAR_CUT", "BELLJAR_MODE", "BELLJAR_PARAMETERS"
JOB, NUMBER = "BELLJAR_JOB", "BELLJAR_TRIAL"
_VERDICTS = {0: TrialVerdict.HEALTHY, 1: TrialVerdict.BROKEN, 125: TrialVerdict.INCONCLUSIVE}
_VARIABLE_BYTES = 128 << 10
"""Linux takes no longer environment variable, its name and last zero included (MAX_ARG_STRLEN, 32 pages)."""


class CommandOracle:
    """An Oracle that runs `command` once per trial.

    Args:
        command: the program and its arguments.
        candidates: every id there is; what a trial does not leave open is cut.
        folder: where each trial's output goes, as `trial-N.log`.
        limit_s: seconds after which a trial is ended without a verdict; 0: never.
        environment: of the command, beside what it is told; the caller's own by default.
    """

    def __init__(
        self,
        command: Sequence[str],
        candidates: Sequence[str],
        folder: Path,
        *,
        limit_s: float = 0.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = list(command)
        self._candidates = tuple(dict.fromkeys(candidates))
        self._folder = folder
        self._limit_s = limit_s
        self._environment = dict(os.environ if environment is None else environment)
        self._free: list[int] = []
        self._running: set[Process] = set()

    async def start(self, jobs: int) -> None:
        """Raises errors.UsageError when the command cannot be run, or so many ids cannot be told to it."""
        self._free = list(range(jobs))
        _require_executable(self._command, self._environment.get("PATH"))
        size = len(f"{OPEN}={_lines(self._candidates)}".encode()) + 1
        if size > _VARIABLE_BYTES:
            raise _too_many(len(self._candidates), f"they take {size} bytes, and a variable holds {_VARIABLE_BYTES}")

    async def run(self, wanted: Wanted, number: int) -> Outcome:
        """One trial. Raises errors.TrialCommandFailed when the command says neither yes, no nor unknown."""
        began = time.monotonic()
        log = new_log(self._folder, number)
        job = heapq.heappop(self._free)
        try:
            code = await self._answer(wanted.trial, number, job, log)
        finally:
            heapq.heappush(self._free, job)
        said = last_line(log)
        if code is None:
            said = f"no answer within {self._limit_s:g} s"
            verdict = TrialVerdict.INCONCLUSIVE
        elif code in _VERDICTS:
            verdict = _VERDICTS[code]
        else:
            raise TrialCommandFailed(self._command[0], number, code, said, str(log))
        spent_s = round(time.monotonic() - began, 3)
        return Outcome(trial=wanted.trial, verdict=verdict, detail=said, spent_s=spent_s)

    async def close(self) -> None:
        """End every command. Safe to call twice."""
        for process in list(self._running):
            _kill_group(process)
            await process.wait()

    async def _answer(self, trial: Trial, number: int, job: int, log: Path) -> int | None:
        """The command's exit code (negative: a signal); None when the time was up."""
        process = await self._started(self._told(trial, number, job), log)
        self._running.add(process)
        try:
            async with asyncio.timeout(self._limit_s or None):
                return await process.wait()
        except TimeoutError:
            return None
        finally:
            _kill_group(process)  # also when it ended: what it left running would disturb the next
            await asyncio.shield(process.wait())
            self._running.discard(process)

    async def _started(self, environment: dict[str, str], log: Path) -> Process:
        try:
            with log.open("wb") as output:
                return await asyncio.create_subprocess_exec(
                    *_dies_with_us(),
                    *self._command,
                    stdin=DEVNULL,
                    stdout=output,
                    stderr=output,
                    env=environment,
                    start_new_session=True,
                )
        except OSError as error:
            if error.errno == errno.E2BIG:
                raise _too_many(len(self._candidates), "the kernel takes no environment that large") from error
            what = f"{error.filename or self._command[0]}: {error.strerror}."
            raise UsageError(what, "The trial command could not be started.") from error

    def _told(self, trial: Trial, number: int, job: int) -> dict[str, str]:
        known = self._candidates
        opened = known if trial.open is None else tuple(sorted(trial.open))
        cut = () if trial.open is None else tuple(one for one in known if one not in trial.open)
        return {
            **self._environment,
            OPEN: _lines(opened),
            CUT: _lines(cut),
            MODE: str(trial.mode),
            PARAMETERS: written(msgspec.to_builtins(trial.settings)),
            JOB: str(job),
            NUMBER: str(number),
        }


def _lines(ids: Sequence[str]) -> str:
    return "\n".join(ids)


def _dies_with_us() -> list[str]:
    """What makes the kernel end the command when we are killed."""
    return ["setpriv", "--pdeathsig", "KILL", "--"] if shutil.which("setpriv") else []


def _kill_group(process: Process) -> None:
    """The command leads a group of its own; the group outlives it as long as anybody is in it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)


def _require_executable(command: Sequence[str], path: str | None) -> None:
    if not command:
        raise UsageError("There is no trial command.", remedy="Give one: --trial-command ./try.sh")
    name = command[0]
    if shutil.which(name, path=path) is not None:
        return
    if "/" in name and Path(name).is_file():
        raise UsageError(f"{name} is not executable.", remedy=f"Make it so: chmod +x {name}")
    if Path(name).is_file():
        raise UsageError(f"{name} is not a command.", f"There is a file {name} here.", f"Write it as ./{name}")
    raise UsageError(f"{name} does not exist.", "It was to be the trial command.")


def _too_many(count: int, why: str) -> UsageError:
    return UsageError(
        f"{count} dependencies are too many to tell a trial command in its environment.",
        f"{why[0].upper()}{why[1:]}.",
        "Give fewer, or shorter ids.",
    )
