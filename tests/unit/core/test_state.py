from __future__ import annotations

from itertools import accumulate

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from belljar_tui.core.fold import apply, fold
from belljar_tui.core.model import Dependency, Health, Mode, Settings
from belljar_tui.core.state import BLOCKED_KEPT, DependencyView, Neighbour, State
from tests.unit.strategies import events

AUTH = "tcp://auth.lab:9000"

streams = st.lists(events, max_size=30)


@given(streams)
def test_any_event_list_folds_and_time_never_runs_backwards(stream: list[ev.AnyEvent]) -> None:
    states = list(accumulate(stream, apply, initial=State()))
    times = [state.at for state in states]
    assert times == sorted(times)


@given(streams)
def test_counts_are_the_sums_of_the_events(stream: list[ev.AnyEvent]) -> None:
    state = fold(stream)
    blocked = [event for event in stream if isinstance(event, ev.CallBlocked)]
    assert state.blocked == sum(event.count for event in blocked)
    assert state.blocked == sum(view.blocked for view in state.dependencies.values())
    assert state.lost == sum(event.count for event in stream if isinstance(event, ev.EventsLost))
    assert state.blocked == sum(line.count for line in state.blocked_lines)
    assert state.open_count + state.group_count + state.cut_count == len(state.dependencies)


@given(streams, streams)
def test_folding_in_two_parts_is_folding_at_once(first: list[ev.AnyEvent], second: list[ev.AnyEvent]) -> None:
    assert fold(second, fold(first)) == fold(first + second)


@given(streams)
def test_folding_many_at_once_is_applying_each(stream: list[ev.AnyEvent]) -> None:
    states = list(accumulate(stream, apply, initial=State()))
    written = [repr(state) for state in states]
    assert [fold(stream[:count]) for count in range(len(stream) + 1)] == states
    assert [fold(stream[count:], state) for count, state in enumerate(states)] == [states[-1]] * len(states)
    assert [repr(state) for state in states] == written, "a moment that somebody holds stays as it is"


@given(streams)
def test_the_last_word_on_a_cut_is_what_the_state_says(stream: list[ev.AnyEvent]) -> None:
    modes: dict[str, Mode | None] = {}
    for event in stream:
        if isinstance(event, ev.CutApplied):
            modes[event.dependency] = event.mode
        elif isinstance(event, ev.CutRestored):
            modes[event.dependency] = None
    state = fold(stream)
    assert {d: view.mode for d, view in state.dependencies.items() if view.is_cut} == {
        d: mode for d, mode in modes.items() if mode is not None
    }


def blocked(at: float, count: int = 1, pid: int = 7) -> ev.CallBlocked:
    return ev.CallBlocked(at=at, dependency=AUTH, mode=Mode.REFUSE, pid=pid, process="web", count=count)


def health(at: float, value: Health) -> ev.HealthChanged:
    return ev.HealthChanged(at=at, health=value, check="http://localhost:8080/ready", detail="")


def test_blocked_calls_of_one_caller_within_a_second_are_one_line() -> None:
    lines = fold([blocked(1.0, 2), blocked(1.5), blocked(1.6, pid=9), blocked(9.0)]).blocked_lines
    assert [(line.pid, line.count) for line in lines] == [(7, 3), (9, 1), (7, 1)]


def test_the_state_keeps_only_the_newest_blocked_lines_and_counts_them_all() -> None:
    state = fold(blocked(2.0 * number) for number in range(BLOCKED_KEPT + 10))
    assert len(state.blocked_lines) == BLOCKED_KEPT
    assert state.blocked == BLOCKED_KEPT + 10


