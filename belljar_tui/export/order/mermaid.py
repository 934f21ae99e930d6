"""`mermaid`: the plan as a flowchart, for Markdown that renders Mermaid.

Waves are boxes, an arrow leads to what a service waits for; thick arrows are on a cycle, dotted ones are those to
break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from belljar_tui.core.order.plan import Order
from belljar_tui.core.profile import Profile
from belljar_tui.export.comment import commented
from belljar_tui.export.contract import Exported
from belljar_tui.export.mermaid import label
from belljar_tui.export.order.picture import Arrow, Picture, headline, picture_of

_MOST_EDGES = 500
"""Mermaid's maxEdges, where its configuration says nothing else."""


def export(order: Order, _: Mapping[str, Profile]) -> Exported:
    picture = picture_of(order)
    lines = [*commented(headline(order), "%%"), "flowchart TB", *(f"  {line}" for line in _body(picture))]
    notes = []
    if len(picture.arrows) > _MOST_EDGES:
        notes.append(f"Mermaid draws up to {_MOST_EDGES} arrows unless maxEdges says more; these are {len(lines):,}.")
    return Exported("\n".join(lines) + "\n", tuple(notes))


def _body(picture: Picture) -> Iterator[str]:
    for box in picture.boxes:
        yield f'subgraph {box.key}["{label(box.title)}"]'
        left, right = ('(["', '"])') if box.key == "roots" else ('["', '"]')
        yield from (f"  {key}{left}{label(shown)}{right}" for key, shown in box.nodes)
        yield "end"
    yield from (f"{arrow.start} {_arrow(arrow)} {arrow.end}" for arrow in picture.arrows)
    if picture.tangled:
        yield "classDef cycle stroke-width:4px"
        yield f"class {','.join(picture.tangled)} cycle"
    if picture.blocked:
        yield "classDef waits stroke-dasharray:4"
        yield f"class {','.join(picture.blocked)} waits"


def _arrow(arrow: Arrow) -> str:
    if arrow.is_break:
        return "-. break .->"
    return "==>" if arrow.is_in_cycle else "-->"
