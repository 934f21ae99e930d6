from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Mode
from belljar_tui.core.question import Question
from belljar_tui.core.report import report_of
from belljar_tui.core.session_diff import differences
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.journal.writer import JournalWriter
from tests.unit.strategies import events

AUTH, CACHE = "tcp://auth.lab:9000", "tcp://cache.lab:6379"


def session(*more: ev.AnyEvent, seen: str = AUTH) -> list[ev.AnyEvent]:
    return [
        ev.SessionStarted(at=0, name="shop", jar="lab", command=[]),
        ev.DependencySeen(at=1, dependency=seen, endpoint="tcp 10.0.0.1:9000", pid=7, process="web"),
        ev.HealthChanged(at=1, health=Health.HEALTHY, check="", detail=""),
        *more,
    ]


BROKEN: list[ev.AnyEvent] = [
    ev.CutApplied(at=2, dependency=AUTH, mode=Mode.REFUSE),
    ev.CallBlocked(at=3, dependency=AUTH, mode=Mode.REFUSE, pid=7, process="web", count=1),
    ev.HealthChanged(at=4, health=Health.UNHEALTHY, check="", detail=""),
]


def words(before: list[ev.AnyEvent], after: list[ev.AnyEvent]) -> list[str]:
    return [one.words for one in differences(report_of(before), report_of(after))]


def test_what_was_called_in_one_and_not_in_the_other() -> None:
    assert words(session(), session(seen=CACHE)) == [
        "cache.lab:6379 is called now",
        "auth.lab:9000 is not called any more",
    ]


def test_what_was_cut_and_needed() -> None:
    assert words(session(), session(*BROKEN)) == [
        "auth.lab:9000 was cut now, refuse",
        "auth.lab:9000, refuse: needed now, and was not tried",
        "it is unhealthy at the end now, and was healthy",
    ]


def test_a_trial_cuts_too() -> None:
    trial = Trial(frozenset({"dns:"}), alone=CACHE, mode=Mode.HANG)
    outcome = Outcome(trial=trial, verdict=TrialVerdict.HEALTHY, called=frozenset({"dns:", AUTH, CACHE}))
    search: list[ev.AnyEvent] = [
        ev.SearchStarted(at=0, question=Question()),
        ev.TrialEnded(at=9, number=1, outcome=outcome),
    ]
    assert words(session(), session(*search)) == [
        "name service (dns:) is called now",
        "cache.lab:6379 is called now",
        "auth.lab:9000 was cut now, refuse",
        "cache.lab:6379 was cut now, hang",
    ]


@given(st.lists(events, max_size=10))
def test_a_session_does_not_differ_from_itself(stream: list[ev.AnyEvent]) -> None:
    assert differences(report_of(stream), report_of(stream)) == []


def belljar_diff(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "belljar_tui", "diff", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_tells_sessions_from_profiles_by_their_content(tmp_path: Path) -> None:
    for name, stream in (("a", session()), ("b", session(*BROKEN))):
        with JournalWriter(tmp_path / name) as writer:
            for event in stream:
                writer.write(event)
    done = belljar_diff(str(tmp_path / "a"), str(tmp_path / "b"))
    assert done.returncode == 1
    assert "+ auth.lab:9000 was cut now, refuse" in done.stdout
    assert belljar_diff(str(tmp_path / "a"), str(tmp_path / "a"), "--json").returncode == 0
    (tmp_path / "p.yaml").write_text("belljar: 2\n")
    done = belljar_diff(str(tmp_path / "p.yaml"), str(tmp_path / "a"))
    assert done.returncode == 2
    assert f"{tmp_path / 'a'} is a recorded session and {tmp_path / 'p.yaml'} is not." in done.stderr


def test_what_is_missing_of_a_session_is_said(tmp_path: Path) -> None:
    for name in ("whole", "torn", "nothing"):
        with JournalWriter(tmp_path / name) as writer:
            for event in session() if name != "nothing" else []:
                writer.write(event)
    torn = tmp_path / "torn"
    torn.write_bytes(torn.read_bytes()[:-9])
    done = belljar_diff(str(tmp_path / "whole"), str(torn))
    assert f"{torn}: line 4: torn" in done.stderr
    done = belljar_diff(str(tmp_path / "nothing"), str(torn))
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was recorded" in done.stderr
