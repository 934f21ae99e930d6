from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from belljar_tui import locations
from belljar_tui.errors import UsageError

NOON = datetime(2026, 1, 1, 12, 0, 0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    return tmp_path


def test_a_session_has_a_folder_of_its_own_for_its_owner_alone(home: Path) -> None:
    folder = locations.new_session("checkout", NOON)
    assert folder == home / ".local/state/belljar/sessions/checkout-20260101-120000"
    made = [folder, *folder.parents][: len(folder.relative_to(home).parts)]
    assert {path.stat().st_mode & 0o777 for path in made} == {0o700}
    assert locations.journal_of(folder).name == "journal.belljar.jsonl"
    assert locations.service_log_of(folder).parent == folder


def test_two_sessions_in_one_second_do_not_meet(home: Path) -> None:
    assert len({locations.new_session("checkout", NOON) for _ in range(3)}) == 3


@pytest.mark.parametrize("name", ["", "..", "../../etc", "a/b", "x" * 500, "a b\n\0", ".hidden"])
def test_no_name_leaves_the_sessions_folder(home: Path, name: str) -> None:
    assert locations.new_session(name, NOON).parent == locations.sessions()


def test_xdg_folders_are_used_and_relative_ones_ignored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    assert locations.state_home() == home / "state/belljar"
    assert locations.keymap() == home / ".config/belljar/keymap.yaml"


def test_a_folder_that_cannot_be_made_is_a_usage_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").write_text("")
    monkeypatch.setenv("XDG_STATE_HOME", str(home / "file"))
    with pytest.raises(UsageError, match="Not a directory") as caught:
        locations.new_session("checkout", NOON)
    assert "XDG_STATE_HOME" in caught.value.remedy
