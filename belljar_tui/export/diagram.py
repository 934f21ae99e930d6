"""What the pictures show: the service, every dependency that is known, and which of them fall together. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import networkx as nx

from belljar_tui.core.model import NAME_SERVICE
from belljar_tui.core.profile import Verdict
from belljar_tui.export.contract import Contract
from belljar_tui.export.names import slugs

SINGLE = "single point of failure"


class Node(msgspec.Struct, frozen=True):
    key: str
    """Letters, digits and underscores."""
    identity: str
    mark: str
    """What is known about it, in words."""
    is_member: bool
    is_single: bool
    """Whether the service breaks without it alone."""


class Group(msgspec.Struct, frozen=True):
    """Fallbacks: the service breaks when all of a cut set are gone."""

    key: str
    title: str
    nodes: tuple[Node, ...]


class Diagram(msgspec.Struct, frozen=True):
    service: str
    nodes: tuple[Node, ...]
    """All of them, sorted by id."""
    groups: tuple[Group, ...]

    @property
    def loose(self) -> tuple[Node, ...]:
        """Nodes of no group."""
        grouped = {node.key for group in self.groups for node in group.nodes}
        return tuple(node for node in self.nodes if node.key not in grouped)


def diagram_of(contract: Contract) -> Diagram:
    cut_sets = contract.cut_sets
    members = {str(member) for member in contract.members}
    identities = sorted({*members, *contract.sealed, *frozenset[str]().union(*cut_sets)})
    keys = {identity: f"d_{name.replace('-', '_')}" for identity, name in slugs(identities).items()}
    nodes = {identity: _node(contract, identity, keys[identity], members, cut_sets) for identity in identities}
    groups = [
        Group(f"group_{nodes[alike[0]].key}", _title(alike, cut_sets), tuple(nodes[one] for one in alike))
        for alike in _falling_together(cut_sets)
    ]
    return Diagram(contract.profile.name, tuple(nodes.values()), tuple(groups))


def _node(contract: Contract, identity: str, key: str, members: set[str], cut_sets: Sequence[frozenset[str]]) -> Node:
    is_single = frozenset({identity}) in cut_sets
    is_member = identity in members
    if is_single:
        mark = SINGLE
    elif is_member:
        mark = "member"
    elif any(identity in cut for cut in cut_sets):
        mark = "fallback"
    elif identity in contract.never_called:
        mark = "never called"
    elif contract.verdict(identity, contract.profile.sealed) is Verdict.TOLERATED:
        mark = "tolerated"
    else:
        mark = "sealed"
    return Node(key, identity, mark, is_member, is_single)


def _falling_together(cut_sets: Sequence[frozenset[str]]) -> list[list[str]]:
    """Dependencies whose cut sets overlap, each once: a picture cannot show one in two boxes."""
    graph: nx.Graph[str] = nx.Graph()
    for cut in cut_sets:
        if len(cut) > 1:
            nx.add_path(graph, sorted(cut))
    return sorted(sorted(alike) for alike in nx.connected_components(graph))


def _title(alike: Sequence[str], cut_sets: Sequence[frozenset[str]]) -> str:
    within = sorted(sorted(cut) for cut in cut_sets if len(cut) > 1 and cut <= set(alike))
    if within == [list(alike)]:
        return "one of these is enough"
    return "breaks without: " + "; or ".join(" and ".join(cut) for cut in within)


def shown(identity: str) -> str:
    """An id as a picture shows it."""
    return "dns: (name service)" if identity == NAME_SERVICE else identity
