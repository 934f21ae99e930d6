from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.errors import BadJournal
from belljar_tui.journal.reader import read_journal
from belljar_tui.journal.recording import Recording
from tests.unit.strategies import events

HEADER = b'{"belljar_journal":1,"written_by":"0.1.0"}\n'
OLD = Path(__file__).with_name("version_1.belljar.jsonl")


def note(at: float) -> bytes:
    return ev.encode(ev.NoteAdded(at=at, text="here")) + b"\n"


def recording(folder: Path, content: bytes, block_bytes: int = 64) -> Recording:
    path = folder / "journal.belljar.jsonl"
    path.write_bytes(content)
    opened = Recording(path, block_bytes)
    opened.read_all()
    assert path.read_bytes() == content, "a journal is never rewritten"
    return opened


@given(st.lists(events, max_size=12), st.integers(1, 2000))
@settings(max_examples=50)
def test_every_moment_of_a_recording_is_a_fold_from_its_start(stream: list[ev.AnyEvent], block_bytes: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        opened = recording(Path(folder), HEADER + b"".join(ev.encode(event) + b"\n" for event in stream), block_bytes)
        assert opened.warnings() == [] or opened.line.backwards
        for index in (*range(len(stream) + 1), *reversed(range(len(stream)))):
            assert opened.line.state_at(index) == fold(stream[:index])
        opened.close()


def test_an_old_journal_is_replayed_as_it_is_read() -> None:
    opened = Recording(OLD)
    assert opened.read_all().last == fold(read_journal(OLD))
    assert opened.warnings() == []
    assert opened.progress == 1.0


@pytest.mark.parametrize(
    ("content", "times", "says"),
    [
        (note(1) + note(2)[:-9], [1], "line 3: torn: the writer ended in the middle of it."),
        (note(1) + note(2)[:9] + b"\n" + note(3), [1, 3], "line 3: damaged, not JSON."),
        (note(1) + b"\xff\xfe\0\n" + note(3), [1, 3], "line 3: damaged, not JSON."),
        (note(1) + b"\n\n" + note(3), [1, 3], "lines 3 to 4: empty, where an event should be."),
        (b'{"event":"exploded","at":1}\n' + note(2), [2], "line 2: not an event: Invalid value 'exploded'"),
        (note(5) + b"x\n" + note(6) + note(1), [5, 6, 1], "line 5: time goes back by 5.0 s; the later holds."),
    ],
    ids=["torn", "cut in the middle", "binary", "empty lines", "unknown event", "backwards"],
)
def test_what_can_be_read_is_shown_and_the_rest_told_with_its_line(
    tmp_path: Path, content: bytes, times: list[float], says: str
) -> None:
    opened = recording(tmp_path, HEADER + content)
    line = opened.line
    shown = [event.at for event in (line.event(index) for index in range(1, line.count + 1)) if event is not None]
    assert shown == times
    assert says in "\n".join(opened.warnings())
    assert all(warning.startswith("journal.belljar.jsonl, line") for warning in opened.warnings())


def test_a_journal_of_the_future_is_shown_as_far_as_it_is_understood(tmp_path: Path) -> None:
    content = HEADER.replace(b":1,", b":9,") + note(1) + b'{"event":"invented_later","at":2}\n' + note(3)
    opened = recording(tmp_path, content)
    assert opened.line.count == 2
    first, second = opened.warnings()
    assert "line 1: the journal has format 9, of a newer BellJar" in first
    assert "line 3: not an event" in second


def test_many_damages_are_told_in_one_line(tmp_path: Path) -> None:
    opened = recording(tmp_path, HEADER + (note(1) + b"x\n") * 2000)
    assert opened.line.count == 2000
    assert len(opened.warnings()) == 3
    assert "1,000 and more places cannot be read" in opened.warnings()[-1]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"hello\n", "line 1: this is not the first line of a journal"),
        (b"\x7fELF" + bytes(100_000), "line 1: this is not the first line of a journal"),
        (HEADER.replace(b":1,", b":0,"), "line 1: there is no journal format 0"),
        (HEADER, "nothing was recorded"),
        (HEADER + b"x\n", "line 2: damaged, not JSON"),
    ],
    ids=["empty", "text", "binary", "format 0", "header only", "no event"],
)
def test_where_nothing_can_be_shown_it_says_why(tmp_path: Path, content: bytes, says: str) -> None:
    with pytest.raises(BadJournal) as caught:
        recording(tmp_path, content).require_events()
    assert says in str(caught.value)
    assert str(tmp_path / "journal.belljar.jsonl") in str(caught.value)


def test_a_journal_that_is_not_there_or_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadJournal, match="cannot be read: No such file"):
        Recording(tmp_path / "none")
    with pytest.raises(BadJournal, match="cannot be read: Is a directory"):
        Recording(tmp_path)
