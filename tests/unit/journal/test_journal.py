from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Mode
from belljar_tui.errors import BadJournal
from belljar_tui.journal.migrate import STEPS, VERSION, migrated
from belljar_tui.journal.reader import read_journal
from belljar_tui.journal.writer import JournalWriter
from tests.unit.strategies import events

HEADER = b'{"belljar_journal":1,"written_by":"0.1.0"}\n'
NOTE = b'{"event":"note_added","at":1.0,"text":"here"}\n'


def note(at: float, text: str = "here") -> ev.NoteAdded:
    return ev.NoteAdded(at=at, text=text)


def journal(folder: Path, content: bytes) -> Path:
    path = folder / "journal.belljar.jsonl"
    path.write_bytes(content)
    return path


@given(st.lists(events, max_size=8))
@settings(max_examples=50)
def test_what_was_written_is_read_and_folds_the_same(stream: list[ev.AnyEvent]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "j")
        with JournalWriter(path) as writer:
            for event in stream:
                writer.write(event)
        assert read_journal(path) == stream
        assert fold(read_journal(path)) == fold(stream)


@pytest.mark.parametrize("kept", range(len(NOTE)))
def test_a_torn_last_line_is_forgiven_wherever_it_tore(tmp_path: Path, kept: int) -> None:
    events_read = read_journal(journal(tmp_path, HEADER + NOTE + NOTE[:kept]))
    assert events_read[0] == note(1.0)
    assert len(events_read) <= 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello\n", "line 1: this is not the first line of a journal"),
        (b"\xff\xfe\0\n", "line 1: this is not the first line of a journal"),
        (NOTE, "line 1: this is not the first line of a journal"),
        (HEADER + NOTE + b"{\n" + NOTE, "line 3: damaged, not JSON"),
        (HEADER + NOTE + b"\xff\xfe\n" + NOTE, "line 3: damaged"),
        (HEADER + b"\n" + NOTE, "line 2: empty, where an event should be"),
        (HEADER + b'{"event":"exploded","at":1}\n', "line 2: not an event"),
        (HEADER + b'{"event":"note_added","at":"noon","text":""}\n', "line 2: not an event"),
        (HEADER.replace(b":1,", b":2,"), "line 1: it has format 2 and was written by a newer BellJar"),
        (HEADER.replace(b":1,", b":0,"), "line 1: there is no journal format 0"),
    ],
)
def test_other_damage_is_told_with_its_line(tmp_path: Path, content: bytes, says: str) -> None:
    path = journal(tmp_path, content)
    with pytest.raises(BadJournal) as caught:
        read_journal(path)
    assert str(caught.value).startswith(f"{path}: {says}")
    assert caught.value.remedy


def test_a_missing_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadJournal, match="cannot be read: No such file"):
        read_journal(tmp_path / "none")


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    path = journal(tmp_path, HEADER + NOTE)
    with pytest.raises(BadJournal, match="is already there"):
        JournalWriter(path)
    assert path.read_bytes() == HEADER + NOTE


def test_a_journal_is_for_its_owner_alone(tmp_path: Path) -> None:
    with JournalWriter(tmp_path / "j") as writer:
        assert writer.path.stat().st_mode & 0o777 == 0o600


def test_every_old_version_has_a_step() -> None:
    assert set(STEPS) == set(range(1, VERSION))
    assert migrated({"event": "x"}, VERSION) == {"event": "x"}


def test_a_journal_of_version_1_is_still_read() -> None:
    stream = read_journal(Path(__file__).with_name("version_1.belljar.jsonl"))
    state = fold(stream)
    assert [type(event).__name__ for event in stream][:2] == ["SessionStarted", "AgentStarted"]
    assert state.name == "checkout"
    assert state.blocked == 3
    assert state.dependencies["tcp://auth.lab:9000"].mode is Mode.REFUSE


_KILLED = """
import os, signal, sys
from pathlib import Path
from belljar_tui.core.events import NoteAdded
from belljar_tui.journal.writer import JournalWriter
writer = JournalWriter(Path(sys.argv[1]))
for number in range(100):
    writer.write(NoteAdded(at=number, text="here"))
os.kill(os.getpid(), signal.SIGKILL)
"""

_FULL = """
import resource, sys
from pathlib import Path
from belljar_tui.core.events import NoteAdded
from belljar_tui.journal.writer import JournalWriter
writer = JournalWriter(Path(sys.argv[1]))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (300, hard))
told = [writer.write(NoteAdded(at=number, text="here")) for number in range(50)].count(False)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
lost = writer.lost
writer.write(NoteAdded(at=50, text="last"))
print(lost, told, writer.lost)
"""


def run(script: str, path: Path) -> subprocess.CompletedProcess[str]:
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": root}
    arguments = [sys.executable, "-c", script, str(path)]
    return subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_nothing_written_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    assert run(_KILLED, tmp_path / "j").returncode == -signal.SIGKILL
    assert [event.at for event in read_journal(tmp_path / "j")] == list(range(100))


def test_a_full_disk_is_told_counted_and_leaves_a_readable_journal(tmp_path: Path) -> None:
    result = run(_FULL, tmp_path / "j")
    assert result.returncode == 0, result.stderr
    lost, told, lost_at_end = map(int, result.stdout.split())
    stream = read_journal(tmp_path / "j")
    assert (told, lost_at_end) == (lost, lost)
    assert lost > 0
    assert stream[-2:] == [ev.EventsLost(at=50, source="journal", count=lost), note(50, "last")]
    assert len(stream) == 50 - lost + 2


def test_writing_after_the_close_is_counted_not_raised(tmp_path: Path) -> None:
    writer = JournalWriter(tmp_path / "j")
    writer.close()
    writer.close()
    writer.write(note(1.0))
    assert writer.lost == 1
