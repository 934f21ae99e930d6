"""The drawing of a session's graph: pure and deterministic, from a state to rows of glyphs.

Three columns: the service, its processes, its dependencies. Between processes and dependencies every process has a lane
(a vertical line) of its own:

    checkout ─┬─ web (7) ─────┬─────●  cache.lab
              │               ├─────●  orders-db.lab
              │               ├─┬───●  auth.lab           called by both
              ╰─ updater (9) ─╫─┤
                              │ ╰───●  10.9.0.44
                              ╰─────●  pay-a.lab

How to follow an edge: from a process go right to its lane, the first line that ends or turns there; along the lane; at
an arm to the right, right; and then straight on. ╫ is a bridge: it joins nothing. A process's own row carries no edge
of another, so no line ever seems to lead where nothing calls.
"""

from __future__ import annotations

import msgspec

from belljar_tui.core.model import NAME_SERVICE
from belljar_tui.core.state import DependencyView, Process, State

UP, DOWN, LEFT, RIGHT, BRIDGE = 1, 2, 4, 8, 16
GLYPHS = {
    0: " ",
    LEFT | RIGHT: "─",
    UP | DOWN: "│",
    DOWN | RIGHT: "╭",
    DOWN | LEFT: "╮",
    UP | RIGHT: "╰",
    UP | LEFT: "╯",
    UP | DOWN | RIGHT: "├",
    UP | DOWN | LEFT: "┤",
    DOWN | LEFT | RIGHT: "┬",
    UP | LEFT | RIGHT: "┴",
    UP | DOWN | LEFT | RIGHT: "┼",
    LEFT: "╴",
    RIGHT: "╶",
    UP: "╵",
    DOWN: "╷",
    UP | DOWN | LEFT | RIGHT | BRIDGE: "╫",
}
"""Which arms each glyph has: a drawing is right when every arm meets one."""


class Row(msgspec.Struct, frozen=True):
    """One line of the drawing. A row carries at most one dependency."""

    service: str
    """Cells of the service column, padded."""
    gutter: str
    """Edges from the service to its processes."""
    process: str
    lanes: tuple[int, ...]
    """The cells between processes and dependencies as arms."""
    dependency: str | None
    """Id of the dependency on this row."""


class Drawing(msgspec.Struct, frozen=True):
    rows: tuple[Row, ...]
    edges: tuple[tuple[int, str], ...]
    """(pid, dependency) of every edge drawn; pid 0 is the service itself."""

    def row_of(self, dependency: str) -> int | None:
        """The index of a dependency's row."""
        return next((i for i, row in enumerate(self.rows) if row.dependency == dependency), None)


Key = tuple[str, tuple[tuple[int, str, int], ...], tuple[tuple[str, tuple[int, ...]], ...]]


def key_of(state: State, shown: tuple[str, ...]) -> Key:
    """What the drawing depends on: while it is the same, so is the drawing. A cut changes nothing here."""
    processes = tuple((p.pid, p.name, p.parent) for p in visible_processes(state, shown))
    return (state.name, processes, tuple((d, _callers(state, state.dependencies[d])) for d in shown))


def visible_processes(state: State, shown: tuple[str, ...]) -> list[Process]:
    """Processes with something to say: those that live, and the dead that called what is shown."""
    calling = {pid for d in shown for pid in state.dependencies[d].callers}
    kept = [p for p in state.processes.values() if p.pid in calling or (not p.is_gone and p.pid == state.service_pid)]
    return sorted(kept, key=lambda p: p.pid)


def _callers(state: State, view: DependencyView) -> tuple[int, ...]:
    """Pids to draw edges from; 0 (the service) where no process is known."""
    known = tuple(sorted(pid for pid in view.callers if pid in state.processes))
    return known or (0,)


def _words(view: DependencyView) -> str:
    return " ".join((view.id, *view.claims, *(["name service"] if view.id == NAME_SERVICE else [])))


def order(state: State, wanted: str = "") -> tuple[str, ...]:
    """The dependencies to show, in drawing order: by their first caller, then by name; multicast and broadcast
    stand apart, below. `wanted` filters on the id, on what its row shows and on what it is said to be."""
    views = [view for view in state.dependencies.values() if wanted.lower() in _words(view).lower()]
    views.sort(
        key=lambda view: (view.is_group, _callers(state, view)[0] or 1 << 30, view.id.partition("://")[2], view.id)
    )
    return tuple(view.id for view in views)


