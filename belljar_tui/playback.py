"""A recorded session being looked at: where one is, how fast it plays, and the notes made on the way.

The equal of a Session for whatever shows a state: it has a state, a clock, and takes commands, none of which can change
the past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain

import msgspec

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.state import State
from belljar_tui.core.time_line import Kind
from belljar_tui.journal.notes import LateNote, Notebook
from belljar_tui.journal.recording import Recording

SPEEDS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
PAST = "The past cannot be changed. It can be cut again live: belljar run, or belljar demo."


class Noted(msgspec.Struct, frozen=True):
    """A note, wherever it was made."""

    at: float
    text: str
    dependency: str | None
    late: LateNote | None = None
    """The note itself where it was made on replay; those of the journal stay as they are."""


class Playback:
    """Begins at the start, paused.

    Args:
        recording: may still be read while one looks around in what there is.
        notebook: its notes.
    """

    def __init__(self, recording: Recording, notebook: Notebook) -> None:
        self.recording = recording
        self.line = recording.line
        self.notebook = notebook
        self.index = 0
        """How many events have happened."""
        self.at = 0.0
        """The moment on the clock; later than the last event where nothing happens."""
        self.speed = 1
        self.is_playing = False
        self.on_rejected: Callable[[str], None] | None = None
        self._state = State()
        self._notes: tuple[object, list[Noted]] = (None, [])

    @property
    def state(self) -> State:
        """The fold up to now."""
        return self._state

    def now(self) -> float:
        return self.at

    async def do(self, command: cmd.AnyCommand) -> None:
        """Nothing but saying so."""
        if self.on_rejected is not None:
            self.on_rejected(PAST)

    def seek(self, at: float) -> None:
        """To a time."""
        self.at = min(max(at, 0.0), self.line.end)
        self._settle(self.line.index_at(self.at))

    def go_to(self, index: int) -> None:
        """To the moment at which that many events have happened."""
        self._settle(max(0, min(index, self.line.count)))
        self.at = self._state.at

    def step(self, events: int) -> None:
        """So many events on, or back."""
        self.is_playing = False
        self.go_to(self.index + events)

    def tick(self, elapsed_s: float) -> bool:
        """Time has passed for the person; whether anything moved."""
        if not self.is_playing:
            return False
        self.seek(self.at + elapsed_s * self.speed)
        if self.at >= self.line.end and self.recording.is_read:
            self.is_playing = False
        return True

    def play(self) -> None:
        """Play or pause; at the end, again from the start."""
        if not self.is_playing and self.at >= self.line.end and self.recording.is_read:
            self.go_to(0)
        self.is_playing = not self.is_playing

    def change_speed(self, steps: int) -> None:
        place = SPEEDS.index(self.speed) + steps
        self.speed = SPEEDS[max(0, min(place, len(SPEEDS) - 1))]

    def jump(self, kind: Kind, *, back: bool = False) -> bool:
        """To the next moment of a kind, or the one before; False where there is none, and nothing moves."""
        self.is_playing = False
        if kind is Kind.NOTE:
            return self._jump_to_note(back=back)
        index = self.line.previous(kind, self.index) if back else self.line.next(kind, self.index)
        if index is None:
            return False
        self.go_to(index)
        return True

    def notes(self) -> list[Noted]:
        """All there are, by moment."""
        made_of = (len(self.line.notes), self.notebook.notes)
        if self._notes[0] != made_of:
            self._notes = (made_of, sorted(chain(self._live_notes(), self._late_notes()), key=lambda note: note.at))
        return self._notes[1]

    def _live_notes(self) -> Iterator[Noted]:
        return (Noted(at, note.text, note.dependency) for at, note in self.line.notes)

    def _late_notes(self) -> Iterator[Noted]:
        return (Noted(note.at, note.text, note.dependency, note) for note in self.notebook.notes)

    def _jump_to_note(self, *, back: bool) -> bool:
        times = [note.at for note in self.notes()]
        found = [at for at in times if (at < self.at if back else at > self.at)]
        if not found:
            return False
        self.seek(found[-1] if back else found[0])
        return True

    def last_event(self) -> ev.AnyEvent | None:
        """What has happened last."""
        return self.line.event(self.index)

    def _settle(self, index: int) -> None:
        if index != self.index:
            self.index = index
            self._state = self.line.state_at(index)
