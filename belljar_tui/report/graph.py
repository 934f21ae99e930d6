"""The graph as a drawing: the service, its processes, its dependencies, three columns. Pure."""

from __future__ import annotations

import msgspec

from belljar_tui.core.layout import order, visible_processes
from belljar_tui.core.moments import shown
from belljar_tui.core.report import Report
from belljar_tui.core.state import State
from belljar_tui.report.words import counted, known_in, marks_of, printable, title_of

ROW, TOP, BOX = 30, 12, 22
SERVICE_X, PROCESS_X, DEPENDENCY_X = 8, 210, 420
COLUMN = 170
"""How wide a box of the service or a process is."""
WIDTH, BOX_WIDTH = 1000, 300
ROWS_AT_MOST = 80


class Box(msgspec.Struct, frozen=True):
    x: float
    y: float
    width: float
    label: str
    told: str
    """The whole of it, for whoever points at it."""
    look: str
    """A class of the style sheet."""
    aside: str = ""
    """What stands to its right."""


class Edge(msgspec.Struct, frozen=True):
    path: str
    """SVG path data."""
    look: str


class Graph(msgspec.Struct, frozen=True):
    width: float
    height: float
    boxes: tuple[Box, ...]
    edges: tuple[Edge, ...]
    left_out: int
    """Dependencies that are not drawn."""
    box_height: float = BOX


_LOOKS = (
    ("single point of failure", "needed single"),
    ("needed (if", "fallback"),
    ("needed", "needed"),
    ("fallback", "fallback"),
    ("tolerated", "tolerated"),
    ("cut", "is-cut"),
)


def graph_of(report: Report) -> Graph | None:
    """The drawing; None where nothing was seen."""
    state, marks = report.state, marks_of(report)
    rank = {identity: place for place, identity in enumerate(order(state))}
    known = sorted(known_in(report), key=lambda identity: rank.get(identity, len(rank)))
    if not known:
        return None
    drawn = known[:ROWS_AT_MOST]
    processes = visible_processes(state, tuple(one for one in drawn if one in state.dependencies))
    places = {one: TOP + ROW * index for index, one in enumerate(drawn)}
    bottom = float(TOP + ROW * len(drawn))
    middle = _middles(state, [process.pid for process in processes], places)
    centre = TOP + (bottom - TOP) / 2
    boxes = [_box(SERVICE_X, centre - BOX / 2, COLUMN, title_of(report), "service")]
    edges = []
    for process in processes:
        boxes.append(
            _box(PROCESS_X, middle[process.pid] - BOX / 2, COLUMN - 20, f"{process.name} ({process.pid})", "process")
        )
        edges.append(_edge(SERVICE_X + COLUMN, centre, PROCESS_X, middle[process.pid], "plain"))
    for identity in drawn:
        look = next((look for word, look in _LOOKS if marks[identity].startswith(word)), "untried")
        boxes.append(_dependency(report, identity, places[identity], look, marks[identity]))
        y = places[identity] + BOX / 2
        view = state.dependencies.get(identity)
        callers = [pid for pid in view.callers if pid in middle] if view is not None else []
        edges += [_edge(PROCESS_X + COLUMN - 20, middle[pid], DEPENDENCY_X, y, look) for pid in callers]
        if not callers:
            edges.append(_edge(SERVICE_X + COLUMN, centre, DEPENDENCY_X, y, look))
    bottom = max([bottom, *(y + ROW for y in middle.values())])
    return Graph(WIDTH, bottom + 6, tuple(boxes), tuple(edges), len(known) - len(drawn))


def _middles(state: State, pids: list[int], places: dict[str, int]) -> dict[int, float]:
    """The height of each process: amid what it calls, and clear of the one above."""
    called = {pid: [y for one, y in places.items() if _calls(state, pid, one)] for pid in pids}
    wanted = {pid: sum(ys) / len(ys) + BOX / 2 if ys else 0.0 for pid, ys in called.items()}
    middles: dict[int, float] = {}
    free = TOP + BOX / 2
    for pid in sorted(pids, key=lambda pid: wanted[pid]):
        middles[pid] = max(wanted[pid], free)
        free = middles[pid] + ROW
    return middles


def _calls(state: State, pid: int, identity: str) -> bool:
    view = state.dependencies.get(identity)
    return view is not None and pid in view.callers


def _box(x: float, y: float, width: float, label: str, look: str, told: str = "", aside: str = "") -> Box:
    label = printable(label)
    letters = int((width - 16) / 7)
    short = label if len(label) <= letters else f"{label[: letters - 1]}…"
    return Box(x, round(y, 1), width, short, printable(told) or label, look, aside)


def _dependency(report: Report, identity: str, y: float, look: str, mark: str) -> Box:
    view = report.state.dependencies.get(identity)
    asides = [mark]
    if view is not None and view.calls:
        asides.append(counted(view.calls, "call"))
    if view is not None and view.blocked:
        asides.append(f"{view.blocked:,} blocked")
    return _box(DEPENDENCY_X, y, BOX_WIDTH, shown(identity), look, identity, " · ".join(asides))


def _edge(x: float, y: float, to_x: float, to_y: float, look: str) -> Edge:
    middle = (x + to_x) / 2
    return Edge(f"M{x:g} {y:.1f}C{middle:g} {y:.1f} {middle:g} {to_y:.1f} {to_x:g} {to_y:.1f}", look)
