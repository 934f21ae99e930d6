"""Every edge of a drawing connects its ends when followed glyph by glyph, and no other ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.layout import BRIDGE, DOWN, GLYPHS, LEFT, RIGHT, UP, Drawing, Key, draw, order

ARMS = {glyph: arms for arms, glyph in GLYPHS.items()}


@st.composite
def keys(make: st.DrawFn) -> Key:
    pids = make(st.lists(st.integers(2, 99), min_size=0, max_size=6, unique=True))
    sources = st.lists(st.sampled_from(pids), min_size=1, max_size=4, unique=True) if pids else st.just([0])
    count = make(st.integers(0, 14))
    dependencies = tuple((f"tcp://d{n}:1", tuple(sorted(make(sources)))) for n in range(count))
    return ("shop", tuple((pid, f"p{pid}", 1) for pid in sorted(pids)), dependencies)


def grid(drawing: Drawing) -> list[str]:
    """What is on the screen between processes and dependencies."""
    return ["".join(GLYPHS[arms] for arms in row.lanes) for row in drawing.rows]


def reached(lines: list[str], anchor: int) -> set[int]:
    """Rows whose right end a reader reaches from the process on row `anchor`, by the rules of the drawing."""
    column = 0
    while ARMS[lines[anchor][column]] & BRIDGE or not ARMS[lines[anchor][column]] & (UP | DOWN):
        column += 1
        if column >= len(lines[anchor]):
            return {anchor} if lines[anchor].strip() else set()
    rows = {anchor} if ARMS[lines[anchor][column]] & RIGHT else set()
    for step, arm in ((-1, UP), (1, DOWN)):
        row = anchor
        while ARMS[lines[row][column]] & arm:
            row += step
            arms = ARMS[lines[row][column]]
            if arms & RIGHT and not arms & BRIDGE:
                rows.add(row)
    return rows


@given(keys())
def test_every_edge_can_be_followed_and_no_line_leads_elsewhere(key: Key) -> None:
    drawing = draw(key)
    lines = grid(drawing)
    for pid in {pid for pid, _ in drawing.edges}:
        label = "?" if pid == 0 else f"({pid})"
        anchor = next(i for i, row in enumerate(drawing.rows) if row.process.split(" ─")[0].strip().endswith(label))
        followed = {drawing.rows[row].dependency for row in reached(lines, anchor)}
        assert followed == {dependency for source, dependency in drawing.edges if source == pid}


@given(keys())
def test_every_arm_meets_an_arm(key: Key) -> None:
    drawing = draw(key)
    lines = grid(drawing)
    for y, line in enumerate(lines):
        for x, glyph in enumerate(line):
            arms = ARMS[glyph]
            if arms & RIGHT and x + 1 < len(line):
                assert ARMS[line[x + 1]] & LEFT
            if arms & LEFT and x > 0:
                assert ARMS[line[x - 1]] & RIGHT
            if arms & DOWN:
                assert ARMS[lines[y + 1][x]] & UP
            if arms & UP:
                assert ARMS[lines[y - 1][x]] & DOWN


@given(keys())
def test_every_dependency_and_every_process_has_one_row(key: Key) -> None:
    drawing = draw(key)
    shown = [row.dependency for row in drawing.rows if row.dependency is not None]
    assert shown == [dependency for dependency, _ in key[2]]
    assert draw(key) == drawing


def test_the_filter_knows_ids_and_what_rows_show() -> None:
    state = fold(
        [
            ev.DependencySeen(at=0, dependency="dns:", endpoint="", pid=1, process="x"),
            ev.DependencySeen(at=0, dependency="tcp://auth.lab:9000", endpoint="", pid=1, process="x"),
        ]
    )
    assert order(state, "Name serv") == order(state, "dns:") == ("dns:",)
    assert order(state, "tcp://") == order(state, "auth") == ("tcp://auth.lab:9000",)
