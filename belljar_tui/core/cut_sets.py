"""Sets of dependencies, and the sets that hit them all. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

Ids = frozenset[str]


def minimal_transversals(sets: Sequence[Ids], limit: int) -> list[Ids]:
    """Every minimal set that has a member in common with each of `sets` (Berge's algorithm), smallest first.

    Stops early, with more than `limit` of them, where there are too many.
    """
    found: list[Ids] = [frozenset()]
    for one in sets:
        hitting = [hit for hit in found if hit & one]
        extended = {hit | {member} for hit in found if not hit & one for member in one}
        found = _least([*hitting, *extended])
        if len(found) > 4 * limit:
            break
    return sorted(found, key=_order)


def listed(sets: Iterable[Ids]) -> tuple[tuple[str, ...], ...]:
    """Sorted for people: small sets first, then by name."""
    return tuple(tuple(sorted(one)) for one in sorted(set(sets), key=_order))


def _least(sets: Sequence[Ids]) -> list[Ids]:
    """Without those that contain another."""
    kept: list[Ids] = []
    for one in sorted(set(sets), key=len):
        if not any(other <= one for other in kept):
            kept.append(one)
    return kept


def _order(one: Ids) -> tuple[int, list[str]]:
    return len(one), sorted(one)
