"""The outside command as oracle: what it is told, what its answers mean, and that nothing of it stays behind."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import psutil
import pytest

from belljar_tui.agent.network import comes_true
from belljar_tui.core.model import Mode, Settings
from belljar_tui.core.search import Phase, Wanted
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.errors import BellJarError, TrialCommandFailed, UsageError
from belljar_tui.trials.command import CommandOracle

IDS = ("tcp://auth:9000", "tcp://db:5432", "dns:")
DEADLINE_S = 10.0


def script(folder: Path, body: str) -> list[str]:
    path = folder / "try.sh"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return [str(path)]


def oracle(folder: Path, body: str, limit_s: float = 0.0) -> CommandOracle:
    return CommandOracle(script(folder, body), IDS, folder, limit_s=limit_s)


async def tried(made: CommandOracle, trial: Trial, number: int = 1) -> Outcome:
    async with asyncio.timeout(DEADLINE_S):
        return await made.run(Wanted(trial, Phase.SWEEP), number)


async def outcome_of(folder: Path, body: str, opened: frozenset[str] | None = None, limit_s: float = 0.0) -> Outcome:
    made = oracle(folder, body, limit_s)
    await made.start(1)
    return await tried(made, Trial(opened))


def has_said(path: Path) -> bool:
    return path.exists() and path.read_text().endswith("\n")


def is_gone(pid: int) -> bool:
    return not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


async def child_of(folder: Path) -> int:
    """The pid that a trial wrote to `child`, once it did."""
    assert await comes_true(lambda: has_said(folder / "child"), DEADLINE_S)
    return int((folder / "child").read_text())


async def ends(pid: int) -> bool:
    return await comes_true(lambda: is_gone(pid), DEADLINE_S)


@pytest.mark.parametrize(
    ("code", "verdict"), [(0, TrialVerdict.HEALTHY), (1, TrialVerdict.BROKEN), (125, TrialVerdict.INCONCLUSIVE)]
)
async def test_its_exit_code_is_the_verdict_and_its_last_line_the_detail(
    tmp_path: Path, code: int, verdict: TrialVerdict
) -> None:
    outcome = await outcome_of(tmp_path, f"echo first; echo 'the last words' >&2; exit {code}")
    assert (outcome.verdict, outcome.detail) == (verdict, "the last words")
    assert outcome.called is None
    assert outcome.blocked is None
    assert outcome.spent_s > 0
    assert (tmp_path / "trial-1.log").read_text() == "first\nthe last words\n"


async def test_it_is_told_what_is_open_what_is_cut_how_and_which_trial_it_is(tmp_path: Path) -> None:
    told = "$BELLJAR_OPEN|$BELLJAR_CUT|$BELLJAR_MODE|$BELLJAR_PARAMETERS|$BELLJAR_JOB|$BELLJAR_TRIAL|$HOME"
    made = oracle(tmp_path, f'echo "{told}"')
    await made.start(1)
    slow = Trial(
        frozenset({"dns:", "tcp://db:5432"}), Mode.SLOW, alone="tcp://auth:9000", settings=Settings(delay_s=2.5)
    )
    await tried(made, slow, 7)
    said = (tmp_path / "trial-7.log").read_text()
    assert said == f"dns:\ntcp://db:5432|tcp://auth:9000|slow|delay_s=2.5|0|7|{os.environ.get('HOME', '')}\n"


async def test_with_everything_open_all_candidates_are_open_and_nothing_is_cut(tmp_path: Path) -> None:
    await outcome_of(tmp_path, 'echo "$BELLJAR_OPEN|$BELLJAR_CUT|"')
    assert (tmp_path / "trial-1.log").read_text() == "\n".join(IDS) + "||\n"


async def test_trials_at_once_have_jobs_of_their_own_and_a_job_is_used_again(tmp_path: Path) -> None:
    made = oracle(tmp_path, 'echo "$BELLJAR_JOB"')
    await made.start(2)
    await asyncio.gather(tried(made, Trial(None), 1), tried(made, Trial(frozenset()), 2))
    await tried(made, Trial(None), 3)
    jobs = [(tmp_path / f"trial-{number}.log").read_text().strip() for number in (1, 2, 3)]
    assert sorted(jobs[:2]) == ["0", "1"]
    assert jobs[2] == "0"


@pytest.mark.parametrize(
    ("body", "how"), [("echo oh no; exit 3", "ended with exit code 3"), ("kill -9 $$", "was ended by signal 9")]
)
async def test_any_other_answer_is_an_error_that_says_what_and_when(tmp_path: Path, body: str, how: str) -> None:
    with pytest.raises(TrialCommandFailed) as failed:
        await outcome_of(tmp_path, body)
    assert how in str(failed.value)
    assert "trial 1" in str(failed.value)
    assert "oh no" in str(failed.value) or "said nothing" in str(failed.value)


async def test_a_command_that_hangs_is_ended_with_all_it_started_and_says_nothing_learned(tmp_path: Path) -> None:
    outcome = await outcome_of(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; wait", limit_s=0.3)
    assert (outcome.verdict, outcome.detail) == (TrialVerdict.INCONCLUSIVE, "no answer within 0.3 s")
    assert await ends(await child_of(tmp_path))


async def test_what_a_command_leaves_running_ends_with_its_trial(tmp_path: Path) -> None:
    outcome = await outcome_of(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; exit 0")
    assert outcome.verdict is TrialVerdict.HEALTHY
    assert await ends(await child_of(tmp_path))


async def test_a_cancelled_trial_leaves_nothing(tmp_path: Path) -> None:
    made = oracle(tmp_path, f"sleep 600 & echo $! > {tmp_path}/child; wait")
    await made.start(1)
    trial = asyncio.create_task(tried(made, Trial(None)))
    child = await child_of(tmp_path)
    trial.cancel()
    await asyncio.wait([trial])
    assert trial.cancelled()
    assert await ends(child)
    await made.close()
    await made.close()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("./nowhere.sh", "does not exist"),
        ("./plain.txt", "is not executable"),
        ("plain.txt", "as ./plain.txt"),
    ],
)
async def test_a_command_that_cannot_be_run_is_told_before_the_first_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plain.txt").write_text("words")
    with pytest.raises(UsageError, match=words):
        await CommandOracle([name], IDS, tmp_path).start(1)


async def test_no_command_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no trial command"):
        await CommandOracle([], IDS, tmp_path).start(1)


async def test_more_ids_than_an_environment_holds_are_told_before_the_first_trial(tmp_path: Path) -> None:
    many = [f"tcp://host-{number}.example:443" for number in range(5000)]
    with pytest.raises(UsageError, match="5000 dependencies are too many"):
        await CommandOracle(script(tmp_path, "true"), many, tmp_path).start(1)


async def test_an_environment_that_is_too_large_in_all_is_told(tmp_path: Path) -> None:
    crowded = {f"V{number}": "x" * 120_000 for number in range(60)}
    made = CommandOracle(script(tmp_path, "true"), IDS, tmp_path, environment={**os.environ, **crowded})
    await made.start(1)
    with pytest.raises(BellJarError, match="too many"):
        await tried(made, Trial(None))


async def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    made = CommandOracle(script(tmp_path, "true"), IDS, tmp_path / "gone")
    await made.start(1)
    with pytest.raises(UsageError, match="No such file"):
        await tried(made, Trial(None))
