"""The fewest needs to break so that what is blocked can start: a minimum feedback arc set, with a choice of sets.

Putting services in a row, each costs those needs of its best working set that do not stand before it. Exact: the
cheapest row, found by A* over the sets of services that are up. What starts at no cost starts at once (it can only
help), and small circles that share no need cost one each whatever comes first, which bounds the rest from below.
Approximate: the greedy row of Eades, Lin and Smyth (Information Processing Letters 47, 1993), without superfluous
breaks where checking that is affordable.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import permutations

import msgspec

from belljar_tui.core.order.components import components

Sets = Mapping[int, Sequence[frozenset[int]]]
"""Service -> its working sets, as numbers of services."""
Pair = tuple[int, int]
"""(service, what it needs)"""

EXACT_UP_TO = 15
"""Services in a strong component for which the answer is exact."""
_AFFORDABLE = 5_000_000
"""Steps to spend on taking superfluous breaks back."""


class Feedback(msgspec.Struct, frozen=True):
    breaks: tuple[Pair, ...]
    chosen: dict[int, int]
    """Service -> the index of the set it uses then."""
    at_least: int
    """No fewer breaks can do. The answer is exact where this is their number."""


def feedback_of(sets: Sets) -> Feedback:
    """The cheapest breaks after which all of `sets` can start; everything else is up already."""
    needs = {service: frozenset[int]().union(*of) for service, of in sets.items()}
    breaks: list[Pair] = []
    chosen: dict[int, int] = {}
    at_least = 0
    for component in map(sorted, components(needs)):
        found = _of_component(sets, component)
        breaks += found.breaks
        chosen |= found.chosen
        at_least += found.at_least
    return Feedback(tuple(sorted(breaks)), chosen, at_least)


def _of_component(sets: Sets, component: list[int]) -> Feedback:
    """Of one strong component: what it needs outside can stand before it."""
    if len(component) <= EXACT_UP_TO:
        return _exact(sets, component)
    inside = set(component)
    chosen = {one: min(range(len(sets[one])), key=lambda k: (len(sets[one][k] & inside), k)) for one in component}
    needs = {one: sets[one][chosen[one]] & inside for one in component}
    breaks: list[Pair] = []
    at_least = 0
    has_choice = any(len(set(sets[one])) > 1 for one in component)
    for circle in map(sorted, components(needs)):
        if len(circle) <= EXACT_UP_TO:
            part = _exact({one: (needs[one],) for one in circle}, circle)
        else:
            part = _greedy(needs, circle)
        breaks += part.breaks
        at_least += part.at_least
    return Feedback(tuple(breaks), chosen, 1 if has_choice else at_least)


class _Row:
    """A component in bits: `sets[i]` are the working sets of its i-th service."""

    def __init__(self, sets: Sets, component: Sequence[int]) -> None:
        place = {service: index for index, service in enumerate(component)}
        self.sets = [
            [sum(1 << place[need] for need in needs if need in place) for needs in sets[service]]
            for service in component
        ]
        self.full = (1 << len(component)) - 1
        common = [self.full] * len(component)
        for index, masks in enumerate(self.sets):
            for mask in masks:
                common[index] &= mask
        self._circles = _packed(common)

    def absorb(self, up: int) -> int:
        """`up` and all that can start then."""
        sets = self.sets
        waiting = [index for index in range(len(sets)) if not up >> index & 1]
        while True:
            still = []
            for index in waiting:
                for mask in sets[index]:
                    if not mask & ~up:
                        up |= 1 << index
                        break
                else:
                    still.append(index)
            if len(still) == len(waiting):
                return up
            waiting = still

    def cheapest(self, index: int, up: int) -> tuple[int, int]:
        """(what it costs to start the service now, the set it uses)"""
        return min([((mask & ~up).bit_count(), k) for k, mask in enumerate(self.sets[index])])

    def bound(self, up: int) -> int:
        """What the rest costs at least: one for each circle that shares no need with another."""
        return len([circle for circle in self._circles if not circle & up])


def _packed(needs: Sequence[int]) -> list[int]:
    """Circles of one, two and three services that share no need, each as its services' bits: as many as come first."""
    left = list(needs)
    count = len(needs)
    circles = []
    for size in (1, 2, 3):
        for circle in permutations(range(count), size):
            pairs = list(zip(circle, (*circle[1:], circle[0]), strict=True))
            if circle[0] == min(circle) and all(left[one] >> need & 1 for one, need in pairs):
                for one, need in pairs:
                    left[one] &= ~(1 << need)
                circles.append(sum(1 << one for one in circle))
    return circles


