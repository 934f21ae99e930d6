"""Strong components. By hand, where networkx has them too: building its graph of 100,000 needs takes several times as
long as the walk itself, and a plan needs several of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set
from typing import TypeVar

Node = TypeVar("Node", int, str)


def components(needs: Mapping[Node, Set[Node]]) -> Iterator[list[Node]]:
    """The strong components of `needs`, those without needs in others first; needs that are no key are left out.

    Tarjan's algorithm (SIAM Journal on Computing 1, 1972), with a stack of its own in place of recursion.
    """
    index: dict[Node, int] = {}
    low: dict[Node, int] = {}
    stack: list[Node] = []
    done: set[Node] = set()
    for root in needs:
        if root in index:
            continue
        walks = [(root, iter(needs[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        while walks:
            node, walk = walks[-1]
            for need in walk:
                if need not in index:
                    if need not in needs:
                        continue
                    index[need] = low[need] = len(index)
                    stack.append(need)
                    walks.append((need, iter(needs[need])))
                    break
                if need not in done and index[need] < low[node]:
                    low[node] = index[need]
            else:
                walks.pop()
                if walks and low[node] < low[walks[-1][0]]:
                    low[walks[-1][0]] = low[node]
                if low[node] == index[node]:
                    found = _cut(stack, node)
                    done.update(found)
                    yield found


def _cut(stack: list[Node], node: Node) -> list[Node]:
    """Everything from `node` on, taken off the stack."""
    found = []
    while True:
        found.append(stack.pop())
        if found[-1] == node:
            return found
