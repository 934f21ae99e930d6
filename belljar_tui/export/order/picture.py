"""What both pictures of a plan show: waves as boxes, and an arrow from each service to what it waits for. Pure."""

from __future__ import annotations

import msgspec

from belljar_tui.core.order.plan import Order
from belljar_tui.core.order.words import breaks_count, cycles_count, many
from belljar_tui.export.names import slugs


class Box(msgspec.Struct, frozen=True):
    key: str
    title: str
    nodes: tuple[tuple[str, str], ...]
    """(key, what it shows)"""


class Arrow(msgspec.Struct, frozen=True):
    start: str
    end: str
    is_in_cycle: bool
    is_break: bool
    """Whether it is one of those to break."""


class Picture(msgspec.Struct, frozen=True):
    boxes: tuple[Box, ...]
    arrows: tuple[Arrow, ...]
    tangled: tuple[str, ...]
    """Keys of the services in a cycle."""
    blocked: tuple[str, ...]
    """Keys of those that wait for one."""


def picture_of(order: Order) -> Picture:
    keys = {name: f"s_{slug.replace('-', '_')}" for name, slug in slugs(order.services, otherwise="service").items()}
    roots = {root: f"r_{slug.replace('-', '_')}" for root, slug in slugs(order.roots).items()}
    tangled = {one for pair in order.tangled for one in pair}
    groups = [(f"wave {number}", wave) for number, wave in enumerate(order.waves, 1)]
    groups.append(("in a cycle", tuple(one for one in order.blocked if one in tangled)))
    groups.append(("waits for a cycle", tuple(one for one in order.blocked if one not in tangled)))
    first = Box("roots", "before wave 1: nobody has a profile for these", tuple((k, r) for r, k in roots.items()))
    boxes = [first, *(_box(index, title, names, keys) for index, (title, names) in enumerate(groups, 1))]
    return Picture(
        tuple(box for box in boxes if box.nodes),
        tuple(_arrows(order, keys, roots)),
        tuple(keys[one] for one in order.blocked if one in tangled),
        tuple(keys[one] for one in order.blocked if one not in tangled),
    )


def headline(order: Order) -> str:
    """The plan in a sentence or two."""
    text = f"{many(len(order.services), 'service')} in {many(len(order.waves), 'wave')}"
    if not order.blocked:
        return f"{text}, no cycle."
    return (
        f"{text}. {len(order.blocked):,} can never start: {cycles_count(order)}. To break: {breaks_count(order)}. "
        "An arrow leads to what a service waits for."
    )


def _box(index: int, title: str, names: tuple[str, ...], keys: dict[str, str]) -> Box:
    return Box(f"box_{index}", title, tuple((keys[name], name) for name in names))


def _arrows(order: Order, keys: dict[str, str], roots: dict[str, str]) -> list[Arrow]:
    tangled, breaks = set(order.tangled), set(order.breaks)
    arrows = []
    for name, service in order.services.items():
        pairs = [(name, need.service) for need in service.needs]
        arrows += [Arrow(keys[one], keys[need], (one, need) in tangled, (one, need) in breaks) for one, need in pairs]
        arrows += [Arrow(keys[name], roots[root], False, False) for root in service.roots]
    return arrows
