from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Wanted
from belljar_tui.core.state import State
from belljar_tui.journal.reader import read_journal
from belljar_tui.journal.replay import ReplayClient
from belljar_tui.session import Session
from belljar_tui.wire.client import AgentClient
from tests.unit.strategies import events

OLD = Path(__file__).with_name("version_1.belljar.jsonl")


def ignore(event: ev.AnyEvent) -> None:
    """A replay is not journaled again."""


def refuse(state: State, path: Path) -> None:
    raise AssertionError("nothing is saved")


def session_over(client: ReplayClient) -> Session:
    agent: AgentClient = client
    return Session(agent, client.opening, write=ignore, save=refuse)


async def test_a_replayed_session_ends_in_the_state_that_was_recorded() -> None:
    session = session_over(ReplayClient.of(OLD))
    await session.start()
    async for _ in session.listen():
        pass
    assert session.state == fold(read_journal(OLD))


async def test_commands_change_nothing_in_the_past() -> None:
    client = ReplayClient.of(OLD)
    await client.start()
    await client.want(Wanted())
    session = session_over(client)
    await session.start()
    await session.do(cmd.RestoreAll())
    async for _ in session.listen():
        pass
    assert session.state.cut_count == 1


async def test_a_finished_replay_gives_no_more_events() -> None:
    client = ReplayClient.of(OLD)
    seen = []
    async for event in client.events():
        seen.append(event)
        await client.finish()
    assert len(seen) == 1


@given(st.lists(events, max_size=5))
def test_a_replay_always_has_an_opening(stream: list[ev.AnyEvent]) -> None:
    assert isinstance(ReplayClient(stream, "checkout").opening, ev.SessionStarted)