def test_a_cut_that_turns_health_red_is_blamed_and_its_restore_timed() -> None:
    state = fold([
        ev.DependencySeen(at=0.0, dependency=AUTH, endpoint="tcp 10.77.0.5:9000", pid=7, process="web"),
        health(1.0, Health.HEALTHY),
        ev.CutApplied(at=2.0, dependency=AUTH, mode=Mode.REFUSE),
        blocked(2.5),
        health(4.0, Health.UNHEALTHY),
    ])  # fmt: skip
    tried = state.dependencies[AUTH].tried
    assert [(trying.mode, trying.health, trying.after_s) for trying in tried] == [(Mode.REFUSE, Health.UNHEALTHY, 2.0)]
    restored = apply(state, ev.CutRestored(at=5.0, dependency=AUTH))
    assert restored.is_stuck_after_restore
    recovered = apply(restored, health(6.5, Health.HEALTHY))
    assert recovered.recovered_after_s == recovered.dependencies[AUTH].recovered_after_s == 1.5
    assert not recovered.is_stuck_after_restore


def test_a_cut_that_met_calls_and_left_the_service_healthy_was_tolerated() -> None:
    state = fold([
        health(1.0, Health.HEALTHY),
        ev.CutApplied(at=2.0, dependency=AUTH, mode=Mode.REFUSE),
        blocked(2.5),
        ev.CutRestored(at=5.0, dependency=AUTH),
    ])  # fmt: skip
    assert [trying.health for trying in state.dependencies[AUTH].tried] == [Health.HEALTHY]


def test_a_cut_that_met_no_call_proves_nothing() -> None:
    state = fold([
        health(1.0, Health.HEALTHY),
        ev.CutApplied(at=2.0, dependency=AUTH, mode=Mode.REFUSE),
        ev.CutRestored(at=5.0, dependency=AUTH),
    ])  # fmt: skip
    assert [trying.health for trying in state.dependencies[AUTH].tried] == [Health.UNKNOWN]


def test_a_cut_that_met_no_call_is_not_to_blame_for_bad_health() -> None:
    state = fold([
        health(1.0, Health.HEALTHY),
        ev.CutApplied(at=2.0, dependency=AUTH, mode=Mode.REFUSE),
        health(4.0, Health.UNHEALTHY),
    ])  # fmt: skip
    assert [trying.health for trying in state.dependencies[AUTH].tried] == [Health.UNKNOWN]


def test_a_cut_is_to_blame_though_its_first_call_is_told_after_health_turned() -> None:
    state = fold([
        health(1.0, Health.HEALTHY),
        ev.CutApplied(at=2.0, dependency=AUTH, mode=Mode.REFUSE),
        health(2.3, Health.UNHEALTHY),
        blocked(2.5),
    ])  # fmt: skip
    tried = state.dependencies[AUTH].tried
    assert [(trying.health, round(trying.after_s or 0, 6)) for trying in tried] == [(Health.UNHEALTHY, 0.3)]


def test_a_stopped_container_is_down_by_any_of_its_names_and_addresses() -> None:
    seen = [
        ev.DependencySeen(at=0.0, dependency=identity, endpoint="")
        for identity in ("tcp://shop-db-1:5432", "tcp://172.19.0.2:9000", "tcp://front:80")
    ]
    gone = ev.NeighbourChanged(at=1.0, name="db", names=["db", "shop-db-1"], addresses=["172.19.0.2"], is_up=False)
    state = fold([*seen, gone])
    assert [state.is_down(view) for view in state.dependencies.values()] == [True, True, False]
    back = fold([msgspec.structs.replace(gone, is_up=True)], state)
    assert not any(back.is_down(view) for view in back.dependencies.values())


def test_a_standing_cut_that_is_given_a_time_keeps_what_it_has_shown() -> None:
    state = fold([
        health(1.0, Health.HEALTHY),
        ev.CutApplied(at=2.0, dependency=AUTH, mode=Mode.REFUSE),
        blocked(2.5),
        health(4.0, Health.UNHEALTHY),
        ev.CutApplied(at=5.0, dependency=AUTH, mode=Mode.REFUSE, settings=Settings(until=8.0)),
        ev.CutRestored(at=8.0, dependency=AUTH),
        health(9.0, Health.HEALTHY),
    ])  # fmt: skip
    assert [trying.health for trying in state.dependencies[AUTH].tried] == [Health.UNHEALTHY]
    again = apply(state, ev.CutApplied(at=10.0, dependency=AUTH, mode=Mode.REFUSE))
    assert [trying.health for trying in again.dependencies[AUTH].tried] == [Health.UNKNOWN], "a trial of its own"


