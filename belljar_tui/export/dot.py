"""`dot`: what the service needs as a Graphviz digraph: `dot -Tsvg FILE`.

As in the format `mermaid`: bold edges to members, dotted ones to the rest, a double border around a single point of
failure, a box around fallbacks of which one is enough. A picture seals nothing: it cannot be enforced.
"""

from __future__ import annotations

from collections.abc import Iterator

from belljar_tui.export.comment import heading, one_line
from belljar_tui.export.contract import Contract, Exported
from belljar_tui.export.diagram import Diagram, Node, diagram_of, shown
from belljar_tui.export.mermaid import PURPOSE


def export(contract: Contract) -> Exported:
    diagram = diagram_of(contract)
    lines = [*heading(contract, PURPOSE, (), mark="//"), "digraph belljar {", *(f"  {x}" for x in _body(diagram)), "}"]
    return Exported("\n".join(lines) + "\n")


def _body(diagram: Diagram) -> Iterator[str]:
    yield "rankdir=LR"
    yield 'node [shape=box, fontname="sans-serif", style=rounded]'
    yield f"service [label={_quoted(diagram.service)}, shape=oval]"
    for group in diagram.groups:
        yield f"subgraph cluster_{group.key} {{"
        yield f'  label={_quoted(group.title)}; fontname="sans-serif"; style="rounded,dashed"'
        yield from (f"  {_node(node)}" for node in group.nodes)
        yield "}"
    yield from (_node(node) for node in diagram.loose)
    yield from (f"service -> {node.key} [style={'bold' if node.is_member else 'dotted'}]" for node in diagram.nodes)


def _node(node: Node) -> str:
    border = ", peripheries=2, style=solid" if node.is_single else ""
    return f"{node.key} [label={_quoted(shown(node.identity), node.mark)}{border}]"


def _quoted(*lines: str) -> str:
    r"""A string of dot, one line of the label each. A lone backslash would begin an escape like \N."""
    escaped = (one_line(line).replace("\\", "\\\\").replace('"', '\\"') for line in lines)
    return '"' + "\\n".join(escaped) + '"'
