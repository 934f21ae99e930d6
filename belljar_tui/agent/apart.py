"""Names that share an address are told apart: the second one is given a virtual address, that the kernel translates.

All of it stands before the answer leaves: the route, the translation, and (as for every name) the elements.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from belljar_tui.agent.directory import Directory
from belljar_tui.agent.netlink import NetlinkError
from belljar_tui.agent.routes import Routes
from belljar_tui.agent.virtual import AT_MOST, VirtualAddresses


class NamesApart:
    """
    Args:
        directory: whose address is whose; it keeps owners.
        translate: has the kernel lead a virtual address (first) to a real one. Raises NetlinkError.
        on_together: a name falls together with another one, for all addresses are given out.
        on_broken: what went wrong, in words, once for each.
    """

    def __init__(
        self,
        directory: Directory,
        translate: Callable[[str, str], None],
        on_together: Callable[[], None],
        on_broken: Callable[[str], None],
        at_most: int = AT_MOST,
    ) -> None:
        self._directory = directory
        self._translate = translate
        self._on_together = on_together
        self._on_broken = on_broken
        self._routes = Routes()
        self._addresses = VirtualAddresses(at_most)
        self._together: set[tuple[str, str]] = set()
        """Of name and address: said to fall together with another one's."""
        self._said: set[str] = set()

    def answer(self, name: str, aliases: Collection[str], addresses: Sequence[str]) -> dict[str, str]:
        """Of `addresses`, those that belong to another name, and the virtual one by which `name` gets there."""
        self._addresses.hear(name, aliases)
        found = {address: self._virtual_for(name, address) for address in addresses}
        return {address: virtual for address, virtual in found.items() if virtual is not None}

    def name_of(self, address: str) -> str | None:
        """The name behind a virtual address."""
        behind = self._addresses.behind(address)
        return behind[0] if behind is not None else None

    def real_of(self, address: str) -> str | None:
        """The real address behind a virtual one."""
        behind = self._addresses.behind(address)
        return behind[1] if behind is not None else None

    def _virtual_for(self, name: str, address: str) -> str | None:
        known = self._addresses.of(name, address)
        if known is not None:
            self._lead(known, address)  # the way may be another one by now
            return known
        if not self._is_anothers(name, address):
            return None
        virtual = self._addresses.free(address, lambda each: self._directory.owner_of(each) is not None)
        if virtual is None:
            if (name, address) not in self._together:
                self._together.add((name, address))
                self._on_together()
            return None
        if not self._lead(virtual, address):
            return None
        try:
            self._translate(virtual, address)
        except NetlinkError as error:
            self._say(f"this kernel does not translate addresses ({error}): names that share one are cut together")
            return None
        self._addresses.bind(virtual, name, address)
        return virtual

    def _is_anothers(self, name: str, address: str) -> bool:
        if self._addresses.behind(address) is not None:
            return True  # the world uses an address that we gave out
        owner = self._directory.owner_of(address)
        return owner is not None and owner != name and not self._addresses.are_one(name, owner)

    def _lead(self, virtual: str, real: str) -> bool:
        try:
            return self._routes.lead(virtual, real)
        except NetlinkError as error:
            self._say(f"no route could be made ({error}): names that share an address are cut together")
            return False

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._on_broken(what)
