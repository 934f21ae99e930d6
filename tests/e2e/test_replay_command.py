"""A session recorded by a real run, looked at again: the same states, the same screen, and a journal left as it was."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from jarred import BELLJAR, DEADLINE_S, headless
from terminal import Terminal

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.journal.notes import notes_of, read_notes
from belljar_tui.journal.recording import Recording

AUTH = "tcp://auth.lab:9000"


def record(state_home: Path) -> tuple[Path, list[ev.AnyEvent]]:
    """The lab, with auth cut and restored: the journal, and the events as they came live."""
    with headless(state_home, "demo", "--headless") as demo:
        demo.wait_for_health("healthy")
        demo.say(command="cut", dependency=AUTH, mode="refuse")
        demo.wait_for_health("unhealthy")
        demo.say(command="note", text="auth is gone", dependency=AUTH)
        demo.say(command="restore", dependency=AUTH)
        demo.wait_for_health("healthy")
        demo.say(command="seal", seal="vacuum")
        demo.wait_for_health("unhealthy")
        demo.say(command="restore_all")
        demo.wait_for_health("healthy")
        assert demo.quit() == 0
        demo.wait_for("session_ended")
    (journal,) = state_home.glob("belljar/sessions/*/journal.belljar.jsonl")
    return journal, [ev.decode(msgspec.json.encode(event)) for event in demo.events]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[ev.AnyEvent]]:
    return record(tmp_path_factory.mktemp("state"))


@pytest.mark.kernel
def test_every_replayed_state_is_the_state_that_was_live(recorded: tuple[Path, list[ev.AnyEvent]]) -> None:
    journal, live = recorded
    recording = Recording(journal, block_bytes=4096)
    line = recording.read_all()
    assert line.count == len(live)
    assert line.last == fold(live)
    for index in range(0, line.count, 7):
        assert line.state_at(index) == fold(live[:index])
    assert recording.warnings() == []
    recording.close()


@pytest.fixture
def replay(recorded: tuple[Path, list[ev.AnyEvent]], tmp_path: Path) -> Iterator[Terminal]:
    journal, _ = recorded
    environment = {"XDG_STATE_HOME": str(journal.parents[3]), "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    terminal = Terminal(tmp_path / "tmux", " ".join((*BELLJAR, "replay")), 120, 36, environment)
    try:
        yield terminal
    finally:
        terminal.close()


@pytest.mark.kernel
@pytest.mark.terminal
@pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")
def test_a_session_is_chosen_replayed_and_noted_upon(
    replay: Terminal, recorded: tuple[Path, list[ev.AnyEvent]]
) -> None:
    journal, _ = recorded
    before = journal.read_bytes()
    replay.shows("Replay which session?")
    replay.shows("checkout")
    replay.press("Enter")
    replay.shows("time line · 00:00.0")
    replay.press("c")
    replay.shows("✂  auth.lab")
    replay.press("t")
    replay.shows("503 auth.lab: connection refused")
    replay.press("n")
    replay.shows("kept beside the journal")
    replay.press("at once", "Enter")
    replay.lacks("kept beside the journal")
    replay.press("t")
    replay.shows("recovered in")
    replay.press("v")
    replay.shows("The past cannot be changed")
    replay.press("c")
    replay.shows("cut applied")
    replay.press("N")
    replay.shows("journal  auth.lab:9000  auth is gone")
    replay.shows("at once")
    replay.press("Escape")
    replay.press("End")
    replay.shows("session ended · quit")
    replay.press("q")
    replay.ends()
    assert journal.read_bytes() == before
    assert [note.text for note in read_notes(notes_of(journal))] == ["at once"]


def belljar(*arguments: str, state_home: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(state_home)}
    return subprocess.run(
        [*BELLJAR, *arguments], env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("version: 1\n", "line 1: this is not the first line of a journal"),
        ('{"belljar_journal":1}\n', "needs a terminal"),
    ],
    ids=["empty", "another format", "no terminal"],
)
def test_what_cannot_be_replayed_says_so_in_one_line(tmp_path: Path, content: str, says: str) -> None:
    path = tmp_path / "x.belljar.jsonl"
    path.write_text(content)
    done = belljar("replay", str(path), state_home=tmp_path)
    assert done.returncode == 2
    assert says in done.stderr
    assert "Traceback" not in done.stderr
    assert path.read_text() == content


def test_a_journal_that_is_not_there_is_refused(tmp_path: Path) -> None:
    done = belljar("replay", str(tmp_path / "none.belljar.jsonl"), state_home=tmp_path)
    assert (done.returncode, "No such file" in done.stderr) == (2, True)


def test_a_shell_completes_recorded_sessions(tmp_path: Path) -> None:
    folder = tmp_path / "belljar" / "sessions" / "checkout-20260101-120000"
    folder.mkdir(parents=True)
    (folder / "journal.belljar.jsonl").write_text('{"belljar_journal":1}\n')
    words = {"_BELLJAR_COMPLETE": "bash_complete", "COMP_WORDS": "belljar replay che", "COMP_CWORD": "2"}
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), **words}
    program = "import sys; sys.argv = ['belljar']; from belljar_tui.headless.cli import cli; cli(prog_name='belljar')"
    done = subprocess.run(
        [BELLJAR[0], "-c", program], env=environment, capture_output=True, text=True, timeout=DEADLINE_S, check=False
    )
    assert "plain,checkout-20260101-120000" in done.stdout
