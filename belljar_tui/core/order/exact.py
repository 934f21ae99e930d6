"""The cheapest row of a few services, each of which costs those needs of its best working set that do not stand before
it. Services are bits of a number here.

Two that need each other in all of their sets cost one whoever comes first, so that pair is taken out and counted; what
is left falls into pieces. Each piece's cheapest row is found by A* over the sets of services that are placed. What
starts at no cost is placed at once, and what nobody left needs goes last: neither can hurt. Circles that share no need
cost one each, which bounds the rest from below.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from belljar_tui.core.order.components import components

Masks = Sequence[Sequence[int]]
"""Service -> its working sets, each as bits of services."""


def cheapest_row(sets: Masks) -> list[int]:
    """All services, first to last."""
    left = _without_certain(sets)
    needs = [_any(masks) for masks in left]
    row: list[int] = []
    for piece in components({one: set(bits(mask)) for one, mask in enumerate(needs)}):
        row += _Piece(left, piece).row() if len(piece) > 1 else piece
    return row


def cheapest_set(masks: Sequence[int], up: int) -> tuple[int, int]:
    """(needs that are not up, the index of the set)"""
    return min([((mask & ~up).bit_count(), k) for k, mask in enumerate(masks)])


def bits(mask: int) -> Iterator[int]:
    """The services in it, in order."""
    while mask:
        low = mask & -mask
        yield low.bit_length() - 1
        mask ^= low


def _any(masks: Sequence[int]) -> int:
    found = 0
    for mask in masks:
        found |= mask
    return found


def _all(masks: Sequence[int]) -> int:
    found = -1
    for mask in masks:
        found &= mask
    return found


def _without_certain(sets: Masks) -> list[list[int]]:
    """The same without needs whose cost no row changes: of oneself, and of one that needs oneself, in all sets."""
    common = [_all(masks) for masks in sets]
    users = _turned(common)
    return [[mask & ~(common[one] & users[one]) for mask in masks] for one, masks in enumerate(sets)]


def _turned(needs: Sequence[int]) -> list[int]:
    """Service -> those that need it."""
    users = [0] * len(needs)
    for one, mask in enumerate(needs):
        for need in bits(mask):
            users[need] |= 1 << one
    return users


class _Piece:
    """A strong component; all that it needs elsewhere is up."""

    def __init__(self, sets: Masks, piece: Sequence[int]) -> None:
        self._sets = sets
        self._inside = sum(1 << one for one in piece)
        self._full = (1 << len(sets)) - 1
        needs = [_any(masks) & self._inside for masks in sets]
        self._users = _turned(needs)
        self._near = [need | users for need, users in zip(needs, self._users, strict=True)]
        """What may be settled once that service is placed."""
        self._circles = _packed([_all(masks) & self._inside * (one in piece) for one, masks in enumerate(sets)])

    def row(self) -> list[int]:
        """Its services, first to last."""
        start = self._settled(self._full & ~self._inside, self._inside)
        costs = {start: 0}
        came: dict[int, tuple[int, int]] = {}
        heap = [(self._bound(start), -start.bit_count(), start)]
        while True:
            estimate, _, placed = heapq.heappop(heap)
            if placed == self._full:
                return self._ordered(came)
            cost = costs[placed]
            if cost + self._bound(placed) < estimate:
                continue  # an older entry: it was reached more cheaply since
            left = rest = self._full & ~placed
            while rest:
                low = rest & -rest
                rest ^= low
                one = low.bit_length() - 1
                extra = min([(mask & left).bit_count() for mask in self._sets[one]])
                if extra > (self._users[one] & left).bit_count():
                    continue  # last, it would cost each of its users one at most
                after = self._settled(placed | low, self._near[one] & left & ~low)
                price = cost + extra
                if price < costs.get(after, price + 1):
                    costs[after] = price
                    came[after] = (placed, one)
                    heapq.heappush(heap, (price + self._bound(after), -after.bit_count(), after))

    def _settled(self, placed: int, look: int) -> int:
        """With all that costs nothing now, and all that nobody left needs. `look`: those that may have come to it."""
        while look:
            low = look & -look
            look ^= low
            one = low.bit_length() - 1
            left = self._full & ~placed
            if self._users[one] & left & ~low:
                for mask in self._sets[one]:
                    if not mask & left:
                        break
                else:
                    continue
            placed |= low
            look |= self._near[one] & left & ~low
        return placed

    def _bound(self, placed: int) -> int:
        """What the rest costs at least."""
        return sum([not circle & placed for circle in self._circles])

    def _ordered(self, came: dict[int, tuple[int, int]]) -> list[int]:
        """The services of the way to the end: each that was paid for, and what it lets start."""
        paid = []
        placed = self._full
        while placed in came:
            placed, one = came[placed]
            paid.append(one)
        row: list[int] = []
        up = self._full & ~self._inside
        for one in [*paid[::-1], -1]:
            while free := [i for i in bits(self._full & ~up) if not cheapest_set(self._sets[i], up)[0]]:
                row += free
                up |= sum(1 << i for i in free)
            if one >= 0 and not up >> one & 1:
                row.append(one)
                up |= 1 << one
        return row


def _packed(needs: Sequence[int]) -> list[int]:
    """Circles that share no need, each as its services' bits: the shortest through each service, while there is one."""
    left = list(needs)
    circles: list[int] = []
    for one in range(len(left)):
        while circle := _shortest(left, one):
            circles.append(sum(1 << each for each in circle))
            for each, need in zip(circle, (*circle[1:], one), strict=True):
                left[each] &= ~(1 << need)
    return circles


def _shortest(needs: Sequence[int], start: int) -> list[int]:
    """A shortest circle from `start` on: each needs the next, the last `start`. Empty where there is none."""
    came: dict[int, int] = {}
    seen = 1 << start
    queue = [start]
    for one in queue:  # grows on the way
        if needs[one] >> start & 1:
            circle = [one]
            while circle[-1] != start:
                circle.append(came[circle[-1]])
            return circle[::-1]
        for need in bits(needs[one] & ~seen):
            came[need] = one
            queue.append(need)
        seen |= needs[one]
    return []
