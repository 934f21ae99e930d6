"""The fewest needs to break so that what is blocked can start: a minimum feedback arc set, with a choice of sets.

Putting services in a row, each costs those needs of its best working set that do not stand before it. Exact: the
cheapest row (`exact`). Approximate: the greedy row of Eades, Lin and Smyth (Information Processing Letters 47, 1993),
without superfluous breaks where checking that is affordable.
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping, Sequence

import msgspec

from belljar_tui.core.order.components import components
from belljar_tui.core.order.exact import bits, cheapest_row, cheapest_set

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


def _exact(sets: Sets, component: Sequence[int]) -> Feedback:
    place = {service: index for index, service in enumerate(component)}
    masks = [
        [sum([1 << place[need] for need in needs if need in place]) for needs in sets[service]] for service in component
    ]
    up = 0
    breaks: list[Pair] = []
    chosen: dict[int, int] = {}
    for index in cheapest_row(masks):
        service = component[index]
        chosen[service] = cheapest_set(masks[index], up)[1]
        breaks += [(service, component[need]) for need in bits(masks[index][chosen[service]] & ~up)]
        up |= 1 << index
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
