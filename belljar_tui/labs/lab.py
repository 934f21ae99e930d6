"""What a lab is: a service, the hosts around it, and the truth to be found."""

from __future__ import annotations

import msgspec

from belljar_tui.core.model import NAME_SERVICE


class Truth(msgspec.Struct, frozen=True):
    """What the service really needs; tests and later searches are measured against it."""

    always: tuple[str, ...]
    """Ids needed at every moment."""
    cold_only: tuple[str, ...] = ()
    """Needed to start, not to go on."""
    one_of: tuple[tuple[str, ...], ...] = ()
    """Groups of which one must be open."""
    tolerated: tuple[str, ...] = ()
    needed_when_hanging: tuple[str, ...] = ()
    """Tolerated when refused, but not when they hang."""


class Lab(msgspec.Struct, frozen=True):
    name: str
    summary: str
    service: tuple[str, ...]
    """Module arguments after the interpreter."""
    checks: tuple[str, ...]
    nameservers: tuple[str, ...]
    hosts: dict[str, str]
    """Host name -> last part of its addresses (10.77.1.N and fd77:1::N); a name without a dot is not in the DNS."""
    truth: Truth
    can_be_cold: bool = False
    """Its hosts can be off, and wait for one another when they start."""
    services: dict[str, Truth] = {}
    """Services of which each can be in the jar instead, by name, and what it really needs."""

    @property
    def world(self) -> str:
        """The lab whose hosts are around it: `bootstrap` for `bootstrap/vault`."""
        return self.name.partition("/")[0]

    @property
    def in_jar(self) -> str:
        """What the service is called: `vault`; the lab's own name where it is the lab's own service."""
        return self.name.rpartition("/")[2]

    @property
    def dependencies(self) -> frozenset[str]:
        """Ids of all there are, name service included."""
        one_of = (one for group in self.truth.one_of for one in group)
        return frozenset({*self.truth.always, *self.truth.cold_only, *one_of, *self.truth.tolerated, NAME_SERVICE})

    def around(self, service: str) -> Lab:
        """The same world with another of its services in the jar."""
        return msgspec.structs.replace(
            self,
            name=f"{self.name}/{service}",
            service=(*self.service, service),
            truth=self.services[service],
            services={},
        )
