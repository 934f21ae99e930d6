"""What waits for what in a circle: every cycle while they are few, a bounded, useful choice where they are not.

The number of simple cycles explodes: 20 services that all need one another have more than 10^17. Johnson's algorithm
(networkx) gives them one by one at the price of a walk over the component each, so it is stopped after a number of
cycles, and never begun where the walks would cost too much. What is shown then is the shortest circle through each
service, which together touch everyone concerned.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence, Set
from itertools import islice

import msgspec
import networkx as nx

from belljar_tui.core.order.components import components

Needs = Mapping[str, Set[str]]
"""Service -> the services it needs, by name."""
Cycle = tuple[str, ...]
"""Each waits for the next, the last for the first. The first is the least by name."""

LIMIT = 20
"""Cycles of one component that are listed."""
_AFFORDABLE = 2_000_000
"""Steps of a complete listing: (services + needs) × cycles."""
_BROWSED = 200
"""Shortest circles that are looked for in one component where not all are listed."""


class Listing(msgspec.Struct, frozen=True):
    cycles: tuple[Cycle, ...]
    """Shortest first."""
    is_complete: bool
    """Whether these are all."""


class Tangle:
    """A strong component with a cycle in it."""

    def __init__(self, needs: Mapping[str, Sequence[str]]) -> None:
        self._needs = needs
        self.services = tuple(sorted(needs))
        self.pairs = tuple((one, need) for one in self.services for need in needs[one])
        """(service, what it needs); each lies on a cycle."""

    def listing(self, limit: int = LIMIT) -> Listing:
        size = len(self.services) + len(self.pairs)
        if size * limit <= _AFFORDABLE:
            graph: nx.DiGraph[str] = nx.DiGraph(self.pairs)
            found = list(islice(nx.simple_cycles(graph), limit + 1))
            if len(found) <= limit:
                return Listing(_sorted(map(turned, found)), True)
        browsed = self.services[: max(limit, min(_BROWSED, _AFFORDABLE // size))]
        return Listing(_sorted({self.shortest(service, service) for service in browsed})[:limit], False)

    def through(self, service: str, need: str) -> Cycle:
        """The shortest cycle in which `service` waits for `need`."""
        return turned([service]) if service == need else self.shortest(service, need)

    def shortest(self, service: str, need: str) -> Cycle:
        """The shortest way from `need` back to `service`, closed by a need; `need` may be the service itself."""
        before: dict[str, str] = {}
        todo = deque([need])
        while todo:
            here = todo.popleft()
            for there in self._needs[here]:
                if there == service:
                    return turned(_way(before, here, need) if need == service else [service, *_way(before, here, need)])
                if there not in before and there != need:
                    before[there] = here
                    todo.append(there)
        raise ValueError(f"{service} and {need} are on no cycle")


def _way(before: Mapping[str, str], end: str, start: str) -> list[str]:
    way = [end]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]


def tangles(needs: Needs) -> list[Tangle]:
    """Every strong component that has a cycle, by its first service."""
    found = []
    for component in components(needs):
        if len(component) > 1 or component[0] in needs[component[0]]:
            inside = set(component)
            found.append(Tangle({one: sorted(needs[one] & inside) for one in component}))
    return sorted(found, key=lambda tangle: tangle.services)


def turned(cycle: list[str]) -> Cycle:
    """The same cycle, its least service first."""
    first = cycle.index(min(cycle))
    return (*cycle[first:], *cycle[:first])


def _sorted(cycles: Iterable[Cycle]) -> tuple[Cycle, ...]:
    return tuple(sorted(cycles, key=lambda cycle: (len(cycle), cycle)))
