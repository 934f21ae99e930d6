"""Which dependency of one service is which other service.

A dependency `tcp://orders-db.shop.lab:5432` is the service called `orders-db.shop.lab`, else the one called
`orders-db`: the whole host, then its first label. Addresses, `localhost`, sockets and name service are nobody's unless
a person says so. A wrong match would be a silent error, so every match says how it came about, and doubtful ones are
warned of.
"""

from __future__ import annotations

import difflib
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec

from belljar_tui.core.model import Dependency, Protocol
from belljar_tui.errors import UsageError


class How(StrEnum):
    """Why a dependency was taken for a service."""

    TOLD = "told"
    """A person said so."""
    HOST = "host"
    """The whole host is the service's name."""
    LABEL = "first label"
    """The first label of the host is the service's name."""


class Match(msgspec.Struct, frozen=True):
    dependency: str
    """An id."""
    service: str
    how: How


class Told(msgspec.Struct, frozen=True):
    """What a person said: a dependency's id, or a host with every port of it, to the service behind it."""

    provides: Mapping[str, str | None] = {}
    """None: nobody's, whatever it is called."""


def told(services: Iterable[str], provides: Sequence[tuple[str, str]], roots: Sequence[str]) -> Told:
    """What `--provides SERVICE=ID` and `--root ID` say.

    Raises:
        UsageError: there is no such service, an id is none, or one id would be two services.
    """
    names = {name.lower(): name for name in services}
    said: dict[str, str | None] = {}
    for service, identity in [*((s, i) for s, i in provides), *((None, root) for root in roots)]:
        target = _target(identity)
        name = None if service is None else _known(service, names)
        if target in said and said[target] != name:
            first, second = (said[target] or "a root", name or "a root")
            raise UsageError(f"{target} would be both {first} and {second}.", remedy="Say only one of them.")
        said[target] = name
    return Told(said)


def _known(service: str, names: Mapping[str, str]) -> str:
    if (name := names.get(service.lower())) is not None:
        return name
    near = difflib.get_close_matches(service.lower(), names, n=1)
    remedy = f"Did you mean {names[near[0]]}?" if near else f"There are: {_few(sorted(names.values()))}."
    raise UsageError(f"No cold profile is called {service!r}.", remedy=remedy)


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (f" and {len(names) - 8} more" if len(names) > 8 else "")


def _target(text: str) -> str:
    """A whole id, or a host."""
    if "://" in text or text.startswith(("unix:", "dns:")):
        return str(Dependency.parse(text))
    return Dependency.parse(f"icmp://{text}").host


class Matcher:
    """Matches ids to services, each id once.

    Args:
        services: the names; no two alike but for case.
        said: what a person said; it wins.
    """

    def __init__(self, services: Iterable[str], said: Told) -> None:
        self._names = {name.lower(): name for name in services}
        self._said = said.provides
        self._unused = set(said.provides)
        self._hosts: dict[str, set[str]] = {}
        self._known: dict[str, Match | None] = {}

    def match(self, identity: str) -> Match | None:
        """The service behind a dependency; None when there is none."""
        if identity not in self._known:
            self._known[identity] = self._found(identity, Dependency.parse(identity))
        return self._known[identity]

    @property
    def matches(self) -> tuple[Match, ...]:
        """All that were found so far, by id."""
        return tuple(match for _, match in sorted(self._known.items()) if match is not None)

    def warnings(self) -> Iterator[str]:
        """Matches that may be wrong, and words of a person that came to nothing."""
        for service, hosts in sorted(self._hosts.items()):
            if len(hosts) > 1:
                yield (
                    f"{_few(sorted(hosts))} are all taken for {service}, by their first label. "
                    "If one is another: --provides SERVICE=HOST, or --root HOST."
                )
        for target in sorted(self._unused):
            yield f"No service needs {target}, which --provides or --root names."

    def _found(self, identity: str, dependency: Dependency) -> Match | None:
        for target in (identity, dependency.host):
            if target in self._said:
                self._unused.discard(target)
                service = self._said[target]
                return None if service is None else Match(identity, service, How.TOLD)
        host = dependency.host
        if dependency.protocol in (Protocol.UNIX, Protocol.DNS) or not _is_name(host):
            return None
        if (whole := self._names.get(host)) is not None:
            return Match(identity, whole, How.HOST)
        if (first := self._names.get(host.partition(".")[0])) is not None:
            self._hosts.setdefault(first, set()).add(host)
            return Match(identity, first, How.LABEL)
        return None


def _is_name(host: str) -> bool:
    """Whether a host says who it is. localhost is whoever stands there."""
    if host == "localhost" or host.endswith(".localhost"):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return True
    return False
