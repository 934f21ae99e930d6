from __future__ import annotations

import os
from pathlib import Path

import pytest

from belljar_tui import locations
from belljar_tui.core import events as ev
from belljar_tui.errors import BadJournal
from belljar_tui.journal.sessions import journal_at, names, recorded_sessions
from belljar_tui.journal.writer import JournalWriter


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return locations.sessions()


def recorded(name: str, age_s: float, *more: ev.AnyEvent) -> Path:
    folder = locations.sessions() / name
    folder.mkdir(parents=True)
    path = locations.journal_of(folder)
    with JournalWriter(path) as writer:
        writer.write(
            ev.SessionStarted(at=0, name=name[:4], jar="lab", command=["x"], started="2026-01-01T12:00:00+00:00")
        )
        for event in more:
            writer.write(event)
    os.utime(path, (1e9 - age_s, 1e9 - age_s))
    return path


def test_sessions_are_listed_newest_first_with_what_tells_them_apart() -> None:
    recorded("shop-1", 10.0, ev.SessionEnded(at=61.0, reason="quit"))
    recorded("cart-2", 5.0)
    newest, oldest = recorded_sessions()
    assert (newest.name, newest.how, newest.length_s) == ("cart", "", 0)
    assert (oldest.name, oldest.how, oldest.length_s, oldest.started[:4]) == ("shop", "quit", 61.0, "2026")
    assert names() == ["cart-2", "shop-1"]
    assert names("sh") == ["shop-1"]


def test_a_search_that_saved_its_profile_at_the_very_last_has_ended() -> None:
    recorded("shop-1", 1.0, ev.SessionEnded(at=61.0, reason="quit"), ev.ProfileSaved(at=61.5, path="shop.belljar.yaml"))
    (found,) = recorded_sessions()
    assert (found.how, found.length_s) == ("quit", 61.5)


def test_a_torn_or_strange_journal_is_listed_all_the_same() -> None:
    path = recorded("shop-1", 1.0, ev.NoteAdded(at=7.0, text="x"))
    path.write_bytes(path.read_bytes() + b'{"event":"note_')
    recorded("cart-2", 2.0).write_bytes(b"\xff\xfe nothing")
    strange, torn = sorted(recorded_sessions(), key=lambda one: one.journal.parent.name)
    assert torn.length_s == 7.0
    assert (strange.name, strange.length_s) == ("cart-2", None)


def test_without_sessions_there_are_none() -> None:
    assert recorded_sessions() == []


def test_a_journal_is_found_by_file_folder_and_name(tmp_path: Path) -> None:
    path = recorded("shop-1", 1.0)
    assert journal_at(str(path)) == journal_at(str(path.parent)) == journal_at("shop-1") == path
    other = tmp_path / "gallery" / "outage.belljar.jsonl"
    other.parent.mkdir()
    other.touch()
    assert journal_at(str(other.parent)) == other


def test_a_folder_with_none_or_several_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadJournal, match="there is no journal"):
        journal_at(str(tmp_path))
    (tmp_path / "a.belljar.jsonl").touch()
    (tmp_path / "b.belljar.jsonl").touch()
    with pytest.raises(BadJournal, match="there are 2 journals in it"):
        journal_at(str(tmp_path))
