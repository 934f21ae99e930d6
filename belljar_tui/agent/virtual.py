"""Virtual addresses: which there are, and what stands behind each. No I/O.

An address that two names resolve to belongs to the first; the second one is answered with an address of the jar's own,
that leads to the same place. The pair of a name and an address keeps its virtual one for as long as the jar lives: a
cached answer never leads anywhere else, however old it is.
"""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Callable, Iterable, Iterator

_POOL4 = int(ipaddress.IPv4Address("198.18.0.0"))
_POOL6 = int(ipaddress.IPv6Address("fd42:656c:6c4a:6172::"))
AT_MOST = (1 << 17) - 2
"""Of each family: what RFC 2544 keeps away from the world (198.18.0.0/15), its first and its last left out."""


class VirtualAddresses:
    def __init__(self, at_most: int = AT_MOST) -> None:
        self._of: dict[tuple[str, str], str] = {}
        self._behind: dict[str, tuple[str, str]] = {}
        self._aliases: dict[str, set[str]] = {}
        """Name -> every name of the aliases it was ever answered with, itself among them."""
        self._free4 = _pool(ipaddress.IPv4Address, _POOL4, at_most)
        self._free6 = _pool(ipaddress.IPv6Address, _POOL6, at_most)

    def hear(self, name: str, aliases: Iterable[str]) -> None:
        """An answer for `name` went through these other names (CNAME)."""
        self._aliases.setdefault(name, {name}).update(aliases)

    def are_one(self, name: str, other: str) -> bool:
        """Whether one of them is an alias of the other. Two aliases of a third name are not one, but each with it."""
        return other in self._aliases.get(name, ()) or name in self._aliases.get(other, ())

    def of(self, name: str, real: str) -> str | None:
        """The virtual address by which `name` leads to `real`."""
        return self._of.get((name, real))

    def behind(self, virtual: str) -> tuple[str, str] | None:
        """The name and the real address behind a virtual one; None where it is none (yet)."""
        return self._behind.get(virtual)

    def free(self, real: str, is_taken: Callable[[str], bool]) -> str | None:
        """The next address of the family of `real` that nobody has (one that `is_taken` is the world's); None: all are
        given out. It is not asked for again, whether or not it is bound."""
        pool = self._free6 if ":" in real else self._free4
        return next((address for address in pool if not is_taken(address)), None)

    def bind(self, virtual: str, name: str, real: str) -> None:
        """From now on `virtual` is how `name` leads to `real`."""
        self._of[name, real] = virtual
        self._behind[virtual] = (name, real)


def _pool(kind: Callable[[int], object], first: int, at_most: int) -> Iterator[str]:
    return (str(kind(first + n)) for n in itertools.islice(itertools.count(1), at_most))
