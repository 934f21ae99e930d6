"""A plan as text for people: what starts when, what cannot, why, and what to do about it. Long lists are cut short and
say so; `--json` has everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.markup import escape

from belljar_tui.core.order.cycles import Cycle
from belljar_tui.core.order.matching import How
from belljar_tui.core.order.plan import Order
from belljar_tui.core.order.words import breaks_count, choice_words, cycle_words, cycles_count, listed, many
from belljar_tui.headless.ordering.reading import Reading

_MOST_LINES, _MOST_NAMES = 20, 40
_HOW = {How.TOLD: "as told", How.HOST: "the host's name", How.LABEL: "the host's first label"}


def lines_of(order: Order, reading: Reading, fresh: Sequence[Cycle] | None) -> list[str]:
    """Rich markup. `fresh`: the cycles a baseline does not know; None: there is no baseline."""
    return [
        _headline(order, fresh),
        *_waves(order),
        *_cycles(order, fresh),
        *_breaks(order),
        *_choices(order),
        *_section("roots, which nobody has a profile for", _roots(order)),
        *_section("who is who, by", _matches(order)),
        *_section(
            "not counted: steady profiles say nothing of a start",
            [f"  {escape(e.profile.name)}  {escape(e.path)}" for e in reading.steady],
        ),
    ]


def _headline(order: Order, fresh: Sequence[Cycle] | None) -> str:
    services = many(len(order.services), "service")
    if not order.blocked:
        return f"[bold green]✓[/] [bold]Everything can start:[/] {services} in {many(len(order.waves), 'wave')}"
    is_known = fresh is not None and not fresh
    mark = "[bold yellow]![/]" if is_known else "[bold red]✗[/]"
    known = "" if fresh is None else "; all were known before" if is_known else f"; {len(fresh)} or more are new"
    count = f"{len(order.blocked):,} of {services}"
    return f"{mark} [bold]{count} can never start:[/] {cycles_count(order)}{known}"


def _waves(order: Order) -> Iterator[str]:
    tangled = {one for pair in order.tangled for one in pair}
    rows = [(f"wave {number}", "", wave) for number, wave in enumerate(order.waves[:_MOST_LINES], 1)]
    stuck = [
        ("in a cycle", "red", [one for one in order.blocked if one in tangled]),
        ("waits for a cycle", "yellow", [one for one in order.blocked if one not in tangled]),
    ]
    told = [row for row in stuck if row[2]]
    width = max((len(label) for label, _, _ in [*rows, *told]), default=0)
    yield from (_wave(label.ljust(width), style, names) for label, style, names in rows)
    if len(order.waves) > _MOST_LINES:
        yield f"  … {len(order.waves) - _MOST_LINES} more waves"
    yield from (_wave(label.ljust(width), style, names) for label, style, names in told)


def _wave(label: str, style: str, names: Sequence[str]) -> str:
    shown = f"[{style}]{label}[/]" if style else label
    return f"  {shown}   {escape(listed(names, _MOST_NAMES))}"


def _cycles(order: Order, fresh: Sequence[Cycle] | None) -> Iterator[str]:
    new = set(fresh or ())
    shown = sorted(new) + [cycle for cycle in order.cycles if cycle not in new]
    lines = [
        f"  [red]↻[/] {'[bold]new:[/] ' if cycle in new else ''}{escape(cycle_words(order, cycle))}"
        for cycle in shown[:_MOST_LINES]
    ]
    if len(shown) > _MOST_LINES:
        lines.append(f"  … {len(shown) - _MOST_LINES} more that are in --json")
    if not order.are_all_cycles:
        lines.append("  … and more: not all were counted (--cycles N lists more of each knot)")
    return _section("cycles", lines)


def _breaks(order: Order) -> Iterator[str]:
    lines = [
        f"  [yellow]✂[/] {escape(one)} without {escape(need)}  "
        f"[dim]{escape(', '.join(order.dependencies_between(one, need)))}[/]"
        for one, need in order.breaks
    ]
    yield from _section(f"to break, so that everything can start: {breaks_count(order)}", lines)
    if lines:
        first = sorted(order.blocked, key=lambda name: order.services[name].wave_after_breaks)[0]
        wave = order.services[first].wave_after_breaks
        yield f"  then {escape(first)} can start in wave {wave}, and all is up after {len(order.waves_after_breaks)}"


def _choices(order: Order) -> Iterator[str]:
    lines = [
        f"  {escape(choice_words(service))}"
        for service in order.services.values()
        if service.instead_of is not None and service.wave is not None
    ]
    return _section("another working set than the profile's own, because that waits in a circle", lines)


def _roots(order: Order) -> list[str]:
    users: dict[str, list[str]] = {}
    for name, service in order.services.items():
        for root in service.roots:
            users.setdefault(root, []).append(name)
    return [f"  {escape(root)}  [dim]for {escape(listed(users[root]))}[/]" for root in order.roots]


def _matches(order: Order) -> list[str]:
    doubtful_first = sorted(order.matches, key=lambda match: (match.how is How.HOST, match.service, match.dependency))
    return [
        f"  {escape(match.dependency)} is [bold]{escape(match.service)}[/]  [dim]{_HOW[match.how]}[/]"
        for match in doubtful_first
    ]


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if not lines:
        return
    yield f"[bold]{title}[/]"
    yield from lines[:_MOST_LINES]
    if len(lines) > _MOST_LINES + 2:
        yield f"  … {len(lines) - _MOST_LINES:,} more (--json has all)"
    else:
        yield from lines[_MOST_LINES:]
