"""Replay on a recorded outage: every key does what its tooltip says, any moment is exact, nothing is rewritten."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_search import FakeOracle
from replayed import AUTH, DB, TIME, journal_in, outage, replayed
from stage import SIZES, staged, until

from belljar_tui.core.fold import fold
from belljar_tui.journal.notes import notes_of, read_notes
from belljar_tui.tui.dialogs import HelpScreen, LinePrompt
from belljar_tui.tui.graph import GraphView
from belljar_tui.tui.notes_screen import NotesScreen
from belljar_tui.tui.time_line_view import TimeLineView

EVENTS = sorted(outage(), key=lambda event: event.at)


def content(path: Path) -> bytes:
    return path.read_bytes()


def damaged(path: Path) -> int:
    """Tear one line in the middle and the last one; how many lines there are."""
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:15], lines[15][:20] + b"\n", *lines[16:-1], lines[-1][:30]]))
    return len(lines)


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return journal_in(tmp_path)


async def test_it_begins_at_the_start_and_every_step_is_a_moment(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        assert "time line · 00:00.0 of 01:40.0" in app.screen_text
        for count in range(1, len(EVENTS) + 1):
            await pilot.press("full_stop")
            assert app.playback.state == fold(EVENTS[:count])
        for count in reversed(range(len(EVENTS))):
            await pilot.press("comma")
            assert app.playback.state == fold(EVENTS[:count])


async def test_jumping_goes_to_cuts_health_notes_and_first_blocked_calls(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        visited = []
        for key in ("c", "b", "t", "o", "c", "t", "c", "b", "t", "c", "t", "T", "C", "B", "O"):
            await pilot.press(key)
            visited.append(app.playback.at)
        assert visited == [10, 12, 12.5, 20, 30, 31.5, 60, 62, 63, 80, 82, 63, 60, 12, 12]
        await until(pilot, lambda: "There is no note before 00:12.0" in app.screen_text)


async def test_a_jump_selects_the_dependency_it_is_about(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        await pilot.press("end", "B")
        assert app.playback.at == 62
        assert app.query_one(GraphView).selected == DB
        assert "hit nothing" not in app.screen_text


async def test_it_plays_faster_and_slower_and_stops_at_the_end(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        await pilot.press("space")
        app.pass_time(11.0)
        assert app.playback.at == 11
        assert app.playback.state == fold(event for event in EVENTS if event.at <= 11)
        await pilot.press("plus", "plus", "minus", "plus")
        assert app.playback.speed == 5
        app.pass_time(4.0)
        assert app.playback.at == 31
        await pilot.press(*["plus"] * 20)
        assert app.playback.speed == 1000
        app.pass_time(1.0)
        assert (app.playback.at, app.playback.is_playing) == (100, False)
        await pilot.press("space")
        assert (app.playback.at, app.playback.is_playing) == (0, True), "from the end it plays again"
        await pilot.press("space")
        assert not app.playback.is_playing


async def test_scrubbing_with_keys(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        column_s = app.query_one(TimeLineView).column_s
        await pilot.press("ctrl+right", "right", "l", "left")
        assert app.playback.at == pytest.approx(11 * column_s)
        await pilot.press("end")
        assert app.playback.at == 100
        await pilot.press("home", "left")
        assert app.playback.at == 0


async def test_scrubbing_with_the_mouse(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        view = app.query_one(TimeLineView)
        await pilot.mouse_down(view, offset=(70, 3))
        middle = app.playback.at
        assert 40 < middle < 60
        assert app.playback.state == fold(event for event in EVENTS if event.at <= middle)
        await pilot.hover(view, offset=(90, 3))
        assert app.playback.at > middle
        await pilot.mouse_up(view, offset=(117, 3))
        await pilot.mouse_down(view, offset=(118, 3))
        assert app.playback.at == 100
        await pilot.mouse_up(view, offset=(118, 3))
        await pilot.hover(view, offset=(30, 3))
        assert app.playback.at == 100, "let go of, it stays"


@pytest.mark.parametrize("key", ["m", "v", "r", "u", "s", "ctrl+r"])
async def test_keys_that_would_change_the_past_say_so(journal: Path, key: str) -> None:
    async with replayed(journal) as (app, pilot):
        await pilot.press("c", key)
        await until(pilot, lambda: "The past cannot be changed" in app.screen_text)
        assert app.playback.state.dependencies[AUTH].is_cut


async def test_a_click_on_a_glyph_cuts_nothing(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        await pilot.press("c")
        row = next(i for i, r in enumerate(app.query_one(GraphView)._drawing.rows) if r.dependency == TIME)
        await pilot.click(GraphView, offset=(50, row + 1), times=2)
        await until(pilot, lambda: "The past cannot be changed" in app.screen_text)
        assert app.query_one(GraphView).selected == TIME


async def test_a_note_is_kept_beside_the_journal(journal: Path) -> None:
    before = content(journal)
    async with replayed(journal) as (app, pilot):
        await pilot.press("t", "t", "n")
        assert isinstance(app.screen, LinePrompt)
        assert "Note at 00:12.5, kept beside the journal" in app.screen_text
        await pilot.press(*"why", "enter")
        await until(pilot, lambda: app.playback.notebook.notes)
        assert "◆" in app.screen_text
    assert content(journal) == before
    (note,) = read_notes(notes_of(journal))
    assert (note.at, note.text, note.dependency) == (12.5, "why", AUTH)
    async with replayed(journal) as (app, pilot):
        await pilot.press("o")
        assert app.playback.at == 12.5, "and is there the next time"


async def test_notes_are_listed_gone_to_changed_and_removed(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        await pilot.press("end", "n", *"end", "enter", "N")
        assert isinstance(app.screen, NotesScreen)
        await pilot.pause()
        assert "journal  auth.lab:9000  the shop is down" in app.screen_text
        assert "01:40.0  replay   auth.lab:9000  end" in app.screen_text
        await pilot.press("e", "end", *"ing", "enter")
        await until(pilot, lambda: [note.text for note in app.playback.notebook.notes] == ["ending"])
        await pilot.press("k", "d")
        await until(pilot, lambda: "It is in the journal" in app.screen_text)
        await pilot.press("enter")
        await until(pilot, lambda: not isinstance(app.screen, NotesScreen))
        assert app.playback.at == 20
        await pilot.press("N", "j", "d")
        await until(pilot, lambda: not app.playback.notebook.notes)
        await pilot.press("escape")
    assert read_notes(notes_of(journal)) == []


async def test_damaged_notes_are_told_and_left_alone(journal: Path) -> None:
    notes_of(journal).write_text('{"belljar_notes":1}\n{"at":1,\n')
    async with replayed(journal) as (app, pilot):
        await until(pilot, lambda: "line 2: not a note" in app.screen_text)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, LinePrompt))
        await pilot.press("x", "enter")
        await until(pilot, lambda: "Not noted" in app.screen_text)
    assert notes_of(journal).read_text().endswith('{"at":1,\n')


async def test_what_is_missing_stays_in_sight(journal: Path) -> None:
    lines = damaged(journal)
    before = content(journal)
    async with replayed(journal) as (app, pilot):
        await until(pilot, lambda: "journal.belljar.jsonl, line 16: damaged" in app.screen_text)
        assert f"line {lines}: torn" in app.screen_text
        await pilot.press("end")
        assert app.playback.index == lines - 3
    assert content(journal) == before


async def test_help_names_every_key_of_replay(journal: Path) -> None:
    async with replayed(journal, (120, 60)) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        await pilot.pause()
        assert "To the next cut or restore" in app.screen_text
        assert "One event back" in app.screen_text


async def test_a_session_without_a_search_says_so(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        await pilot.press("x")
        await until(pilot, lambda: "There was no search up to 00:00.0" in app.screen_text)


async def test_a_search_is_shown_as_it_stood_and_cannot_be_steered(tmp_path: Path) -> None:
    async with staged(oracle=FakeOracle()) as (live, pilot):
        await pilot.press("x")
        live.oracle.let(100)
        await until(pilot, lambda: live.session.state.search is not None and live.session.state.search.found)
        recorded, last = list(live.journal), live.session.state
    async with replayed(journal_in(tmp_path, recorded)) as (app, pilot):
        await pilot.press("end")
        assert app.playback.state == last
        await pilot.press("x")
        await until(pilot, lambda: "checkout starts with 5 of its 10" in app.screen_text)
        assert "Stop" not in app.screen_text
        await pilot.press("s", "X", "t", "escape")
        await until(pilot, lambda: "time line" in app.screen_text)
        app.playback.go_to(app.playback.index // 2)
        await pilot.press("x")
        await until(pilot, lambda: "of about" in app.screen_text)
        assert app.playback.state.search == fold(recorded[: app.playback.index]).search


async def test_keys_of_replay_are_remapped_by_id(journal: Path) -> None:
    async with replayed(journal, keymap={"next_cut": "f5"}) as (app, pilot):
        await pilot.press("c")
        assert app.playback.at == 0
        await pilot.press("f5")
        assert app.playback.at == 10


async def test_a_tiny_terminal_is_told_so_on_replay_too(journal: Path) -> None:
    async with replayed(journal, (50, 12)) as (app, _):
        assert "too small" in app.screen_text


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_replay_looks_as_it_did(journal: Path, size: tuple[int, int]) -> None:
    async with replayed(journal, size) as (app, pilot):
        await pilot.press("c", "b", "t")
        await pilot.pause(0.15)
        app.looks_like("replay")


async def test_lanes_are_told_apart_without_colour(journal: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with replayed(journal) as (app, pilot):
        await pilot.press("end")
        assert {"▇", "▁", "┄", "━", "◆", "▲"} <= set(app.screen_text)
