"""What stands beside the plan: the whole in a line, and the selected service in full."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping

from rich.table import Table
from rich.text import Text
from textual.widgets import Static

from belljar_tui.core.order.plan import Order
from belljar_tui.core.order.words import breaks_count, choice_words, cycles_count, many, why
from belljar_tui.core.profile import Profile

_MOST = 12


class OrderStatus(Static):
    """One line about the whole plan."""

    def show(self, order: Order) -> None:
        text = Text(" BellJar  ", style="bold")
        text.append(f"{many(len(order.services), 'service')} · {many(len(order.waves), 'wave')}")
        if not order.blocked:
            text.append("   ✓ everything can start", style="bold green")
        else:
            text.append(f"   ✗ {len(order.blocked):,} can never start", style="bold red")
            text.append(f" · {cycles_count(order)}")
            text.append(f"\n ✂ to break: {breaks_count(order)}", style="yellow")
        self.update(text)


class ServicePanel(Static):
    """One service: when and why, what it needs, who needs it, and how one knows that it is up."""

    def show(self, order: Order, profiles: Mapping[str, Profile], name: str) -> None:
        table = Table(box=None, show_header=False, padding=(0, 1, 0, 0), expand=True)
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for label, text in _facts(order, profiles, name):
            table.add_row(label, text)
        self.update(table)


def _facts(order: Order, profiles: Mapping[str, Profile], name: str) -> Iterator[tuple[str, Text]]:
    service = order.services[name]
    yield "start", Text(f"wave {service.wave}" if service.wave is not None else "never", "bold")
    yield "why", Text(why(order, name), "" if service.wave is not None else "red")
    if service.wave is None:
        yield "after ✂", Text(f"wave {service.wave_after_breaks}")
    broken = [need for one, need in order.breaks if one == name]
    if broken:
        yield "✂ break", Text(f"start it without {', '.join(broken)}", "yellow")
    if words := choice_words(service):
        yield "choice", Text(words)
    yield from _listed("needs", [f"{need.service}  {', '.join(need.dependencies)}" for need in service.needs])
    yield from _listed("roots", service.roots)
    yield from _listed("needed by", service.needed_by)
    profile = profiles.get(name)
    if profile is not None:
        yield "up when", Text("\n".join(profile.healthy.checks))
        yield "within", Text(f"{profile.recovery.deadline_s:g} s")
        command = f"belljar demo {profile.lab}" if profile.lab is not None else shlex.join(profile.service.command)
        yield "command", Text(command)


def _listed(label: str, lines: list[str] | tuple[str, ...]) -> Iterator[tuple[str, Text]]:
    if lines:
        more = [f"… {len(lines) - _MOST} more"] if len(lines) > _MOST else []
        yield label, Text("\n".join([*lines[:_MOST], *more]))
