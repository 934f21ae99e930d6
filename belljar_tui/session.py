"""One exploration: an agent client, the fold, undo, and the journal. Every interface drives this and nothing else."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from pathlib import Path

import msgspec

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.failures import why_no_cut, why_no_seal
from belljar_tui.core.fold import apply, settled
from belljar_tui.core.history import History
from belljar_tui.core.model import Dependency, Wanted
from belljar_tui.core.state import State
from belljar_tui.core.trial import Outcome
from belljar_tui.errors import BellJarError
from belljar_tui.teaching import Teacher
from belljar_tui.trials.runner import SearchRunner
from belljar_tui.wire.client import AgentClient

Saver = Callable[[State, Path], None]
"""Writes the profile of a state to a path; raises BellJarError or OSError."""

NewSearch = Callable[[Callable[[ev.AnyEvent], None], Callable[[], float], Sequence[Outcome]], SearchRunner]
"""Makes a search, from where its events go, the session's clock, and the outcomes to go on from."""


Beside = Callable[["Session"], Coroutine[None, None, str]]
"""Something that goes on beside a session, a scenario for one; at its end it returns why the session may end too."""


class Session:
    """Commands in, events out.

    `listen` yields every event after it has been journaled and folded. `do` never raises for a bad command: it
    becomes a CommandRejected event, and the session goes on.

    Args:
        why_no_search: what to say when a search is asked for and there is no `new_search`.
        write: keeps an event in the journal; False when it could not, and then the first loss is an event too.
    """

    def __init__(
        self,
        client: AgentClient,
        opening: ev.SessionStarted,
        *,
        write: Callable[[ev.AnyEvent], bool | None],
        save: Saver,
        wanted: Wanted | None = None,
        clock_zero: float | None = None,
        new_search: NewSearch | None = None,
        why_no_search: str = "this session has no service that could be started again for trials",
    ) -> None:
        self.client = client
        self.state = State()
        self.history = History(wanted or Wanted())
        self.opening = opening
        self._write = write
        self._has_said_loss = False
        self._save = save
        self._clock_zero = time.monotonic() if clock_zero is None else clock_zero
        self.on_event: Callable[[ev.AnyEvent], None] | None = None
        """Called with each event after the fold."""
        self.teacher: Teacher | None = None
        """Keeps the game where the session is a drill, or cuts are to be foretold."""
        self._new_search = new_search
        self._why_no_search = why_no_search
        self._search: SearchRunner | None = None
        self._searching: asyncio.Task[None] | None = None

    def now(self) -> float:
        """Seconds since the session started; the same clock the agent uses."""
        return time.monotonic() - self._clock_zero

    async def start(self) -> None:
        """Write the opening event and make the jar. Raises errors.JarError."""
        self._take(self.opening)
        try:
            await self.client.start()
        except BellJarError as error:
            self._take(ev.SessionEnded(at=self.now(), reason=str(error)))
            raise

    async def listen(self) -> AsyncIterator[ev.AnyEvent]:
        """Every event of the agent, folded. Ends when the agent does."""
        async for event in self.client.events():
            self._take(event)
            yield event

    async def do(self, command: cmd.AnyCommand) -> None:
        """Carry out one command."""
        match command:
            case cmd.Quit():
                await self.client.finish()
            case cmd.Note(text, dependency):
                self._take(ev.NoteAdded(at=self.now(), text=text, dependency=dependency))
            case cmd.Save(path):
                self._save_to(path)
            case cmd.Undo():
                await self._move(self.history.at(self.now()).undone(), "undo", "there is nothing to undo")
            case cmd.Redo():
                await self._move(self.history.at(self.now()).redone(), "redo", "there is nothing to redo")
            case cmd.Hint() | cmd.Guess() | cmd.Predict():
                self._learn(command)
            case cmd.Search():
                self._begin_search()
            case cmd.PauseSearch() | cmd.ResumeSearch() | cmd.StopSearch():
                self._steer_search(command)
            case cmd.Cut(dependency) | cmd.Restore(dependency):
                await self._change_one(command, dependency)
            case cmd.SealWith(_, mode) if why := why_no_seal(mode):
                self.reject(msgspec.json.encode(command).decode(), why)
            case cmd.SealWith() | cmd.RestoreAll():
                await self._change(command)

    async def finish(self, reason: str) -> None:
        """End the jar, and the search's, and write the last event. Safe to call twice."""
        if self._searching is not None and self._search is not None:
            self._search.stop(reason)
            await asyncio.wait([self._searching])
        await self.client.finish()
        if not self.state.ended:
            self._take(ev.SessionEnded(at=self.now(), reason=reason))

    def reject(self, command: str, reason: str) -> None:
        """Record a command that could not be carried out."""
        self._take(ev.CommandRejected(at=self.now(), command=command, reason=reason))

    def _begin_search(self) -> None:
        if self._new_search is None:
            self.reject("search", self._why_no_search)
            return
        if self._searching is not None and not self._searching.done():
            self.reject("search", "a search is under way already")
            return
        last = self.state.search
        recalled = last.outcomes if last is not None and last.found is None else []
        self._search = self._new_search(self._take, self.now, recalled)
        self._searching = asyncio.create_task(self._run_search(self._search))

    async def _run_search(self, search: SearchRunner) -> None:
        try:
            await search.run()
        except BellJarError as error:
            self.reject("search", str(error))

    def _steer_search(self, command: cmd.PauseSearch | cmd.ResumeSearch | cmd.StopSearch) -> None:
        if self._search is None or self._searching is None or self._searching.done():
            self.reject(msgspec.json.encode(command).decode(), "no search is under way")
            return
        match command:
            case cmd.PauseSearch():
                self._search.pause()
            case cmd.ResumeSearch():
                self._search.resume()
            case cmd.StopSearch():
                self._search.stop()

    async def _change_one(self, command: cmd.Cut | cmd.Restore, dependency: str) -> None:
        try:
            identity = Dependency.parse(dependency)
        except BellJarError as error:
            self.reject(msgspec.json.encode(command).decode(), str(error))
            return
        if isinstance(command, cmd.Cut):
            state = self.state
            has_unix, has_queue = state.has_unix, state.has_queue
            why = why_no_cut(identity, command.mode, command.given, state.lacks, has_unix=has_unix, has_queue=has_queue)
            if why:
                self.reject(msgspec.json.encode(command).decode(), f"{why}.")
                return
            if not self._may_cut(command, self.state.called(identity)):
                return
        await self._change(msgspec.structs.replace(command, dependency=self.state.called(identity)))

    def _learn(self, command: cmd.Hint | cmd.Guess | cmd.Predict) -> None:
        """The teacher's reply becomes a note."""
        if self.teacher is None:
            self.reject(msgspec.json.encode(command).decode(), "this session is no drill, and foretells no cuts")
            return
        try:
            words = self.teacher.reply(command, self.now())
        except BellJarError as error:
            self.reject(msgspec.json.encode(command).decode(), str(error))
            return
        self._take(ev.NoteAdded(at=self.now(), text=words, dependency=getattr(command, "dependency", None)))

    def _may_cut(self, command: cmd.Cut, dependency: str) -> bool:
        try:
            if self.teacher is not None:
                self.teacher.let_cut(dependency, self.now())
        except BellJarError as error:
            self.reject(msgspec.json.encode(command).decode(), str(error))
            return False
        return True

    async def _change(self, change: cmd.Change) -> None:
        now = self.now()
        history = self.history.at(now)
        await self._want(history.moved_to(cmd.changed(history.now, change, now)))

    async def _move(self, history: History | None, command: str, reason: str) -> None:
        if history is None:
            self.reject(command, reason)
            return
        await self._want(history)

    async def _want(self, history: History) -> None:
        self.history = history
        if self.teacher is not None:
            self.teacher.changes.append(self.now())
        await self.client.want(history.now)

    def _save_to(self, path: str) -> None:
        try:
            self._save(settled(self.state, self.history.now), Path(path))
        except (BellJarError, OSError) as error:
            self.reject(f"save {path}", str(error))
            return
        self._take(ev.ProfileSaved(at=self.now(), path=path))

    def _take(self, event: ev.AnyEvent) -> None:
        is_lost = self._write(event) is False
        self.state = apply(self.state, event)
        if isinstance(event, ev.CutRestored):
            self.history = self.history.at(self.now())  # its time may have been up
        if self.on_event is not None:
            self.on_event(event)
        if is_lost and not self._has_said_loss:
            self._has_said_loss = True
            self._take(ev.EventsLost(at=self.now(), source="journal", count=1))