def test_names_on_an_address_of_a_dependency_are_cut_with_it() -> None:
    state = fold(
        [
            ev.NameResolved(at=0.1, name="auth.lab", addresses=["10.7.0.1"]),
            ev.NameResolved(at=0.2, name="auth.lab", addresses=["fd77::1"]),
            ev.NameResolved(at=0.3, name="other.lab", addresses=["fd77::1"]),
            ev.NameResolved(at=0.4, name="alone.lab", addresses=["10.7.0.2"]),
            ev.NameResolved(at=0.5, name="nowhere.lab", addresses=[], detail="NXDOMAIN"),
            ev.DependencySeen(at=0.6, dependency=AUTH, endpoint="tcp 10.7.0.1:9000", pid=1, process="web"),
            ev.DependencySeen(at=0.7, dependency="tcp://alone.lab:9000", endpoint="", pid=1, process="web"),
            ev.DependencySeen(at=0.8, dependency="dns:", endpoint="", pid=1, process="web"),
        ]
    )
    assert state.names_cut_with(state.dependencies[AUTH]) == ("other.lab",)
    assert state.names_cut_with(state.dependencies["tcp://alone.lab:9000"]) == ()
    assert state.names_cut_with(state.dependencies["dns:"]) == ()


def test_a_name_that_moves_onto_a_called_address_is_cut_with_it() -> None:
    state = fold(
        [
            ev.DependencySeen(at=0.1, dependency=AUTH, endpoint="tcp [fd77::1]:9000", pid=1, process="web"),
            ev.NameResolved(at=0.2, name="other.lab", addresses=["fd77::1"]),
        ]
    )
    assert state.names_cut_with(state.dependencies[AUTH]) == ("other.lab",)


def test_a_slow_dependency_is_to_blame_by_its_late_calls_though_none_was_blocked() -> None:
    def counted(at: float, calls: int) -> ev.AnyEvent:
        return ev.TrafficCounted(at=at, dependency=AUTH, calls=calls, packets=calls, bytes=calls)

    unhealthy = ev.HealthChanged(at=3.0, health=Health.UNHEALTHY, check="web", detail="late")
    before = [counted(1.0, 5), ev.CutApplied(at=2.0, dependency=AUTH, mode=Mode.SLOW), unhealthy]
    innocent = fold(before).dependencies[AUTH]
    assert (innocent.met_now, [each.health for each in innocent.tried]) == (0, [Health.UNKNOWN])
    guilty = fold([*before, counted(3.5, 7)]).dependencies[AUTH]
    assert (guilty.met_now, guilty.blocked_now) == (2, 0)
    assert [(each.mode, each.health, each.after_s) for each in guilty.tried] == [(Mode.SLOW, Health.UNHEALTHY, 1.0)]


def test_a_lane_that_broke_is_told() -> None:
    state = fold([ev.LaneBroke(at=1.0, detail="its port was closed")])
    assert state.audit_failures[-1] == "a lane broke: its port was closed"


@pytest.mark.parametrize(
    ("asked", "seen", "meant"),
    [
        ("tcp://shop-db-1:5432", "tcp://db:5432", "tcp://db:5432"),
        ("tcp://db:5432", "tcp://shop-db-1:5432", "tcp://shop-db-1:5432"),
        ("tcp://shop-db-1:5432", "tcp://cache:6379", "tcp://db:5432"),  # not called yet: its likeliest name
        ("tcp://mail:25", "tcp://db:5432", "tcp://mail:25"),
    ],
)
def test_a_container_is_cut_by_any_of_its_names(asked: str, seen: str, meant: str) -> None:
    known = Neighbour("db", ("db", "shop-db-1"), ("172.18.0.2",), is_up=True)
    state = State(dependencies={seen: DependencyView(seen)}, neighbours={"db": known})
    assert state.called(Dependency.parse(asked)) == meant
