"""A sequence that only grows, whose every earlier length stays valid: appending costs the same however long it is.

All versions share one list. Appending to the newest adds to that list; appending to an older one begins a list of its
own. So a fold over a million events, and every moment of it that somebody keeps, cost what the newest one does.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar, overload

T = TypeVar("T")


class Grown(Sequence[T]):
    """Immutable to whoever holds one; equal to any other, and to a tuple, with the same items.

    Args:
        items: what it begins with.
    """

    __slots__ = ("_first", "_items", "_last")

    def __init__(self, items: Iterable[T] = ()) -> None:
        self._items = list(items)
        self._first = 0
        self._last = len(self._items)

    def appended(self, item: T, keep: int = 0) -> Grown[T]:
        """One longer; with `keep`, only the newest that many stay."""
        first, last = self._first, self._last + 1
        if keep and last - first > keep:
            first = last - keep
        grown: Grown[T] = Grown.__new__(Grown)
        if 0 < self._last == len(self._items) and first <= 2 * max(keep, 1):  # an empty one may be a shared default
            grown._items = self._items
        else:
            grown._items = self._items[first : self._last]
            first, last = 0, last - first
        grown._items.append(item)
        grown._first, grown._last = first, last
        return grown

    def __len__(self) -> int:
        return self._last - self._first

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[T, ...]: ...
    def __getitem__(self, index: int | slice) -> T | tuple[T, ...]:
        """Negative indices and slices as a tuple has them."""
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return tuple(self._items[self._first + start : self._first + max(start, stop)])
            return tuple(self._items[self._first + at] for at in range(start, stop, step))
        at = index if index >= 0 else index + len(self)
        if not 0 <= at < len(self):
            raise IndexError(index)
        return self._items[self._first + at]

    def __eq__(self, other: object) -> bool:
        return self[:] == other[:] if isinstance(other, Grown | tuple) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # its items need not be hashable

    def __repr__(self) -> str:
        return f"Grown({list(self[:])!r})"
