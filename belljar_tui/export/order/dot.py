"""`dot`: the plan as a Graphviz digraph: `dot -Tsvg FILE`.

As in the format `mermaid`: waves are boxes, an arrow leads to what a service waits for; bold arrows are on a cycle,
dashed ones are those to break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from belljar_tui.core.order.plan import Order
from belljar_tui.core.profile import Profile
from belljar_tui.export.comment import commented
from belljar_tui.export.contract import Exported
from belljar_tui.export.dot import quoted
from belljar_tui.export.order.picture import Arrow, Picture, headline, picture_of


def export(order: Order, _: Mapping[str, Profile]) -> Exported:
    body = (f"  {line}" for line in _body(picture_of(order)))
    return Exported("\n".join([*commented(headline(order), "//"), "digraph belljar {", *body, "}"]) + "\n")


def _body(picture: Picture) -> Iterator[str]:
    yield "rankdir=BT"
    yield 'node [shape=box, fontname="sans-serif", style=rounded]'
    marks = dict.fromkeys(picture.tangled, ", peripheries=2, style=solid")
    marks |= dict.fromkeys(picture.blocked, ", style=dashed")
    for box in picture.boxes:
        yield f"subgraph cluster_{box.key} {{"
        yield f'  label={quoted(box.title)}; fontname="sans-serif"; style="rounded,dotted"'
        shape = ", shape=oval" if box.key == "roots" else ""
        yield from (f"  {key} [label={quoted(shown)}{shape}{marks.get(key, '')}]" for key, shown in box.nodes)
        yield "}"
    yield from (f"{arrow.start} -> {arrow.end}{_style(arrow)}" for arrow in picture.arrows)


def _style(arrow: Arrow) -> str:
    if arrow.is_break:
        return ' [style=dashed, label="break"]'
    return " [style=bold]" if arrow.is_in_cycle else ""
