"""The order in which everything can start: waves, what is blocked, its cycles, and the fewest breaks.

Edges come from cold profiles: a working set says what a service needs to *start*. Dependencies that are no service of
the plan are roots: they must be there before the first wave.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

import msgspec

from belljar_tui.core.model import Dependency
from belljar_tui.core.order.choice import Closure, Sets, waves_of
from belljar_tui.core.order.cycles import LIMIT, Cycle, Tangle, tangles
from belljar_tui.core.order.feedback import feedback_of
from belljar_tui.core.order.matching import Match, Matcher, Told
from belljar_tui.core.profile import Profile

Pair = tuple[str, str]
"""(service, what it needs)"""
Waves = tuple[tuple[str, ...], ...]


class Source(msgspec.Struct, frozen=True):
    """What a cold profile says."""

    name: str
    sets: tuple[tuple[str, ...], ...]
    """Its working sets as ids, the profile's own first. Any one is enough."""


class Need(msgspec.Struct, frozen=True):
    service: str
    dependencies: tuple[str, ...]
    """The ids by which it is called."""


class Service(msgspec.Struct, frozen=True):
    name: str
    wave: int | None
    """From 1; None: it can never start."""
    wave_after_breaks: int
    needs: tuple[Need, ...]
    """Services in the working set it uses, by name."""
    needed_by: tuple[str, ...]
    """Services that use it, by name."""
    roots: tuple[str, ...]
    """What nobody has a profile for, in the working set it uses."""
    uses: tuple[str, ...]
    """The working set, as ids."""
    instead_of: tuple[str, ...] | None
    """The profile's own set, where another is used so that there is no cycle (or a cheaper one)."""
    sets: int
    """How many working sets there are to choose from."""


class Order(msgspec.Struct, frozen=True):
    services: dict[str, Service]
    waves: Waves
    blocked: tuple[str, ...]
    """What can never start, whatever is chosen: it is in a cycle or waits for one."""
    cycles: tuple[Cycle, ...]
    """Each service waits for the next, the last for the first."""
    are_all_cycles: bool
    """Whether there are no others."""
    tangled: tuple[Pair, ...]
    """Needs that lie on a cycle, listed or not."""
    breaks: tuple[Pair, ...]
    """Without these needs everything can start."""
    breaks_at_least: int
    """Fewer than this cannot do; equal to their number, the answer is exact."""
    waves_after_breaks: Waves
    roots: tuple[str, ...]
    matches: tuple[Match, ...]
    warnings: tuple[str, ...]

    @property
    def is_exact(self) -> bool:
        return len(self.breaks) == self.breaks_at_least

    def dependencies_between(self, service: str, need: str) -> tuple[str, ...]:
        """The ids by which `service` calls `need`."""
        return next((one.dependencies for one in self.services[service].needs if one.service == need), ())


def source_of(profile: Profile) -> Source:
    """A profile's working sets: its own, and the others that were found, each with what was pinned open.

    Raises:
        BadDependencyId: one of them is no id.
    """
    pinned = profile.evidence.pinned
    sets = [profile.allow, *((*other, *pinned) for other in profile.evidence.working_sets)]
    tidy = [tuple(sorted({str(Dependency.parse(identity)) for identity in one})) for one in sets]
    return Source(profile.name, tuple(dict.fromkeys(tidy)))


def order_of(sources: Iterable[Source], said: Told | None = None, limit: int = LIMIT) -> Order:
    """The plan. Deterministic: the order of `sources` does not matter.

    Args:
        sources: no two names alike.
        said: what a person said of who is who.
        limit: cycles to list of each strong component.
    """
    plan = _Plan(sorted(sources, key=lambda source: source.name), said or Told())
    return plan.order(limit)


def new_cycles(order: Order, known: Collection[Pair]) -> Iterator[Cycle]:
    """A shortest cycle through each need on a cycle that is not `known` to be on one. Where there is none, every cycle
    was there before: all of its needs were."""
    fresh = [pair for pair in order.tangled if pair not in known]
    if not fresh:
        return
    of = {service: tangle for tangle in _tangles(order) for service in tangle.services}
    seen: set[Cycle] = set()
    for service, need in fresh:
        cycle = of[service].through(service, need)
        if cycle not in seen:
            seen.add(cycle)
            yield cycle


