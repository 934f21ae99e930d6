from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.fold import apply
from belljar_tui.core.model import Mode, Seal, Wanted
from belljar_tui.core.state import State
from belljar_tui.errors import BadProfile, Unsealed
from belljar_tui.session import Session
from belljar_tui.wire.client import AgentClient

DB = "tcp://orders-db:5432"
AUTH = "tcp://auth:9000"
OPENING = ev.SessionStarted(at=0.0, name="checkout", jar="namespaces", command=["./server"])


class FakeClient:
    """An agent that knows two dependencies and answers at once."""

    def __init__(self, error: Unsealed | None = None) -> None:
        self.error = error
        self.wants: list[Wanted] = []
        self._queue: asyncio.Queue[ev.AnyEvent | None] = asyncio.Queue()

    async def start(self) -> None:
        if self.error is not None:
            raise self.error
        for dependency in (DB, AUTH):
            self._queue.put_nowait(ev.DependencySeen(at=0.1, dependency=dependency, endpoint="tcp 10.0.0.1:1"))

    async def events(self) -> AsyncIterator[ev.AnyEvent]:
        while (event := await self._queue.get()) is not None:
            yield event

    async def want(self, wanted: Wanted) -> None:
        before = self.wants[-1] if self.wants else Wanted()
        self.wants.append(wanted)
        for dependency in (DB, AUTH):
            mode = wanted.mode_of(dependency)
            if mode is not None:
                self._queue.put_nowait(ev.CutApplied(at=1.0, dependency=dependency, mode=mode))
            elif before.mode_of(dependency) is not None:
                self._queue.put_nowait(ev.CutRestored(at=1.0, dependency=dependency))

    async def finish(self) -> None:
        self._queue.put_nowait(None)


class World:
    """A session over a fake client, with what it wrote and saved."""

    def __init__(self, error: Unsealed | None = None) -> None:
        self.client = FakeClient(error)
        self.written: list[ev.AnyEvent] = []
        self.saved: list[tuple[State, Path]] = []
        agent: AgentClient = self.client
        self.session = Session(agent, OPENING, write=self.written.append, save=self.save)

    def save(self, state: State, path: Path) -> None:
        if path.name == "bad":
            raise BadProfile(str(path), "", "cannot be written.")
        if path.name == "full":
            raise OSError(28, "No space left on device")
        self.saved.append((state, path))

    async def do(self, *commands: cmd.AnyCommand) -> None:
        """Start, carry out the commands, quit, and hear everything there is to hear."""
        await self.session.start()
        for command in commands:
            await self.session.do(command)
        await self.session.do(cmd.Quit())
        async for _ in self.session.listen():
            pass
        await self.session.finish("quit")

    @property
    def reasons(self) -> list[str]:
        return [event.reason for event in self.written if isinstance(event, ev.CommandRejected)]


async def test_everything_that_happens_is_journaled_before_it_is_seen() -> None:
    world = World()
    seen: list[tuple[ev.AnyEvent, bool]] = []
    world.session.on_event = lambda event: seen.append((event, event is world.written[-1]))
    await world.do(cmd.Cut(DB), cmd.Note("hm", DB))
    assert [event for event, _ in seen] == world.written
    assert all(is_written for _, is_written in seen)
    assert (world.written[0], type(world.written[-1])) == (OPENING, ev.SessionEnded)


async def test_a_cut_tells_the_agent_the_whole_wanted_state() -> None:
    world = World()
    await world.do(cmd.Cut(DB, Mode.BLACKHOLE), cmd.Cut(AUTH))
    assert world.client.wants[-1] == Wanted(cuts={DB: Mode.BLACKHOLE, AUTH: Mode.REFUSE})
    assert world.session.state.cut_count == 2


async def test_an_id_is_brought_to_its_one_spelling() -> None:
    world = World()
    await world.do(cmd.Cut("tcp://Orders-DB:5432"))
    assert world.client.wants == [Wanted(cuts={DB: Mode.REFUSE})]


@pytest.mark.parametrize("command", [cmd.Cut("orders-db"), cmd.Restore("tcp://orders-db")])
async def test_a_bad_id_is_rejected_with_its_reason_and_the_session_goes_on(command: cmd.AnyCommand) -> None:
    world = World()
    await world.do(command, cmd.Cut(DB))
    assert len(world.reasons) == 1
    assert "is not a dependency id" in world.reasons[0]
    assert world.session.state.cut_count == 1


async def test_a_unix_socket_is_not_cut_where_the_agent_cannot() -> None:
    world = World()
    world.session.state = apply(State(), ev.AgentStarted(at=0.1, queue="native", log=True, destroy=True, unix=False))
    await world.do(cmd.Cut("unix:/run/docker.sock"), cmd.Cut(DB))
    assert ["jar of namespaces only" in reason for reason in world.reasons] == [True]
    assert world.client.wants == [Wanted(cuts={DB: Mode.REFUSE})]


async def test_datagrams_are_not_slow_where_the_kernel_cannot_hold_them() -> None:
    world = World()
    world.session.state = apply(State(), ev.AgentStarted(at=0.1, queue="none", log=True, destroy=True))
    await world.do(cmd.Cut("udp://time.lab:123", Mode.SLOW), cmd.Cut(DB, Mode.SLOW))
    assert ["no queue" in reason for reason in world.reasons] == [True]
    assert world.client.wants == [Wanted(cuts={DB: Mode.SLOW})]


async def test_undo_and_redo_go_back_and_forth() -> None:
    world = World()
    await world.do(cmd.Cut(DB), cmd.SealWith(Seal.VACUUM), cmd.Undo(), cmd.Undo(), cmd.Redo())
    cut = Wanted(cuts={DB: Mode.REFUSE})
    assert world.client.wants[2:] == [cut, Wanted(), cut]
    assert world.session.history.now == cut


async def test_undo_and_redo_at_the_end_of_history_say_so() -> None:
    world = World()
    await world.do(cmd.Undo(), cmd.Redo())
    assert world.reasons == ["there is nothing to undo", "there is nothing to redo"]
    assert world.client.wants == []


async def test_restore_all_opens_everything() -> None:
    world = World()
    await world.do(cmd.Cut(DB), cmd.SealWith(Seal.VACUUM), cmd.RestoreAll())
    assert world.client.wants[-1] == Wanted()
    assert world.session.state.open_count == 2


async def test_a_saved_profile_is_an_event_and_a_failed_save_a_rejection() -> None:
    world = World()
    await world.do(cmd.Save("good"), cmd.Save("bad"), cmd.Save("full"))
    assert [path for _, path in world.saved] == [Path("good")]
    assert world.session.state.saved == ("good",)
    assert len(world.reasons) == 2
    assert "No space left" in world.reasons[1]


async def test_a_save_right_after_a_cut_already_holds_the_cut() -> None:
    world = World()
    await world.session.start()
    async for _ in world.session.listen():
        if len(world.session.state.dependencies) == 2:
            break
    await world.session.do(cmd.Cut(DB))
    await world.session.do(cmd.Save("good"))
    state, _ = world.saved[0]
    assert [view.id for view in state.dependencies.values() if not view.is_cut] == [AUTH]


async def test_a_jar_that_cannot_be_made_ends_the_session_with_the_reason() -> None:
    world = World(Unsealed("The seal leaks."))
    with pytest.raises(Unsealed):
        await world.session.start()
    assert world.session.state.ended == "The seal leaks."


async def test_finishing_twice_ends_once() -> None:
    world = World()
    await world.do()
    await world.session.finish("again")
    assert [type(event) for event in world.written].count(ev.SessionEnded) == 1
    assert world.session.state.ended == "quit"
