"""`runbook`: how to bring everything back, wave by wave, in Markdown for the people who will do it.

Each service with how it is started, how one knows that it is up, and how long that may take. Where there is a cycle the
runbook begins with what to break, and the waves are those after that.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping

from belljar_tui.core.order.plan import Order, Service
from belljar_tui.core.order.words import breaks_count, choice_words, cycle_words, cycles_count, many
from belljar_tui.core.profile import Profile
from belljar_tui.export.comment import one_line
from belljar_tui.export.contract import Exported

_CYCLES_TOLD = 20


def export(order: Order, profiles: Mapping[str, Profile]) -> Exported:
    lines = ["# Bringing everything back", "", *_opening(order, profiles), *_roots(order), *_breaks(order)]
    for number, wave in enumerate(order.waves_after_breaks, 1):
        after = "" if number == 1 else f", when wave {number - 1} is up"
        lines += [f"## Wave {number}{after}", ""]
        for name in wave:
            lines += [*_service(order, order.services[name], profiles[name]), ""]
    return Exported("\n".join(lines).rstrip() + "\n")


def _opening(order: Order, profiles: Mapping[str, Profile]) -> Iterator[str]:
    waves = order.waves_after_breaks
    least = sum(max(profiles[name].recovery.deadline_s for name in wave) for wave in waves)
    yield f"{many(len(order.services), 'service')} in {many(len(waves), 'wave')}; all deadlines together {least:g} s."
    yield "Start all of a wave, then wait until every check of it passes. Past its deadline a service is not up: stop"
    yield "and look before the next wave."
    yield ""


def _roots(order: Order) -> Iterator[str]:
    if not order.roots:
        return
    yield "## First: what nobody has a profile for"
    yield ""
    yield "These must be there before the first wave."
    yield ""
    for root in order.roots:
        users = [name for name, service in order.services.items() if root in service.roots]
        yield f"- [ ] {_code(root)}, for {_names(users)}"
    yield ""


def _breaks(order: Order) -> Iterator[str]:
    if not order.breaks:
        return
    yield "## Before wave 1: break the cycles"
    yield ""
    yield f"Without that, {many(len(order.blocked), 'service')} can never start: {cycles_count(order)}."
    yield f"To break: {breaks_count(order)}."
    yield "Bring each of these up without the other: with a stub, kept data, or a switch that skips it."
    yield ""
    for service, need in order.breaks:
        calls = ", ".join(map(_code, order.dependencies_between(service, need)))
        yield f"- [ ] {_text(service)} without {_text(need)} ({calls})"
    yield ""
    for cycle in order.cycles[:_CYCLES_TOLD]:
        yield f"- {_text(cycle_words(order, cycle))}"
    if len(order.cycles) > _CYCLES_TOLD or not order.are_all_cycles:
        yield "- and more"
    yield ""


def _service(order: Order, service: Service, profile: Profile) -> Iterator[str]:
    yield f"### {_text(service.name)}"
    yield ""
    yield f"- [ ] start: {_start(profile)}"
    if profile.service.environment:
        yield f"  - with {', '.join(map(_code, profile.service.environment))} in its environment"
    yield f"- [ ] up when {' and '.join(map(_code, profile.healthy.checks))}, within {profile.recovery.deadline_s:g} s"
    broken = {need for one, need in order.breaks if one == service.name}
    if needs := [need.service for need in service.needs if need.service not in broken]:
        yield f"- needs {_names(needs)}"
    if broken:
        yield f"- **without {_names(sorted(broken))}** until {'that is' if len(broken) == 1 else 'those are'} up"
    if service.instead_of is not None:
        yield f"- {_text(choice_words(service))}, so that it need not wait in a circle"


def _start(profile: Profile) -> str:
    if profile.lab is not None:
        return f"the lab {_text(profile.lab)} brings it"
    return _code(shlex.join(profile.service.command))


def _names(names: list[str]) -> str:
    *some, last = map(_text, names)
    return f"{', '.join(some)} and {last}" if some else last


def _code(text: str) -> str:
    """Text as code, whatever backticks are in it."""
    text = one_line(text)
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"


def _text(text: str) -> str:
    """Text that means nothing to Markdown or HTML."""
    return re.sub(r"([\\`*_\[\]<>#|~&!])", r"\\\1", one_line(text))
