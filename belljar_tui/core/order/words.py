"""A plan in words: the same on every screen and in every file."""

from __future__ import annotations

from collections.abc import Sequence

from belljar_tui.core.order.cycles import Cycle
from belljar_tui.core.order.plan import Order, Service

_LISTED = 6
_LONGEST = 8
"""Services of a cycle that are told one by one."""


def listed(names: Sequence[str], most: int = _LISTED) -> str:
    """`a, b and c`, or `a, b, c and 4 more`."""
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    *some, last = names
    return f"{', '.join(some)} and {last}" if some else last


def many(count: int, noun: str) -> str:
    """`1 cycle`, `2 cycles`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def cycle_words(order: Order, cycle: Cycle) -> str:
    """`auth waits for config (tcp://config.lab:8500), and config waits for auth (tcp://auth.lab:9000)`"""
    if len(cycle) == 1:
        return f"{cycle[0]} waits for itself ({_calls(order, cycle[0], cycle[0])})"
    if len(cycle) > _LONGEST:
        return f"{' → '.join(cycle[:_LONGEST])} → … → {cycle[0]} ({len(cycle)} services, each waits for the next)"
    waits = [
        f"{one} waits for {need} ({_calls(order, one, need)})"
        for one, need in zip(cycle, (*cycle[1:], cycle[0]), strict=True)
    ]
    return f"{', '.join(waits[:-1])}, and {waits[-1]}"


def _calls(order: Order, service: str, need: str) -> str:
    return ", ".join(order.dependencies_between(service, need))


def cycles_count(order: Order) -> str:
    """`2 cycles`, or `more than 20 cycles` where they were not all listed."""
    if order.are_all_cycles:
        return many(len(order.cycles), "cycle")
    return f"more than {many(len(order.cycles), 'cycle')}"


def breaks_count(order: Order) -> str:
    """How good the breaks are: `1 dependency, and no fewer` …"""
    count = "1 dependency" if len(order.breaks) == 1 else f"{len(order.breaks):,} dependencies"
    if order.is_exact:
        return f"{count}; fewer cannot do" if len(order.breaks) > 1 else count
    return f"{count}; approximate, at least {order.breaks_at_least:,} must go"


def choice_words(service: Service) -> str:
    """Why a service does not use the profile's own working set; empty where it does."""
    if service.instead_of is None:
        return ""
    uses = set(service.uses)
    out = [identity for identity in service.instead_of if identity not in uses]
    into = [identity for identity in service.uses if identity not in service.instead_of]
    instead = f" instead of {listed(out)}" if out else ""
    return f"{service.name} starts with {listed(into) if into else 'less'}{instead}"


def why(order: Order, name: str) -> str:
    """Why a service starts when it does, or cannot."""
    service = order.services[name]
    if service.wave == 1:
        return "It needs no other service: it can start at once."
    if service.wave is not None:
        last = [n.service for n in service.needs if order.services[n.service].wave == service.wave - 1]
        return f"It can start when {listed(last)} {'is' if len(last) == 1 else 'are'} up."
    sets = f"None of its {service.sets} working sets can be up. " if service.sets > 1 else ""
    in_cycle = {one for pair in order.tangled for one in pair}
    if name in in_cycle:
        shown = next((cycle for cycle in order.cycles if name in cycle), None)
        return sets + (f"In a cycle: {cycle_words(order, shown)}." if shown else "It is in a cycle.")
    way = _way_to_a_cycle(order, name, in_cycle)
    return f"{sets}It waits for {', which waits for '.join(way[1:])}, which is in a cycle."


def _way_to_a_cycle(order: Order, name: str, in_cycle: set[str]) -> list[str]:
    """From a blocked service along its needs to the nearest service in a cycle."""
    ways = [[name]]
    seen = {name}
    for way in ways:  # grows on the way
        for need in order.services[way[-1]].needs:
            if need.service in in_cycle:
                return [*way, need.service]
            if need.service not in seen and order.services[need.service].wave is None:
                seen.add(need.service)
                ways.append([*way, need.service])
    return [name]
