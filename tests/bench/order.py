"""How long an order takes, beside plain networkx calls on the same needs; CPU seconds, the best of three.

.venv/bin/python tests/bench/order.py
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import networkx as nx

from belljar_tui.core.order.drawing import draw, lines_of, pairs_of
from belljar_tui.core.order.plan import Order, Source, order_of
from belljar_tui.core.profile import Healthy, Profile, Service
from belljar_tui.headless.ordering.reading import read_all
from belljar_tui.journal.profile_file import profile_text

SERVICES, NEEDS = 10_000, 100_000
World = list[set[int]]


def layered(services: int, needs: int, chance: random.Random) -> World:
    """Each needs only what stands before it."""
    world: World = [set() for _ in range(services)]
    count = 0
    while count < needs:
        one, other = sorted(chance.sample(range(services), 2))
        count += one not in world[other]
        world[other].add(one)
    return world


def with_circles(services: int, needs: int, chance: random.Random) -> World:
    """The same, with a hundred knots of 3 to 15 services."""
    world = layered(services, needs - 1500, chance)
    for _ in range(100):
        start = chance.randrange(services - 15)
        knot = range(start, start + chance.randint(3, 15))
        for one, need in zip(knot, [*knot[1:], knot[0]], strict=True):
            world[one].add(need)
    return world


def tangled(services: int, needs: int, chance: random.Random) -> World:
    """Anyone needs anyone: one huge knot."""
    world: World = [set() for _ in range(services)]
    for _ in range(needs):
        one, other = chance.sample(range(services), 2)
        world[one].add(other)
    return world


def dense_knots(services: int, needs: int, chance: random.Random) -> World:
    """Services in knots of fifteen, each of which needs ten others of its knot."""
    world: World = []
    for start in range(0, services - services % 15, 15):
        knot = range(start, start + 15)
        world += [set(chance.sample([o for o in knot if o != one], needs // services)) for one in knot]
    return world


def sources(world: World) -> list[Source]:
    return [
        Source(f"s{number:05}", (tuple(f"tcp://s{need:05}.lab:80" for need in sorted(needs)),))
        for number, needs in enumerate(world)
    ]


def seconds(run: Callable[[], object], times: int = 3) -> float:
    """CPU seconds."""
    spent = []
    for _ in range(times):
        start = time.process_time()
        run()
        spent.append(time.process_time() - start)
    return min(spent)


def plainly(world: World) -> object:
    """What anyone would write first: the graph, its strong components, its waves, and twenty cycles."""
    graph: nx.DiGraph[int] = nx.DiGraph()
    for one, needs in enumerate(world):
        graph.add_edges_from((one, need) for need in needs)
    folded = nx.condensation(graph)
    return list(nx.topological_generations(folded)), list(islice(nx.simple_cycles(graph), 20))


def worlds() -> Iterator[tuple[str, World]]:
    for make in (layered, with_circles, tangled, dense_knots):
        yield make.__name__.replace("_", " "), make(SERVICES, NEEDS, random.Random(1))


def summary(order: Order) -> str:
    exact = "exact" if order.is_exact else f"at least {order.breaks_at_least:,}"
    cycles = f"{len(order.cycles):,}{'' if order.are_all_cycles else '+'}"
    breaks = f"{len(order.breaks):,} breaks ({exact})"
    return f"{len(order.waves)} waves, {len(order.blocked):,} blocked, {cycles} cycles, {breaks}"


def reading_ms(count: int = 300) -> float:
    with tempfile.TemporaryDirectory() as folder:
        for number in range(count):
            profile = Profile(
                belljar=2,
                name=f"s{number}",
                service=Service(command=("./s",)),
                healthy=Healthy(checks=("tcp://localhost:1",)),
                allow=tuple(f"tcp://s{need}.lab:80" for need in range(10)),
            )
            Path(folder, f"{number}.belljar.yaml").write_text(profile_text(profile))
        return seconds(lambda: read_all([folder]), 1) / count * 1e3


def main() -> None:
    print(f"{SERVICES:,} services, {NEEDS:,} needs; CPU seconds")
    for name, world in worlds():
        given = sources(world)
        order = order_of(given)
        spent = seconds(lambda given=given: order_of(given), 2)  # type: ignore[misc]
        plain = seconds(lambda world=world: plainly(world), 1)  # type: ignore[misc]
        print(
            f"{name:<14} belljar {spent:5.2f}   networkx {plain:6.2f}   ratio {spent / plain:5.2f}   {summary(order)}"
        )
        if name == "tangled":
            lines = lines_of(order)
            one = order.blocked[0]
            print(f"{'':<14} lines of one service {seconds(lambda: draw(lines, pairs_of(order, [one]))) * 1e3:.1f} ms")  # noqa: B023
    print(f"reading one profile: {reading_ms():.1f} ms")


if __name__ == "__main__":
    main()
