"""What was found, played or said is told, whatever the disk says in the end."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from belljar_tui.core import events as ev
from belljar_tui.core.question import Phase, Question
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.errors import BadProfile, UsageError
from belljar_tui.headless import drill, minimize, printer


def _full(*_: object) -> None:
    raise BadProfile("shop.belljar.yaml", "", "cannot be written: No space left on device.")


def test_a_search_whose_profile_cannot_be_written_says_how_to_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    journal = tmp_path / "journal.belljar.jsonl"
    recorder = minimize.Recorder(journal, ev.SessionStarted(at=0.0, name="shop", jar="lab", command=[], checks=[]), 0.0)
    recorder.take(ev.SearchStarted(at=0.1, question=Question(candidates=("tcp://auth.lab:9000",))))
    trial = Trial(None)
    recorder.take(ev.TrialStarted(at=0.2, number=1, trial=trial, phase=Phase.BASELINE))
    recorder.take(ev.TrialEnded(at=0.3, number=1, outcome=Outcome(trial=trial, verdict=TrialVerdict.HEALTHY)))
    monkeypatch.setattr(sys, "argv", ["belljar", "minimize", "-o", "shop.belljar.yaml", "--lab", "checkout"])
    with pytest.raises(BadProfile):
        minimize._save(recorder, _full, Path("shop.belljar.yaml"))
    said = capsys.readouterr().err
    assert "1 trials are kept" in said
    assert f"belljar minimize --resume {journal} -o shop.belljar.yaml --lab checkout" in said


def test_a_play_that_cannot_be_kept_is_over_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise UsageError("drills.json: No space left on device.")

    monkeypatch.setattr(drill, "keep", full)
    drill._keep("dns-for-mail", 80)
    assert "this play is not kept: drills.json: No space left on device." in capsys.readouterr().err


@pytest.mark.parametrize("say", [lambda: printer.line(b"x"), lambda: printer.rich("x"), lambda: printer.json({})])
def test_an_output_that_cannot_be_written_is_no_fault_of_ours(say: object) -> None:
    """In a process of its own: /dev/full is a disk that is."""
    read, write = os.pipe()
    if (pid := os.fork()) == 0:
        os.dup2(os.open("/dev/full", os.O_WRONLY), 1)
        sys.stdout = os.fdopen(1, "w")
        try:
            say()  # type: ignore[operator]
        except UsageError as error:
            os.write(write, str(error).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read) as said:
        words = said.read()
    os.waitpid(pid, 0)
    assert f"The output cannot be written: {os.strerror(errno.ENOSPC)}." in words
    assert "Make room" in words
