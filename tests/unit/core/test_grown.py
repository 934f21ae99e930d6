from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core.grown import Grown

numbers = st.lists(st.integers(), max_size=12)


@given(numbers, st.integers(0, 5))
def test_every_length_it_ever_had_stays_as_it_was(items: list[int], keep: int) -> None:
    versions = [Grown[int]()]
    for item in items:
        versions.append(versions[-1].appended(item, keep))
    for length, version in enumerate(versions):
        before = tuple(items[:length])
        assert version == (before[-keep:] if keep else before)


@given(numbers, numbers, numbers)
def test_two_that_grow_out_of_one_do_not_meet(common: list[int], left: list[int], right: list[int]) -> None:
    root = Grown[int](common)
    one, other = root, root
    for item in left:
        one = one.appended(item)
    for item in right:
        other = other.appended(item)
    assert [one[:], other[:], root[:]] == [(*common, *left), (*common, *right), tuple(common)]


@given(numbers, st.integers(-15, 15), st.integers(-15, 15), st.sampled_from([-2, -1, 1, 2]))
def test_it_is_read_as_a_tuple_is(items: list[int], start: int, stop: int, step: int) -> None:
    grown = Grown[int]([0]).appended(1, 1)
    for item in items:
        grown = grown.appended(item)
    same = (1, *items)
    assert grown[start:stop:step] == same[start:stop:step]
    assert (len(grown), grown[-1], list(grown), list(reversed(grown))) == (
        len(same), same[-1], list(same), list(reversed(same))
    )  # fmt: skip


def test_past_its_end_there_is_nothing() -> None:
    with pytest.raises(IndexError):
        Grown[int]([1])[1]
