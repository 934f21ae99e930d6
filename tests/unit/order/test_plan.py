"""The plan against brute force on small random worlds, and the rules of who is who."""

from __future__ import annotations

from itertools import combinations, permutations, product

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belljar_tui.core.order.cycles import tangles
from belljar_tui.core.order.feedback import EXACT_UP_TO
from belljar_tui.core.order.matching import How, Told, told
from belljar_tui.core.order.plan import Order, Source, new_cycles, order_of
from belljar_tui.core.order.words import choice_words, cycle_words, why
from belljar_tui.errors import UsageError

World = dict[str, list[frozenset[str]]]
"""Service -> its working sets, as services."""


@st.composite
def worlds(make: st.DrawFn, most: int = 6, most_sets: int = 3) -> World:
    names = [chr(97 + index) for index in range(make(st.integers(1, most)))]
    one = st.frozensets(st.sampled_from(names), max_size=3)
    return {name: make(st.lists(one, min_size=1, max_size=most_sets)) for name in names}


def sources(world: World) -> list[Source]:
    return [
        Source(name, tuple(tuple(sorted(f"tcp://{need}.lab:80" for need in one)) for one in sets))
        for name, sets in world.items()
    ]


def plan(world: World) -> Order:
    return order_of(sources(world))


def ring(*names: str) -> World:
    return {one: [frozenset({need})] for one, need in zip(names, (*names[1:], names[0]), strict=True)}


def startable(world: World, without: frozenset[tuple[str, str]] = frozenset()) -> set[str]:
    """What can be up at all, by trying again and again."""
    up: set[str] = set()
    while True:
        more = {
            name
            for name, sets in world.items()
            if name not in up and any(all(n in up or (name, n) in without for n in one) for one in sets)
        }
        if not more:
            return up
        up |= more


@given(worlds())
def test_blocked_is_exactly_what_can_never_start(world: World) -> None:
    order = plan(world)
    assert set(order.blocked) == world.keys() - startable(world)
    assert {name for wave in order.waves for name in wave} == startable(world)


@given(worlds())
def test_every_service_starts_one_wave_after_the_last_of_its_needs(world: World) -> None:
    order = plan(world)
    for number, wave in enumerate(order.waves, 1):
        for name in wave:
            service = order.services[name]
            needs = {need.service for need in service.needs}
            assert needs in [set(one) for one in world[name]], "a working set, and nothing else"
            assert number == service.wave == 1 + max((order.services[n].wave or 99 for n in needs), default=0)


@given(worlds())
def test_a_combination_without_a_cycle_is_found_if_and_only_if_there_is_one(world: World) -> None:
    exists = any(
        nx.is_directed_acyclic_graph(nx.DiGraph([(s, n) for s, one in zip(world, pick, strict=True) for n in one]))
        for pick in product(*world.values())
    )
    order = plan(world)
    assert bool(order.blocked) is not exists
    assert bool(order.cycles) is not exists


@given(worlds(5))
@settings(max_examples=60, deadline=None)
def test_no_smaller_set_of_breaks_lets_everything_start(world: World) -> None:
    order = plan(world)
    assert order.is_exact
    assert startable(world, frozenset(order.breaks)) == world.keys()
    pairs = sorted({(name, need) for name, sets in world.items() for one in sets for need in one})
    for count in range(len(order.breaks)):
        for fewer in combinations(pairs, count):
            assert startable(world, frozenset(fewer)) != world.keys()


@given(worlds(7, most_sets=1))
@settings(max_examples=60, deadline=None)
def test_the_breaks_are_a_minimum_feedback_arc_set(world: World) -> None:
    edges = [(name, need) for name, (one,) in world.items() for need in one]
    best = min(
        sum(1 for name, need in edges if row.index(need) >= row.index(name)) for row in permutations(sorted(world))
    )
    assert len(plan(world).breaks) == best


@given(worlds())
def test_after_the_breaks_the_waves_have_everyone(world: World) -> None:
    order = plan(world)
    flat = [name for wave in order.waves_after_breaks for name in wave]
    assert sorted(flat) == sorted(world)
    for name in flat:
        for need in order.services[name].needs:
            if (name, need.service) not in order.breaks:
                assert order.services[need.service].wave_after_breaks < order.services[name].wave_after_breaks


