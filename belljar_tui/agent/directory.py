"""Which dependency an endpoint belongs to, and which endpoints a dependency has. No I/O.

Names come from the resolver (and the hosts file). An address belongs to the first name that resolved to it for as long
as that name still does; a second name on the same address falls together with the first, or is given another address
for it (`apart`): then it belongs to the first for good, since somebody may still have it from then. Where no name was
resolved, what the engine knows of its containers names an address: evidence, not authority.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from belljar_tui.core.model import Dependency, Endpoint, Protocol, is_address

_LOOPBACK = {"127.0.0.1": "localhost", "::1": "localhost"}


class Directory:
    """
    Args:
        keeps_owners: an address stays with the name that resolved to it first, even when that resolves elsewhere.
    """

    def __init__(self, *, keeps_owners: bool = False) -> None:
        self._keeps_owners = keeps_owners
        self._name_of: dict[str, str] = dict(_LOOPBACK)
        self._addresses_of: dict[str, tuple[str, ...]] = {"localhost": tuple(_LOOPBACK)}
        self._hint_of: dict[str, str] = {}
        """Address -> what the engine calls it."""
        self._hinted: dict[str, tuple[str, ...]] = {}
        """Name -> addresses, as the engine has them."""
        self._seen: dict[Dependency, set[Endpoint]] = {}

    @property
    def seen(self) -> Iterable[Dependency]:
        """Dependencies that were called, in the order first called."""
        return self._seen.keys()

    def is_known(self, endpoint: Endpoint) -> bool:
        """Whether a call to `endpoint` was noted before."""
        return endpoint in self._seen.get(self.dependency_of(endpoint), ())

    def dependency_of(self, endpoint: Endpoint) -> Dependency:
        """By name where one is known, else by raw address."""
        host = self._name_for(endpoint.address)
        return Dependency(endpoint.protocol, host, endpoint.port)

    def note(self, endpoint: Endpoint) -> Dependency:
        """A call to `endpoint` was seen."""
        dependency = self.dependency_of(endpoint)
        self._seen.setdefault(dependency, set()).add(endpoint)
        return dependency

    def learn(self, name: str, addresses: Iterable[str]) -> None:
        """`name` resolved to `addresses` (A and AAAA answers come apart, so they add up per family)."""
        fresh = tuple(addresses)
        families = set[bool]() if self._keeps_owners else {":" in address for address in fresh}
        kept = tuple(a for a in self._addresses_of.get(name, ()) if (":" in a) not in families)
        for stale in set(self._addresses_of.get(name, ())) - {*kept, *fresh}:
            if self._name_of.get(stale) == name and not self._is_called(stale):
                del self._name_of[stale]
        self._addresses_of[name] = tuple(dict.fromkeys(kept + fresh))
        for address in fresh:
            self._name_of.setdefault(address, name)

    def owner_of(self, address: str) -> str | None:
        """The name an address belongs to, where one resolved to it."""
        return self._name_of.get(address)

    def hint(self, names: Sequence[str], addresses: Sequence[str]) -> bool:
        """The engine calls these addresses by these names, the likeliest first. Whether that was news."""
        fresh = tuple(addresses)
        if not names or not fresh or all(self._hinted.get(name) == fresh for name in names):
            return False
        for name in names:
            for stale in set(self._hinted.get(name, ())) - set(fresh):
                if self._hint_of.get(stale) in names and not self._is_called(stale):
                    del self._hint_of[stale]
            self._hinted[name] = fresh
        for address in fresh:
            self._hint_of[address] = names[0]
        return True

    def endpoints_of(self, dependency: Dependency) -> set[Endpoint]:
        """Every endpoint to enforce for `dependency`: those called, and those its name resolves to."""
        if dependency.protocol in (Protocol.DNS, Protocol.UNIX):
            return set()
        found = set(self._seen.get(dependency, ()))
        addresses = self._addresses_of.get(dependency.host, ()) or self._hinted.get(dependency.host, ())
        if not addresses and is_address(dependency.host):
            addresses = (dependency.host,)
        owned = (a for a in addresses if self._owns(dependency.host, a))
        found.update(Endpoint(address, dependency.protocol, dependency.port) for address in owned)
        return found

    def _name_for(self, address: str) -> str:
        return self._name_of.get(address) or self._hint_of.get(address) or address

    def _owns(self, host: str, address: str) -> bool:
        return self._name_for(address) in (host, address)

    def _is_called(self, address: str) -> bool:
        return any(e.address == address for endpoints in self._seen.values() for e in endpoints)
