"""The two pictures, each read by a parser: dot by pydot, Mermaid by the grammar of the flowcharts we write (Mermaid's
own parser is a browser's; it was run by hand on these)."""

from __future__ import annotations

import html
import re

import pydot
import pytest
from hypothesis import given, settings
from lark import Lark, Token, Tree

from belljar_tui.core.profile import Evidence, Profile
from belljar_tui.export import dot, mermaid
from belljar_tui.export.contract import Contract
from belljar_tui.export.diagram import SINGLE, Diagram, diagram_of, shown
from tests.unit.export.profiles import AUTH, CACHE, CHECKOUT, PAY_A, PAY_B, SOCKET, profile_with, profiles

FLOWCHART = Lark(
    r"""
    start: "flowchart LR" _NL (statement _NL)+
    ?statement: node | subgraph | edge | classdef | class
    node: ID ("[" LABEL "]" | "([" LABEL "])")
    subgraph: "subgraph" " " ID "[" LABEL "]" _NL (node _NL)+ "end"
    edge: ID " " ARROW " " ID
    classdef: "classDef " ID " " STYLE
    class: "class " ID ("," ID)* " " ID
    ARROW: "==>" | "-.->"
    STYLE: /[a-z-]+:[a-z0-9]+/
    ID: /(?!end\b)[a-z][a-z0-9_]*/
    LABEL: /"(?:[a-zA-Z0-9 .,:\/_()?-]|#[0-9]+;|<br\/>)*"/
    _NL: /\n */
    COMMENT: /%%(?!\{)[^{}\n]*\n/
    %ignore COMMENT
    """
)


def read_mermaid(profile: Profile) -> Tree[Token]:
    text = mermaid.export(Contract.of(profile)).text
    assert not re.search(r"%%\s*\{", text)
    return FLOWCHART.parse(text)


def labels(tree: Tree[Token]) -> dict[str, str]:
    """Node -> its label as a reader sees it."""
    found = {str(node.children[0]): str(node.children[1])[1:-1] for node in tree.find_data("node")}
    return {
        key: html.unescape(re.sub(r"#(\d+);", r"&#\1;", label.replace("<br/>", "\n"))) for key, label in found.items()
    }


def test_single_points_of_failure_fallbacks_and_the_rest_are_told_apart() -> None:
    marks = {node.identity: node.mark for node in diagram_of(Contract.of(CHECKOUT)).nodes}
    assert marks[AUTH] == SINGLE
    assert (marks[PAY_A], marks[PAY_B]) == ("member", "fallback")
    assert marks[CACHE] == "tolerated"
    assert marks[SOCKET] == "never called"


def test_fallbacks_share_a_box() -> None:
    (group,) = diagram_of(Contract.of(CHECKOUT)).groups
    assert [node.identity for node in group.nodes] == [PAY_A, PAY_B]
    assert group.title == "one of these is enough"


def test_overlapping_cut_sets_share_one_box_that_names_them() -> None:
    evidence = Evidence(cut_sets=(("tcp://b:1", "tcp://a:1"), ("tcp://b:1", "tcp://c:1")))
    (group,) = diagram_of(Contract.of(profile_with("tcp://b:1", evidence=evidence))).groups
    assert len(group.nodes) == 3
    assert group.title == "breaks without: tcp://a:1 and tcp://b:1; or tcp://b:1 and tcp://c:1"


def words(diagram: Diagram) -> dict[str, str]:
    return {n.key: f"{_seen(shown(n.identity))}\n{n.mark}" for n in diagram.nodes}


def _seen(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text)


@settings(max_examples=60)
@given(profile=profiles)
def test_a_mermaid_flowchart_shows_every_dependency_once_and_nothing_else(profile: Profile) -> None:
    diagram = diagram_of(Contract.of(profile))
    tree = read_mermaid(profile)
    assert labels(tree) == {"service": _seen(diagram.service), **words(diagram)}
    assert len(list(tree.find_data("node"))) == len(diagram.nodes) + 1
    arrows = {str(e.children[2]): str(e.children[1]) for e in tree.find_data("edge")}
    assert arrows == {node.key: "==>" if node.is_member else "-.->" for node in diagram.nodes}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydot's use of its own parser
@settings(max_examples=60)
@given(profile=profiles)
def test_a_digraph_shows_every_dependency_once_and_nothing_else(profile: Profile) -> None:
    diagram = diagram_of(Contract.of(profile))
    graphs = pydot.graph_from_dot_data(dot.export(Contract.of(profile)).text)
    assert graphs is not None
    (graph,) = graphs
    nodes = [*graph.get_nodes(), *(node for box in graph.get_subgraphs() for node in box.get_nodes())]
    shown_nodes = {node.get_name(): _unquoted(node.get("label")) for node in nodes if node.get("label")}
    assert shown_nodes == {"service": _seen(diagram.service), **words(diagram)}
    edges = {edge.get_destination(): edge.get("style") for edge in graph.get_edges()}
    assert edges == {node.key: "bold" if node.is_member else "dotted" for node in diagram.nodes}
    assert len(graph.get_subgraphs()) == len(diagram.groups)


def _unquoted(label: str) -> str:
    assert label[0] == label[-1] == '"'
    return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], label[1:-1])