@given(worlds(5, most_sets=1))
def test_every_cycle_is_listed_once_while_they_are_few(world: World) -> None:
    graph: nx.DiGraph[str] = nx.DiGraph([(name, need) for name, (one,) in world.items() for need in one])
    expected = {tuple(c[c.index(min(c)) :] + c[: c.index(min(c))]) for c in nx.simple_cycles(graph)}
    order = order_of(sources(world), limit=1000)
    assert order.are_all_cycles
    assert len(order.cycles) == len(expected)
    assert set(order.cycles) == expected


def test_cycles_that_explode_are_cut_short_and_touch_everyone() -> None:
    names = [f"s{n:02}" for n in range(18)]
    order = plan({name: [frozenset(names) - {name}] for name in names})
    assert not order.are_all_cycles
    assert len(order.cycles) <= 20
    assert {name for cycle in order.cycles for name in cycle} == set(names)
    assert not order.is_exact or len(order.breaks) == 18 * 17 // 2
    assert startable({n: [frozenset(names) - {n}] for n in names}, frozenset(order.breaks)) == set(names)


@given(st.integers(EXACT_UP_TO + 1, 24), st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_above_the_limit_the_breaks_still_do_and_none_is_superfluous(count: int, random: object) -> None:
    import random as chance

    assert isinstance(random, chance.Random)
    names = [f"s{n:02}" for n in range(count)]
    world: World = {
        one: [frozenset({names[(i + 1) % count], random.choice(names), random.choice(names)})]
        for i, one in enumerate(names)
    }
    order = plan(world)
    assert len(order.breaks) >= order.breaks_at_least >= 1
    assert startable(world, frozenset(order.breaks)) == set(names)
    for one in order.breaks:
        assert startable(world, frozenset(order.breaks) - {one}) != set(names)


def test_a_dense_component_of_fifteen_is_exact() -> None:
    names = [f"s{n:02}" for n in range(15)]
    order = plan({name: [frozenset(names) - {name}] for name in names})
    assert order.is_exact
    assert len(order.breaks) == 15 * 14 // 2


def test_a_ring_of_any_length_needs_one_break_and_that_is_exact() -> None:
    order = plan(ring(*[f"s{n:03}" for n in range(500)]))
    assert len(order.breaks) == 1
    assert order.is_exact
    assert len(order.cycles) == 1
    assert order.are_all_cycles


def test_a_service_that_calls_itself_waits_for_itself() -> None:
    order = plan({"a": [frozenset("a")]})
    assert order.cycles == (("a",),)
    assert order.breaks == (("a", "a"),)
    assert cycle_words(order, ("a",)) == "a waits for itself (tcp://a.lab:80)"


def test_the_own_working_set_is_kept_unless_it_closes_a_cycle() -> None:
    late: World = {"a": [frozenset("b"), frozenset()], "b": [frozenset()]}
    assert plan(late).services["a"].instead_of is None, "a later wave is no reason"
    world: World = {
        "a": [frozenset("b")],
        "b": [frozenset("a"), frozenset("c")],
        "c": [frozenset()],
        "d": [frozenset("a"), frozenset("c")],
    }
    order = plan(world)
    assert not order.blocked
    assert choice_words(order.services["b"]) == "b starts with tcp://c.lab:80 instead of tcp://a.lab:80"
    assert order.services["d"].instead_of is None, "it is in no cycle and can wait"


@given(worlds(), worlds())
def test_nothing_is_new_if_and_only_if_no_cycle_is(before: World, after: World) -> None:
    before, after = ({n: s[:1] for n, s in world.items()} for world in (before, after))
    one = order_of(sources(before), limit=1000)
    other = order_of(sources(after), limit=1000)
    fresh = set(new_cycles(other, set(one.tangled)))
    assert bool(fresh) is bool(set(other.cycles) - set(one.cycles))
    assert fresh <= set(other.cycles) - set(one.cycles)


@given(worlds())
def test_the_plan_does_not_depend_on_the_order_of_profiles(world: World) -> None:
    assert order_of(reversed(sources(world))) == plan(world)


@given(worlds())
def test_why_says_something_true_of_everyone(world: World) -> None:
    order = plan(world)
    for name, service in order.services.items():
        words = why(order, name)
        assert words.endswith(".")
        assert ("can start" in words) is (service.wave is not None)


def test_a_tangle_knows_the_shortest_cycle_through_a_need() -> None:
    (tangle,) = tangles({"a": {"b", "c"}, "b": {"a"}, "c": {"b"}})
    assert tangle.through("a", "c") == ("a", "c", "b")
    assert tangle.through("a", "b") == ("a", "b")


def who_is(identity: str, *names: str, said: Told | None = None) -> tuple[str, How] | None:
    order = order_of([Source("x", ((identity,),)), *(Source(n, ((),)) for n in names)], said)
    (match,) = order.matches or (None,)
    return (match.service, match.how) if match else None


@pytest.mark.parametrize(
    ("identity", "names", "expected"),
    [
        ("tcp://db:5432", ["db"], ("db", How.HOST)),
        ("tcp://db.lab:5432", ["db"], ("db", How.LABEL)),
        ("tcp://db.lab:5432", ["db", "db.lab"], ("db.lab", How.HOST)),
        ("tcp://db.lab:5432", ["DB"], ("DB", How.LABEL)),
        ("tcp://db-2.lab:5432", ["db"], None),
        ("tcp://a.db:5432", ["db"], None),
        ("tcp://10.9.0.44:443", ["10", "10.9.0.44"], None),
        ("tcp://[::1]:443", ["::1"], None),
        ("tcp://localhost:80", ["localhost"], None),
        ("unix:/run/db", ["/run/db", "run"], None),
        ("dns:", ["dns"], None),
        ("icmp://gw.lab", ["gw"], ("gw", How.LABEL)),
    ],
)
def test_a_dependency_is_the_service_its_host_names(
    identity: str, names: list[str], expected: tuple[str, How] | None
) -> None:
    assert who_is(identity, *names) == expected


def test_what_a_person_says_wins() -> None:
    names = ["db", "spare"]
    assert who_is("tcp://db.lab:1", *names, said=told(names, [("spare", "tcp://db.lab:1")], [])) == ("spare", How.TOLD)
    assert who_is("tcp://db.lab:1", *names, said=told(names, [("Spare", "DB.lab")], [])) == ("spare", How.TOLD)
    assert who_is("tcp://db.lab:1", *names, said=told(names, [], ["db.lab"])) is None
    assert who_is("dns:", *names, said=told(names, [("db", "dns:")], [])) == ("db", How.TOLD)
    assert who_is("tcp://10.0.0.1:1", *names, said=told(names, [("db", "10.0.0.1")], [])) == ("db", How.TOLD)


@pytest.mark.parametrize(
    ("provides", "roots", "words"),
    [
        ([("dbs", "tcp://x:1")], [], "Did you mean db?"),
        ([("db", "tcp://x")], [], "the port is missing"),
        ([("db", "x y")], [], "not a dependency id"),
        ([("db", "x"), ("spare", "x")], [], "both db and spare"),
        ([("db", "x")], ["x"], "both db and a root"),
    ],
)
def test_a_person_who_errs_is_told(provides: list[tuple[str, str]], roots: list[str], words: str) -> None:
    with pytest.raises(UsageError) as caught:
        told(["db", "spare"], provides, roots)
    assert words in str(caught.value)


def test_doubtful_matches_and_idle_words_are_warned_of() -> None:
    world = [Source("x", (("tcp://db.a.lab:1", "tcp://db.b.lab:1"),)), Source("db", ((),))]
    (warning,) = order_of(world).warnings
    assert "db.a.lab, db.b.lab are all taken for db" in warning
    (warning,) = order_of(world, told(["db", "x"], [("db", "nobody.lab")], ["db.b.lab"])).warnings
    assert "No service needs nobody.lab" in warning
