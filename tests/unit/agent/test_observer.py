"""What is said of calls when the machine is too busy to look at each in time; the kernel's counts are played."""

from __future__ import annotations

from typing import cast

import pytest

from belljar_tui.agent.budget import Budget
from belljar_tui.agent.counts import Count, Counts, Tally
from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.agent.firsts import LATE_ROUNDS
from belljar_tui.agent.observer import Observer
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.processes import ProcessTable
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.core import events as ev
from belljar_tui.core.model import Dependency, Endpoint, Mode, Protocol, Wanted

AUTH = Dependency.parse("tcp://10.9.0.4:80")
CALL = Flow("10.9.0.1", 40000, Endpoint("10.9.0.4", Protocol.TCP, 80))


class Kernel:
    """As much of an enforcer and a socket table as a round of counting asks."""

    wanted = Wanted(cuts={str(AUTH): Mode.REFUSE})

    def __init__(self) -> None:
        self.blocked = 0
        self.firsts = 0
        self.asked = 0

    def tallies(self) -> dict[Dependency, Tally]:
        return {AUTH: Tally(is_cut=Counts(calls=Count(self.blocked)))}

    def mode_of(self, dependency: str) -> Mode | None:
        return self.wanted.mode_of(dependency)

    def note(self, _endpoint: Endpoint) -> Dependency:
        return AUTH

    def has_element(self, _endpoint: Endpoint) -> bool:
        return True

    def met_seals(self) -> int:
        return self.firsts

    def find(self, *_where: object) -> None:
        self.asked += 1


class Played:
    def __init__(self) -> None:
        self.kernel = Kernel()
        self.events: list[ev.AnyEvent] = []
        enforcer, sockets = cast(Enforcer, self.kernel), cast(SocketTable, self.kernel)
        self.observer = Observer(
            enforcer, sockets, cast(ProcessTable, None), frozenset(), self.events.append, lambda: 1.0
        )
        self.observer.holds_calls = True

    @property
    def blocked(self) -> int:
        return sum(each.count for each in self.events if isinstance(each, ev.CallBlocked))

    def lost(self, source: str) -> int:
        return sum(each.count for each in self.events if isinstance(each, ev.EventsLost) and each.source == source)


def test_calls_that_come_out_of_the_queue_after_they_were_said_are_not_said_twice() -> None:
    played = Played()
    played.kernel.blocked = 3
    played.observer.count()
    assert played.blocked == 0, "they may still be held"
    played.observer.count()
    assert (played.blocked, played.lost("callers")) == (3, 3)
    for _ in range(3):
        played.observer.on_held(CALL)
    played.observer.flush()
    assert played.blocked == 3, "the same three"
    played.kernel.blocked = 5
    for _ in range(2):
        played.observer.on_held(CALL)
    played.observer.flush()
    assert played.blocked == 5, "two more"
    played.observer.count(is_last=True)
    assert (played.blocked, played.lost("callers")) == (5, 3)


def test_open_calls_that_there_is_no_time_to_ask_about_are_told_as_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played()
    played.observer.on_flow(CALL, is_counted=True)
    assert played.kernel.asked == 1
    monkeypatch.setattr(Budget, "is_spent", lambda _: True)
    for _ in range(4):
        played.observer.on_flow(CALL, is_counted=True)
    assert (played.kernel.asked, played.lost("callers")) == (1, 0)
    played.observer.count()
    assert played.lost("callers") == 4
    played.observer.count()
    assert played.lost("callers") == 4, "told once"


def test_nobody_is_woken_before_there_is_something_to_say() -> None:
    played = Played()
    woken: list[int] = []
    played.observer.on_unsaid = lambda: woken.append(1)
    assert not played.observer.flush()
    for _ in range(3):
        played.observer.on_held(CALL)
    assert woken == [1], "the first says that there is something; the others are said with it"
    assert played.observer.flush()
    assert played.blocked == 3
    played.observer.on_held(CALL)
    assert woken == [1, 1]


def test_first_calls_that_wait_for_rounds_are_not_lost() -> None:
    played = Played()
    played.observer.read_waiting = lambda _: False
    played.kernel.firsts = 3
    for _ in range(LATE_ROUNDS):
        played.observer.count()
    assert played.lost("queue") == 0, "they may still be held"
    for _ in range(3):
        played.observer.on_held(CALL, is_first=True)
    for _ in range(2 * LATE_ROUNDS):
        played.observer.count()
    played.observer.count(is_last=True)
    assert played.lost("queue") == 0


def test_of_first_calls_that_stay_away_from_a_busy_queue_it_is_told_once_how_many() -> None:
    played = Played()
    played.observer.read_waiting = lambda _: False
    played.kernel.firsts = 5
    played.observer.on_held(CALL, is_first=True)
    for _ in range(LATE_ROUNDS):
        played.observer.count()
    assert played.lost("queue") == 0
    played.observer.count()
    assert played.lost("queue") == 4
    played.kernel.firsts = 7
    for _ in range(2 * LATE_ROUNDS):
        played.observer.count()
    assert played.lost("queue") == 6
    played.observer.count(is_last=True)
    assert played.lost("queue") == 6


def test_first_calls_that_are_not_in_a_queue_that_was_emptied_are_lost() -> None:
    played = Played()
    played.kernel.firsts = 2
    played.observer.count()
    assert played.lost("queue") == 0, "they may be on their way into it"
    played.observer.on_held(CALL, is_first=True)
    played.observer.count()
    assert played.lost("queue") == 1
    played.observer.count()
    assert played.lost("queue") == 1, "told once"


def test_the_last_round_sees_what_waits_and_tells_at_once_what_is_lost() -> None:
    played = Played()

    def read_waiting(_: float) -> bool:
        played.observer.on_held(CALL, is_first=True)
        played.kernel.firsts += 1  # a call that comes while the others are read
        return True

    played.observer.read_waiting = read_waiting
    played.kernel.firsts = 1
    played.observer.count(is_last=True)
    assert (played.blocked, played.lost("queue")) == (1, 0)
    played.kernel.firsts += 3
    played.observer.count(is_last=True)
    assert (played.blocked, played.lost("queue")) == (2, 3)