def draw(key: Key, service_width: int = 12, process_width: int = 16) -> Drawing:
    """Lay the graph out. Columns are as wide as their content, at most the given widths."""
    name, processes, dependencies = key
    labels = {pid: f"{process} ({pid})" for pid, process, _ in processes}
    if any(0 in callers for _, callers in dependencies):
        labels = {0: "?", **labels}
    slots = _slots(list(labels), dependencies)
    anchors = {slot.anchor: row for row, slot in enumerate(slots) if slot.anchor is not None}
    lanes = _lanes(anchors, slots)
    spine = sorted(anchors.values())
    top = spine[0] if spine else 0
    service_width = min(service_width, len(name) + 1)
    process_width = min(process_width, max(map(len, labels.values()), default=0) + 1)
    rows = tuple(
        Row(
            service=_fit(name if row == top else "", service_width),
            gutter=_spine(row, spine),
            process=_process_label(labels.get(slot.anchor, "") if slot.anchor is not None else "", process_width),
            lanes=lanes[row],
            dependency=slot.dependency,
        )
        for row, slot in enumerate(slots)
    )
    return Drawing(rows, tuple((pid, d) for d, callers in dependencies for pid in callers))


class _Slot(msgspec.Struct, frozen=True):
    """A row before it is drawn: whose process stands there, and which dependency with which callers."""

    anchor: int | None = None
    dependency: str | None = None
    callers: tuple[int, ...] = ()


def _slots(pids: list[int], dependencies: tuple[tuple[str, tuple[int, ...]], ...]) -> list[_Slot]:
    """Rows in order. A process stands beside its first dependency if it alone calls that, else on a row of its own."""
    waiting = dict.fromkeys(pids)
    slots: list[_Slot] = []
    for dependency, callers in dependencies:
        fresh = [pid for pid in callers if pid in waiting]
        for pid in fresh:
            del waiting[pid]
        if len(callers) == 1 and fresh:
            slots.append(_Slot(fresh[0], dependency, callers))
            continue
        slots += [_Slot(pid) for pid in fresh]
        slots.append(_Slot(None, dependency, callers))
    return slots + [_Slot(pid) for pid in waiting]


def _lanes(anchors: dict[int, int], slots: list[_Slot]) -> list[tuple[int, ...]]:
    """Arms of every cell of the right gutter: the lane of the k-th process is column 2k + 1."""
    targets: dict[int, list[int]] = {pid: [] for pid in anchors}
    for row, slot in enumerate(slots):
        for pid in slot.callers:
            targets[pid].append(row)
    calling = [pid for pid in anchors if targets[pid]]
    columns = {pid: 2 * lane + 1 for lane, pid in enumerate(calling)}
    width = 2 * len(calling) + 1
    cells = [[0] * width for _ in slots]
    for pid, column in columns.items():
        touched = [anchors[pid], *targets[pid]]
        first, last = min(touched), max(touched)
        for row in range(first, last + 1):
            cells[row][column] |= (UP if row > first else 0) | (DOWN if row < last else 0)
    for pid, column in columns.items():
        _run(cells[anchors[pid]], 0, column)
        for row in targets[pid]:
            _run(cells[row], column, width)
    for pid, column in columns.items():
        for row in range(len(slots)):
            is_own = row == anchors[pid] or row in targets[pid]
            if not is_own and cells[row][column] == UP | DOWN | LEFT | RIGHT:
                cells[row][column] |= BRIDGE
    return [tuple(row) for row in cells]


def _run(cells: list[int], start: int, end: int) -> None:
    """A horizontal from column `start` to `end`: it leaves `start` to the right and reaches `end` from the left."""
    for column in range(start, min(end + 1, len(cells))):
        if column > start or start == 0:
            cells[column] |= LEFT
        if column < end:
            cells[column] |= RIGHT


def _process_label(text: str, width: int) -> str:
    """The label, and a line from it to the gutter."""
    fitted = _fit(text, width).rstrip()
    return f"{fitted} ".ljust(width + 1, "─") if fitted else " " * (width + 1)


def _spine(row: int, spine: list[int]) -> str:
    """The left gutter: one line from the service to all its processes."""
    if not spine or not spine[0] <= row <= spine[-1]:
        return "    "
    if row not in spine:
        return " │  "
    if len(spine) == 1:
        return "─── "
    if row == spine[0]:
        return "─┬─ "
    return " ╰─ " if row == spine[-1] else " ├─ "


def _fit(text: str, width: int) -> str:
    return text.ljust(width) if len(text) <= width else text[: width - 1] + "…"
