from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.failures import SEALING, why_no_cut, why_no_seal
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Dependency, Health, Mode, Seal, Settings, Wanted
from belljar_tui.core.scenario import Scenario, Step, due, first_wanted, flaws, judged, never_called, zero_of
from belljar_tui.core.scenario_of import NothingWasDone, scenario_of
from belljar_tui.core.state import State
from tests.unit.strategies import IDS, events

AUTH, CACHE = "tcp://auth.lab:9000", "tcp://cache.lab:6379"
START = ev.ServiceStarted(at=10, pid=7, command=["x"])


def scenario(*steps: Step, clock: str = "start") -> Scenario:
    fields = {"belljar_scenario": 1, "name": "outage", "clock": clock, "steps": list(map(msgspec.to_builtins, steps))}
    return msgspec.convert(fields, Scenario)


def health(at: float, how: Health) -> ev.HealthChanged:
    return ev.HealthChanged(at=at, health=how, check="", detail="")


def test_what_is_due_at_the_start_is_what_the_service_starts_in() -> None:
    script = scenario(Step(at=0, cut=AUTH, mode=Mode.BLACKHOLE), Step(at=0, seal=Seal.OPEN), Step(at=3, restore="all"))
    assert first_wanted(script, Wanted()) == Wanted(cuts={AUTH: Mode.BLACKHOLE})
    assert due(script) == [(3, cmd.RestoreAll())]


def test_counted_from_first_healthy_nothing_is_cut_at_the_start() -> None:
    script = scenario(Step(at=0, cut=AUTH), clock="healthy")
    assert first_wanted(script, Wanted()) == Wanted()
    assert due(script) == [(0, cmd.Cut(AUTH))]


def test_the_clock_begins_where_the_scenario_says() -> None:
    stream: list[ev.AnyEvent] = [START, health(11, Health.UNHEALTHY), health(12, Health.HEALTHY)]
    assert zero_of(scenario(Step(at=0, note="x")), State()) is None
    assert zero_of(scenario(Step(at=0, note="x")), fold(stream)) == 10
    assert zero_of(scenario(Step(at=0, note="x"), clock="healthy"), fold(stream)) == 12
    assert zero_of(scenario(Step(at=0, note="x"), clock="healthy"), fold(stream[:2])) is None


@pytest.mark.parametrize(
    ("step", "met"),
    [
        (Step(expect=Health.HEALTHY, by=3), True),
        (Step(expect=Health.HEALTHY, by=5), False),
        (Step(expect=Health.UNHEALTHY, by=5), True),
        (Step(expect=Health.HEALTHY, by=9, since=6), True),
        (Step(expect=Health.HEALTHY, by=9, since=3), False),
        (Step(expect=Health.HEALTHY, by=90), False),
    ],
)
def test_an_expectation_is_judged_by_the_health_at_its_moment(step: Step, met: bool) -> None:
    stream: list[ev.AnyEvent] = [
        START,
        health(11, Health.HEALTHY),
        health(14, Health.UNHEALTHY),
        health(16, Health.HEALTHY),
        ev.SessionEnded(at=20, reason="quit"),
    ]
    (one,) = judged(scenario(step), fold(stream))
    assert one.met is met
    assert one.words.startswith("expected ")


def test_a_cut_of_what_was_never_called_is_told() -> None:
    script = scenario(Step(at=0, cut=AUTH), Step(at=1, cut=CACHE))
    assert never_called(script, frozenset({AUTH})) == [(2, CACHE)]


@pytest.mark.parametrize(
    ("steps", "says"),
    [
        ([], "there is no step"),
        ([Step(at=1)], "nothing to do"),
        ([Step(at=1, cut=AUTH, restore="all")], "cut and restore"),
        ([Step(cut=AUTH)], "says when"),
        ([Step(expect=Health.HEALTHY, at=3)], "timed with by"),
        ([Step(at=9, cut=AUTH), Step(at=3, restore="all")], "3 s is in the past"),
        ([Step(at=1, cut="auth")], "not a dependency id"),
        ([Step(at=1, cut=AUTH, settings={"colour": "red"})], "no such parameter"),
        ([Step(at=1, cut=AUTH, settings={"fraction": 0.5})], "fraction belongs to the mode flaky"),
        ([Step(at=1, seal=Seal.VACUUM, mode=Mode.FLAKY)], "a seal cannot fail by flaky"),
        ([Step(at=1, restore="all", mode=Mode.REFUSE)], "mode goes with cut or seal"),
        ([Step(at=1, cut=AUTH, since=0)], "since goes with expect"),
        ([Step(at=float("inf"), cut=AUTH)], "not a number of seconds"),
    ],
)
def test_what_makes_no_sense_is_a_flaw(steps: list[Step], says: str) -> None:
    made = Scenario(belljar_scenario=1, name="x", steps=tuple(steps))
    assert says in next(iter(flaws(made))).why


