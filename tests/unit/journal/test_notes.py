from __future__ import annotations

from pathlib import Path

import pytest

from belljar_tui.errors import BadJournal
from belljar_tui.journal.notes import LateNote, Notebook, notes_of, read_notes

HEADER = '{"belljar_notes":1}\n'


def note(at: float, text: str = "here") -> LateNote:
    return LateNote(at=at, text=text, dependency="tcp://auth.lab:9000", written="2026-01-01T12:00:00+00:00")


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return tmp_path / "journal.belljar.jsonl"


def test_notes_stand_beside_the_journal_and_are_none_themselves(journal: Path) -> None:
    assert notes_of(journal).name == "journal.belljar.notes.jsonl"
    assert not notes_of(journal).match("*.belljar.jsonl")


def test_notes_are_kept_changed_and_removed(journal: Path) -> None:
    book = Notebook(journal)
    book.add(note(2.0))
    book.add(note(1.0))
    assert Notebook(journal).notes == [note(1.0), note(2.0)]
    book.replace(note(2.0), note(2.0, "there"))
    book.remove(note(1.0))
    assert Notebook(journal).notes == book.notes == [note(2.0, "there")]
    assert [path.name for path in journal.parent.iterdir()] == [notes_of(journal).name], "nothing half-written stays"


def test_two_who_note_at_once_lose_nothing(journal: Path) -> None:
    one, other = Notebook(journal), Notebook(journal)
    one.add(note(1.0))
    other.add(note(2.0))
    one.remove(note(1.0))
    assert read_notes(notes_of(journal)) == [note(2.0)]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("hello\n", "line 1: not a note"),
        ('{"belljar_notes":9}\n', "line 1: notes of format 9; this BellJar reads 1"),
        (HEADER + '{"at":1,\n', "line 2: not a note"),
        (HEADER + '{"at":1,"text":"a"}\n{"at":"noon","text":"b"}\n', "line 3: not a note"),
    ],
)
def test_damaged_notes_are_told_with_their_line_and_never_rewritten(journal: Path, text: str, says: str) -> None:
    notes_of(journal).write_text(text)
    book = Notebook(journal)
    assert says in book.failure
    with pytest.raises(BadJournal, match=says):
        book.add(note(1.0))
    assert notes_of(journal).read_text() == text


def test_an_empty_file_has_no_notes(journal: Path) -> None:
    notes_of(journal).touch()
    assert Notebook(journal).notes == []


def test_a_folder_that_takes_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadJournal, match=r"cannot be written: No such file"):
        Notebook(tmp_path / "none" / "journal.belljar.jsonl").add(note(1.0))
