"""The search on the command line: its answers, its exit codes, and what is left when it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from jarred import BELLJAR, DEADLINE_S, all_gone, family_of
from servers import HAVE_A_WAY_OUT

from belljar_tui.core.fold import fold
from belljar_tui.journal.profile_file import read_profile
from belljar_tui.journal.reader import read_journal
from belljar_tui.labs import LABS

pytestmark = pytest.mark.kernel
TRUTH = {
    "dns:",
    "tcp://auth.lab:9000",
    "tcp://config.lab:8500",
    "tcp://orders-db.lab:5432",
}
QUICK = "import http.server,sys;http.server.test(http.server.SimpleHTTPRequestHandler,port=8000)"


def run(state_home: Path, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*BELLJAR, "minimize", *arguments],
        env={**os.environ, "XDG_STATE_HOME": str(state_home)},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def started(state_home: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*BELLJAR, "minimize", *arguments],
        env={**os.environ, "XDG_STATE_HOME": str(state_home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def trials(journal: Path) -> list[dict[str, object]]:
    """The ends of trials in a journal, recalled ones left out."""
    events = [json.loads(line) for line in journal.read_text().splitlines()[1:]]
    return [e for e in events if e["event"] == "trial_ended" and not e.get("is_recalled")]


def journals(state_home: Path) -> Sequence[Path]:
    return sorted(state_home.glob("belljar/sessions/*/journal.belljar.jsonl"))


def until_trials(state_home: Path, count: int) -> Path:
    """The journal, once it has so many trials."""
    end = time.monotonic() + 3 * DEADLINE_S
    while time.monotonic() < end:
        found = journals(state_home)
        if found and len(trials(found[0])) >= count:
            return found[0]
        time.sleep(0.05)
    raise AssertionError(f"no {count} trials came")


def test_an_interrupted_search_goes_on_where_it_was_and_comes_to_the_truth(tmp_path: Path) -> None:
    arguments = ("--lab", "checkout", "--deadline", "4", "--jobs", "4")
    with started(tmp_path, *arguments) as first:
        journal = until_trials(tmp_path, 6)
        family = family_of(first.pid)
        first.send_signal(signal.SIGINT)
        _, words = first.communicate(timeout=DEADLINE_S)
        assert first.returncode == 130
    assert all_gone(family)
    kept = len(trials(journal))
    assert f"{kept} trials are kept" in words
    assert f"--resume {journal}" in words
    done = run(tmp_path, "--resume", str(journal), "--json", *arguments)
    found = json.loads(done.stdout)
    assert set(found["minimal"]) - TRUTH in ({"tcp://pay-a.lab:7000"}, {"tcp://pay-b.lab:7000"})
    assert set(found["minimal"]) > TRUTH
    assert ["tcp://pay-a.lab:7000", "tcp://pay-b.lab:7000"] in found["cut_sets"]
    assert found["monotone"]
    after = trials(Path(found["journal"]))
    assert found["trials"] == kept + len(after)
    sets = [json.dumps(e["outcome"]["trial"]) for e in (*trials(journal), *after)]  # type: ignore[index]
    assert len(sets) == len(set(sets)), "no trial is repeated"


def test_a_search_that_is_killed_leaves_no_process_and_its_verdicts(tmp_path: Path) -> None:
    with started(tmp_path, "--lab", "checkout", "--deadline", "4", "--jobs", "2") as search:
        journal = until_trials(tmp_path, 2)
        family = family_of(search.pid)
        search.kill()
        assert all_gone(family)
        search.communicate()
    assert len(trials(journal)) >= 2


def test_never_healthy_is_said_after_one_trial_with_the_last_words(tmp_path: Path) -> None:
    health = ("--health", "exec:false")
    done = run(tmp_path, "--lab", "checkout", "--deadline", "2", *health, code=1)
    assert "never healthy, even with everything open" in done.stdout
    assert "exit code 1" in done.stdout
    assert len(trials(journals(tmp_path)[0])) == 1


@HAVE_A_WAY_OUT
def test_a_service_that_needs_nothing_is_proven_to(tmp_path: Path) -> None:
    health = ("--health", "tcp://localhost:8000", "--deadline", "6")
    done = run(tmp_path, "--json", *health, "--", sys.executable, "-c", QUICK)
    found = json.loads(done.stdout)
    assert (found["minimal"], found["trials"], found["conclusion"]) == ([], 2, "found")


@HAVE_A_WAY_OUT
def test_a_service_that_ends_at_once_is_never_healthy_with_its_last_line(tmp_path: Path) -> None:
    program = "import sys; sys.exit('no configuration')"
    began = time.monotonic()
    done = run(tmp_path, "--health", "tcp://localhost:8000", "--", sys.executable, "-c", program, code=1)
    assert "exit code 1: no configuration" in done.stdout
    assert time.monotonic() - began < 30, "nobody waits for a service that has ended"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "What is to be searched in?"),
        (("--lab", "checkout", "--", "true"), "Give one of"),
        (("--", "true"), "no health check"),
        (("--trial-command", "true"), "--dependencies"),
        (("--lab", "checkout", "--open", "dns:", "--cut", "dns:"), "at once"),
        (("--lab", "checkout", "--modes", "gently"), "'gently' is not a mode"),
        (("--lab", "checkout", "--open", "auth"), "is not a dependency id"),
        (("--lab", "checkout", "--jobs", "0"), "0 is not in the range"),
        (("--lab", "checkout", "--deadline", "nan"), "nan"),
        (("--health", "tcp://localhost:1", "--", "./no-such-program"), "no such command"),
    ],
)
def test_a_command_line_that_makes_no_sense_gets_one_clear_message(
    arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    assert words in run(tmp_path, *arguments, code=2).stderr


def test_a_journal_of_another_search_is_not_resumed(tmp_path: Path) -> None:
    run(tmp_path, "--lab", "checkout", "--deadline", "2", "--health", "exec:false", code=1)
    again = ("--lab", "checkout", "--resume", str(journals(tmp_path)[0]))
    assert "this search was for another checks" in run(tmp_path, *again, code=2).stderr
    plain = (*again, "--health", "exec:false", "--no-virtual-addresses")
    assert "this search was for another setting of virtual addresses" in run(tmp_path, *plain, code=2).stderr


def test_the_pool_lab_needs_what_it_says(tmp_path: Path) -> None:
    profile = tmp_path / "shop.belljar.yaml"
    asked = ("--lab", "pool", "--name", "shop", "-o", str(profile), "--deadline", "4", "--jobs", "2", "--json")
    found = json.loads(run(tmp_path, *asked).stdout)
    state = fold(read_journal(journals(tmp_path)[0]))
    assert (state.name, state.lab, read_profile(profile).name) == ("shop", "pool", "shop")
    truth = LABS["pool"].truth
    assert set(found["minimal"]) == {*truth.always, *truth.cold_only, "dns:"}
    assert set(found["tolerated"]) == set(truth.tolerated)
