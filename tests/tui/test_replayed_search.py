"""A journal of a search alone opens on its answer, and any moment of the search can be gone to."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from replayed import replayed
from stage import SIZES, until

from belljar_tui.core.fold import fold
from belljar_tui.core.time_line import Kind
from belljar_tui.journal.reader import read_journal
from belljar_tui.tui.dialogs import HelpScreen
from belljar_tui.tui.replayed_search import ReplayedSearch

RECORDED = Path(__file__).parents[2] / "sessions" / "checkout-minimal-set" / "journal.belljar.jsonl"
RECORDED_BYTES = RECORDED.stat().st_size


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    return Path(shutil.copy(RECORDED, tmp_path))


async def test_it_opens_on_what_was_found(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, ReplayedSearch))
        await until(pilot, lambda: "checkout starts with 5 of its 11 dependencies open" in app.screen_text)
        for words in ("pay-a.lab:7000 or pay-b.lab:7000: any one will do", "fine if refused, broken if it hangs"):
            assert words in app.screen_text
        assert "time line · 00:47.7 of 00:47.7" in app.screen_text
        await pilot.press("escape")  # there is no explorer behind it: its map would be empty
        assert isinstance(app.screen, ReplayedSearch)


async def test_from_the_start_trial_by_trial(journal: Path) -> None:
    stream = read_journal(journal)
    async with replayed(journal) as (app, pilot):
        await until(pilot, lambda: "single points" in app.screen_text)
        await pilot.press("home")
        assert (app.playback.index, app.playback.at) == (0, 0)
        await until(pilot, lambda: "no trial yet" in app.screen_text)
        for ended in range(1, 7):
            await pilot.press("e")
            assert app.playback.state == fold(stream[: app.playback.index])
            assert app.playback.state.search is not None
            assert app.playback.state.search.done == ended
        await until(pilot, lambda: "trial 7 · ✓ healthy · one cut" in app.screen_text)
        await pilot.press("E", "end")
        assert app.playback.index == len(stream)
        await until(pilot, lambda: "single points" in app.screen_text)
        await pilot.press("space")
        app.pass_time(5.0)
        assert app.playback.state.search is not None
        assert app.playback.state.search.done == 2
        await until(pilot, lambda: "2 of about" in app.screen_text)


async def test_a_note_is_about_the_row(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        await until(pilot, lambda: "single points" in app.screen_text)
        await pilot.press("left", "down", "down", "n", *"why", "enter")
        (note,) = app.playback.notebook.notes
        assert (note.text, note.dependency, note.at) == ("why", "tcp://cache.lab:6379", app.playback.at)
        await until(pilot, lambda: "◆" in app.screen_text.partition("notes")[2])


async def test_the_help_has_the_keys_that_do_something(journal: Path) -> None:
    async with replayed(journal) as (app, pilot):
        await until(pilot, lambda: isinstance(app.screen, ReplayedSearch))
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        told = [what for _, what in app.screen._keys]
        assert "To the end of the next trial of a search" in told
        assert not {"End the search; x goes on from what it knows", "To the next cut or restore"} & set(told)


async def test_a_torn_search_says_so_above_what_there_is(journal: Path) -> None:
    os.truncate(journal, RECORDED_BYTES - 2000)
    async with replayed(journal) as (app, pilot):
        await until(pilot, lambda: "torn: the writer ended" in app.screen_text)
        assert "of about" in app.screen_text
        assert app.playback.line.previous(Kind.TRIAL, app.playback.index) is not None


@pytest.mark.parametrize("size", SIZES)
async def test_screens_look_as_they_did(journal: Path, size: tuple[int, int]) -> None:
    async with replayed(journal, size) as (app, pilot):
        await until(pilot, lambda: "single points" in app.screen_text)
        await pilot.press("tab" if size[0] < 100 else "left", "left")
        app.looks_like("replayed-search")


@pytest.mark.parametrize("size", SIZES)
async def test_they_look_so_too_when_keys_come_before_the_trials_are_laid_out(
    journal: Path, size: tuple[int, int]
) -> None:
    async with replayed(journal, size) as (app, pilot):
        await until(pilot, lambda: "single points" in app.screen_text)
        search = app.replayed_search
        if size[0] < 100:
            search.action_turn_over()
        else:
            search.action_move_trial(-1)
        search.action_move_trial(-1)
        await pilot.pause()
        app.looks_like("replayed-search")
