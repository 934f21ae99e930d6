"""`mermaid`: a flowchart of what the service needs, for Markdown that renders Mermaid.

Members have thick edges, the rest dotted ones with what is known about them; a single point of failure says so and
has a thick border; fallbacks of which one is enough share a box. A picture seals nothing: it cannot be enforced.
"""

from __future__ import annotations

from collections.abc import Iterator

from belljar_tui.export.comment import heading
from belljar_tui.export.contract import Contract, Exported
from belljar_tui.export.diagram import Diagram, Node, diagram_of, shown

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 .,:/_-()")
PURPOSE = (
    "A picture of the working set, which seals nothing. Thick edges lead to members, dotted ones to what is sealed and "
    "the service does without."
)


def export(contract: Contract) -> Exported:
    lines = heading(contract, PURPOSE, (), mark="%%")
    # `%%{` begins a directive wherever it stands, and a lone `%%` is no comment to every version.
    comments = [f"{line.replace('{', '(').replace('}', ')')}" if line != "%%" else "%% -" for line in lines]
    return Exported("\n".join([*comments, "flowchart LR", *(f"  {x}" for x in _body(diagram_of(contract)))]) + "\n")


def _body(diagram: Diagram) -> Iterator[str]:
    yield f'service(["{label(diagram.service)}"])'
    for group in diagram.groups:
        yield f'subgraph {group.key}["{label(group.title)}"]'
        yield from (f"  {_node(node)}" for node in group.nodes)
        yield "end"
    yield from (_node(node) for node in diagram.loose)
    yield from (f"service {'==>' if node.is_member else '-.->'} {node.key}" for node in diagram.nodes)
    if single := [node.key for node in diagram.nodes if node.is_single]:
        yield "classDef single stroke-width:4px"
        yield f"class {','.join(single)} single"


def _node(node: Node) -> str:
    return f'{node.key}["{label(shown(node.identity))}<br/>{label(node.mark)}"]'


def label(text: str) -> str:
    """Text for a quoted label: what could mean something to Mermaid or HTML is written as its number."""
    return "".join(c if c in _SAFE else f"#{ord(c)};" if c.isprintable() else "?" for c in text)
