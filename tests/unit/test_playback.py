from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Mode
from belljar_tui.core.time_line import Kind
from belljar_tui.journal.notes import LateNote, Notebook
from belljar_tui.journal.recording import Recording
from belljar_tui.journal.writer import JournalWriter
from belljar_tui.playback import PAST, SPEEDS, Playback
from tests.unit.strategies import events

moves = st.one_of(
    st.tuples(st.just("seek"), st.floats(-1, 1.1e5)),
    st.tuples(st.just("step"), st.integers(-3, 3)),
    st.tuples(st.just("go_to"), st.integers(-2, 30)),
    st.tuples(st.just("tick"), st.floats(0, 1e4)),
    st.tuples(st.just("jump"), st.sampled_from(list(Kind))),
    st.tuples(st.just("change_speed"), st.integers(-3, 3)),
    st.tuples(st.just("play"), st.none()),
)


def opened(folder: str, stream: list[ev.AnyEvent]) -> Playback:
    path = Path(folder, "journal.belljar.jsonl")
    with JournalWriter(path) as writer:
        for event in stream:
            writer.write(event)
    recording = Recording(path, block_bytes=200)
    recording.read_all()
    return Playback(recording, Notebook(path))


@given(st.lists(events, max_size=20), st.lists(moves, max_size=12))
@settings(max_examples=60)
def test_wherever_one_goes_the_state_is_the_fold_up_to_there(
    stream: list[ev.AnyEvent], steps: list[tuple[str, object]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        playback = opened(folder, stream)
        for name, value in steps:
            method = getattr(playback, name)
            _ = method() if value is None else method(value)
            assert playback.state == fold(stream[: playback.index])
            assert playback.state.at <= playback.at <= playback.line.end
            assert playback.speed in SPEEDS
        playback.recording.close()


async def test_the_past_takes_no_command(tmp_path: Path) -> None:
    playback = opened(str(tmp_path), [ev.CutApplied(at=1.0, dependency="dns:", mode=Mode.REFUSE)])
    said: list[str] = []
    playback.on_rejected = said.append
    playback.go_to(1)
    await playback.do(cmd.RestoreAll())
    assert playback.state.cut_count == 1
    assert said == [PAST]


def test_notes_of_the_journal_and_of_replay_are_one_list(tmp_path: Path) -> None:
    playback = opened(str(tmp_path), [ev.NoteAdded(at=2.0, text="live"), ev.SessionEnded(at=9.0, reason="quit")])
    playback.notebook.add(LateNote(at=5.0, text="late"))
    playback.notebook.add(LateNote(at=1.0, text="early"))
    assert [(note.at, note.text, note.late is None) for note in playback.notes()] == [
        (1.0, "early", False),
        (2.0, "live", True),
        (5.0, "late", False),
    ]
    visited = []
    while playback.jump(Kind.NOTE):
        visited.append(playback.at)
    assert visited == [1.0, 2.0, 5.0]