BY_HAND: list[ev.AnyEvent] = [
    ev.SessionStarted(at=0, name="shop", jar="lab", command=[]),
    START,
    health(11, Health.HEALTHY),
    ev.CutApplied(at=15, dependency=AUTH, mode=Mode.BLACKHOLE),
    health(17, Health.UNHEALTHY),
    ev.CutApplied(at=20, dependency=CACHE, mode=Mode.REFUSE),
    ev.CutRestored(at=25, dependency=AUTH),
    ev.CutRestored(at=25.001, dependency=CACHE),
    health(26, Health.HEALTHY),
    ev.NoteAdded(at=27, text="over"),
    ev.SealChanged(at=30, seal=Seal.VACUUM),
    ev.CutApplied(at=30.001, dependency=AUTH, mode=Mode.REFUSE, by="seal"),
    ev.CutApplied(at=30.002, dependency=CACHE, mode=Mode.REFUSE, by="seal"),
    ev.CutRestored(at=33, dependency=AUTH),
    ev.SealChanged(at=36, seal=Seal.OPEN),
    ev.CutRestored(at=36.001, dependency=CACHE),
    ev.SessionEnded(at=40, reason="quit"),
]


def test_what_was_done_by_hand_becomes_steps_and_what_health_did_expectations() -> None:
    made = scenario_of(BY_HAND)
    assert made.clock == "healthy"
    assert made.steps == (
        Step(at=4, cut=AUTH, mode=Mode.BLACKHOLE),
        Step(expect=Health.UNHEALTHY, by=9),
        Step(at=9, cut=CACHE, mode=Mode.REFUSE),
        Step(expect=Health.UNHEALTHY, by=14),
        Step(at=14, restore="all"),
        Step(at=16, note="over"),
        Step(expect=Health.HEALTHY, by=19),
        Step(at=19, seal=Seal.VACUUM, mode=Mode.REFUSE),
        Step(expect=Health.HEALTHY, by=22),
        Step(at=22, restore=AUTH),
        Step(expect=Health.HEALTHY, by=25),
        Step(at=25, seal=Seal.OPEN),
        Step(expect=Health.HEALTHY, by=29),
    )
    assert not list(flaws(made))


def test_where_nothing_was_done_there_is_nothing_to_repeat() -> None:
    with pytest.raises(NothingWasDone):
        scenario_of(BY_HAND[:3])


@given(st.lists(st.tuples(st.sampled_from(IDS), st.sampled_from(SEALING)), min_size=1, max_size=6))
def test_cuts_come_back_the_same_in_the_same_order(cuts: list[tuple[str, Mode]]) -> None:
    stream = [ev.CutApplied(at=10 + n, dependency=one, mode=mode) for n, (one, mode) in enumerate(cuts)]
    made = scenario_of([START, *stream])
    wanted = first_wanted(made, Wanted())
    done = [(one, mode) for one, mode in wanted.cuts.items()]
    done += [(command.dependency, command.mode) for _, command in due(made) if isinstance(command, cmd.Cut)]
    changed = [pair for index, pair in enumerate(cuts) if dict(cuts[:index]).get(pair[0]) is not pair[1]]
    assert done == changed


def test_a_cut_comes_back_with_its_parameters_and_its_end_is_its_own() -> None:
    flaky = Settings(fraction=0.25, fails_by=Mode.BLACKHOLE)
    made = scenario_of(
        [
            START,
            ev.CutApplied(at=12, dependency=AUTH, mode=Mode.FLAKY, settings=flaky),
            ev.CutApplied(at=14, dependency=CACHE, mode=Mode.REFUSE, settings=Settings(until=19.02)),
            ev.CutRestored(at=19.1, dependency=CACHE),
        ]
    )
    assert made.steps == (
        Step(at=2, cut=AUTH, mode=Mode.FLAKY, settings={"fraction": 0.25, "fails_by": "blackhole"}),
        Step(at=4, cut=CACHE, mode=Mode.REFUSE, settings={"for_s": 5.0}),
    )
    assert not list(flaws(made))
    (_, first), (_, second) = due(made)
    assert isinstance(first, cmd.Cut)
    assert first.settings(now=0) == flaky
    assert isinstance(second, cmd.Cut)
    assert second.for_s == 5.0


def _can_be(event: ev.AnyEvent) -> bool:
    """Whether an agent could have said it."""
    match event:
        case ev.CutApplied():
            given = {name: value for name, value in msgspec.to_builtins(event.settings).items() if name != "until"}
            return not why_no_cut(Dependency.parse(event.dependency), event.mode, given)
        case ev.SealChanged(seal=Seal.VACUUM, mode=mode):
            return not why_no_seal(mode)
    return True


@given(st.lists(events.filter(_can_be), max_size=12))
def test_any_session_makes_a_scenario_without_a_flaw_or_none(stream: list[ev.AnyEvent]) -> None:
    try:
        made = scenario_of(sorted(stream, key=lambda event: event.at))
    except NothingWasDone:
        return
    assert not list(flaws(made))
