"""The cheapest row against every row there is, by way of all sets of services."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st

from belljar_tui.core.order.exact import cheapest_row, cheapest_set

Masks = list[list[int]]


@st.composite
def knots(make: st.DrawFn) -> Masks:
    count = make(st.integers(1, 8))
    mask = st.integers(0, (1 << count) - 1)
    return make(st.lists(st.lists(mask, min_size=1, max_size=3), min_size=count, max_size=count))


def cost(sets: Masks, row: Sequence[int]) -> int:
    up = spent = 0
    for one in row:
        spent += cheapest_set(sets[one], up)[0]
        up |= 1 << one
    assert up == (1 << len(sets)) - 1
    assert len(row) == len(sets)
    return spent


def least(sets: Masks) -> int:
    """The cheapest way to have each set of services up, from the empty one to all."""
    best = [0] * (1 << len(sets))
    for up in range(1, len(best)):
        last = [one for one in range(len(sets)) if up >> one & 1]
        best[up] = min(best[up & ~(1 << one)] + cheapest_set(sets[one], up & ~(1 << one))[0] for one in last)
    return best[-1]


@given(knots())
@settings(max_examples=150, deadline=None)
def test_no_row_is_cheaper_whatever_there_is_to_choose_from(sets: Masks) -> None:
    assert cost(sets, cheapest_row(sets)) == least(sets)


def test_no_row_of_a_dozen_is_cheaper_sparse_or_dense() -> None:
    for needs in (2, 4, 6, 8, 10):
        chance = random.Random(needs)
        others = [[other for other in range(12) if other != one] for one in range(12)]
        sets = [[sum(1 << need for need in chance.sample(of, needs))] for of in others]
        assert cost(sets, cheapest_row(sets)) == least(sets)