def _tangles(order: Order) -> list[Tangle]:
    return tangles({one: {need.service for need in order.services[one].needs} for one in order.blocked})


class _Plan:
    """Services as numbers, in the order of their names."""

    def __init__(self, sources: Sequence[Source], said: Told) -> None:
        self._sources = sources
        self._matcher = Matcher((source.name for source in sources), said)
        self._number = {source.name: index for index, source in enumerate(sources)}
        self._sets: Sets = [tuple(map(self._needs, source.sets)) for source in sources]
        closure = Closure(self._sets)
        self._blocked = closure.blocked
        self._feedback = feedback_of({one: self._sets[one] for one in self._blocked})
        self._chosen = closure.chosen | self._feedback.chosen
        self._used = [self._sets[one][self._chosen[one]] for one in range(len(sources))]
        self._waves = waves_of(self._used, closure.chosen)
        self._after = self._waves_after_breaks()

    def _needs(self, ids: Iterable[str]) -> frozenset[int]:
        matches = (self._matcher.match(identity) for identity in ids)
        return frozenset(self._number[match.service] for match in matches if match is not None)

    def _waves_after_breaks(self) -> list[int]:
        if not self._blocked:
            return self._waves
        needs = [set(used) for used in self._used]
        for service, need in self._feedback.breaks:
            needs[service].discard(need)
        without = [frozenset(of) for of in needs]
        return waves_of(without, Closure([(of,) for of in without]).chosen)

    def order(self, limit: int) -> Order:
        services = {service.name: service for service in self._services()}
        blocked = tuple(self._sources[one].name for one in self._blocked)
        found = tangles({one: {need.service for need in services[one].needs} for one in blocked})
        listings = [tangle.listing(limit) for tangle in found]
        return Order(
            services=services,
            waves=self._grouped(self._waves),
            blocked=blocked,
            cycles=tuple(cycle for listing in listings for cycle in listing.cycles),
            are_all_cycles=all(listing.is_complete for listing in listings),
            tangled=tuple(pair for tangle in found for pair in tangle.pairs),
            breaks=tuple((self._sources[one].name, self._sources[need].name) for one, need in self._feedback.breaks),
            breaks_at_least=self._feedback.at_least,
            waves_after_breaks=self._grouped(self._after),
            roots=tuple(sorted({root for service in services.values() for root in service.roots})),
            matches=self._matcher.matches,
            warnings=tuple(self._matcher.warnings()),
        )

    def _grouped(self, waves: Sequence[int]) -> Waves:
        grouped: list[list[str]] = [[] for _ in range(max(waves, default=-1) + 1)]
        for source, wave in zip(self._sources, waves, strict=True):
            if wave >= 0:
                grouped[wave].append(source.name)
        return tuple(map(tuple, grouped))

    def _services(self) -> Iterator[Service]:
        users: list[list[str]] = [[] for _ in self._sources]
        for source, used in zip(self._sources, self._used, strict=True):
            for need in used:
                users[need].append(source.name)
        for number, source in enumerate(self._sources):
            chosen = self._chosen[number]
            needs, roots = self._split(source.sets[chosen])
            yield Service(
                name=source.name,
                wave=self._waves[number] + 1 if self._waves[number] >= 0 else None,
                wave_after_breaks=self._after[number] + 1,
                needs=needs,
                needed_by=tuple(users[number]),
                roots=roots,
                uses=source.sets[chosen],
                instead_of=source.sets[0] if chosen else None,
                sets=len(source.sets),
            )

    def _split(self, ids: Iterable[str]) -> tuple[tuple[Need, ...], tuple[str, ...]]:
        """Services and roots among ids."""
        needs: dict[str, list[str]] = {}
        roots = []
        for identity in ids:
            match = self._matcher.match(identity)
            if match is None:
                roots.append(identity)
            else:
                needs.setdefault(match.service, []).append(identity)
        return tuple(Need(service, tuple(needs[service])) for service in sorted(needs)), tuple(roots)