def _exact(sets: Sets, component: Sequence[int]) -> Feedback:
    row = _Row(sets, component)
    start = row.absorb(0)
    costs = {start: 0}
    came: dict[int, tuple[int, int]] = {}
    done: set[int] = set()
    heap = [(row.bound(start), -start.bit_count(), start)]
    while (up := heapq.heappop(heap)[2]) != row.full:
        if up in done:
            continue
        done.add(up)
        for index in range(len(component)):
            if up >> index & 1:
                continue
            after = row.absorb(up | 1 << index)
            cost = costs[up] + row.cheapest(index, up)[0]
            if cost < costs.get(after, cost + 1):
                costs[after] = cost
                came[after] = (up, index)
                heapq.heappush(heap, (cost + row.bound(after), -after.bit_count(), after))
    return _told(row, component, _paid(came, row.full))


def _paid(came: dict[int, tuple[int, int]], full: int) -> list[int]:
    """The services that started at a cost, first to last."""
    paid = []
    up = full
    while up in came:
        up, index = came[up]
        paid.append(index)
    return paid[::-1]


def _told(row: _Row, component: Sequence[int], paid: Iterable[int]) -> Feedback:
    """The same way once more, writing down what was broken and chosen."""
    up = 0
    breaks: list[Pair] = []
    chosen: dict[int, int] = {}

    def take(index: int) -> None:
        nonlocal up
        k = row.cheapest(index, up)[1]
        chosen[component[index]] = k
        missing = row.sets[index][k] & ~up
        breaks.extend((component[index], need) for place, need in enumerate(component) if missing >> place & 1)
        up |= 1 << index

    def take_free() -> None:
        while free := [i for i in range(len(component)) if not up >> i & 1 and not row.cheapest(i, up)[0]]:
            for index in free:
                take(index)

    take_free()
    for index in paid:
        take(index)
        take_free()
    return Feedback(tuple(breaks), chosen, len(breaks))


def _greedy(needs: dict[int, frozenset[int]], circle: Sequence[int]) -> Feedback:
    inside = set(circle)
    out = {one: (needs[one] & inside) - {one} for one in circle}
    into: dict[int, set[int]] = {one: set() for one in circle}
    for one in circle:
        for need in out[one]:
            into[need].add(one)
    place = {one: index for index, one in enumerate(_row(out, into))}
    breaks = [(one, one) for one in circle if one in needs[one]]
    back = [(one, need) for one in circle for need in sorted(out[one]) if place[need] > place[one]]
    mutual = sum(1 for one in circle for need in out[one] if one < need and one in out[need])
    if len(back) * sum(map(len, out.values())) <= _AFFORDABLE:
        back = _without_superfluous(out, back)
    return Feedback(tuple(breaks + back), {}, max(1, mutual) + len(breaks) if back else len(breaks))


def _row(out: dict[int, frozenset[int]], into: dict[int, set[int]]) -> list[int]:
    """Services in an order with few needs that stand behind: what needs nothing first, what nobody needs last, and
    else whoever is needed most beyond what it needs."""
    needs = {one: len(found) for one, found in out.items()}
    users = {one: len(found) for one, found in into.items()}
    heap = [(_rank(one, needs, users), one) for one in sorted(out)]
    heapq.heapify(heap)
    first: list[int] = []
    last: list[int] = []
    placed: set[int] = set()
    while heap:
        rank, one = heapq.heappop(heap)
        if one in placed or rank != _rank(one, needs, users):
            continue  # an older entry; the newer one is in the heap
        placed.add(one)
        (last if needs[one] and not users[one] else first).append(one)
        for other, count in [*((o, needs) for o in into[one]), *((o, users) for o in out[one])]:
            if other not in placed:
                count[other] -= 1
                heapq.heappush(heap, (_rank(other, needs, users), other))
    return first + last[::-1]


def _rank(one: int, needs: dict[int, int], users: dict[int, int]) -> tuple[int, int]:
    """Small goes first: (0, 0) costs nothing at either end."""
    return (0, 0) if not needs[one] or not users[one] else (1, needs[one] - users[one])


def _without_superfluous(out: dict[int, frozenset[int]], back: list[Pair]) -> list[Pair]:
    """Take back each break that closes no circle with the rest."""
    left = {one: set(found) for one, found in out.items()}
    for one, need in back:
        left[one].discard(need)
    kept = []
    for one, need in back:
        if _leads(left, need, one):
            kept.append((one, need))
        else:
            left[one].add(need)
    return kept


def _leads(needs: dict[int, set[int]], start: int, goal: int) -> bool:
    seen = {start}
    todo = [start]
    while todo:
        here = todo.pop()
        if here == goal:
            return True
        fresh = needs[here] - seen
        seen |= fresh
        todo += fresh
    return False
