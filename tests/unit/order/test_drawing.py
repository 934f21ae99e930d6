"""Every need of a plan can be followed in its drawing, glyph by glyph, and no line leads elsewhere."""

from __future__ import annotations

from hypothesis import given

from belljar_tui.core.layout import BRIDGE, DOWN, GLYPHS, LEFT, RIGHT, UP
from belljar_tui.core.order.drawing import OWN, Drawing, draw, lines_of, pairs_of
from tests.unit.order.test_plan import World, plan, worlds

ARMS = {glyph: arms for arms, glyph in GLYPHS.items()}


def text_of(drawing: Drawing) -> list[str]:
    return ["".join(cell.glyph for cell in drawing.cells(row)) for row in range(len(drawing.lines))]


def arms(text: list[str], row: int, column: int) -> int:
    """The arms of a glyph; a ● has those its neighbours reach for."""
    if not (0 <= row < len(text) and 0 <= column < len(text[row])):
        return 0
    glyph = text[row][column]
    if glyph != OWN:
        return ARMS[glyph]
    above = UP if row and text[row - 1][column] != OWN and ARMS[text[row - 1][column]] & DOWN else 0
    below = DOWN if row + 1 < len(text) and text[row + 1][column] != OWN and ARMS[text[row + 1][column]] & UP else 0
    return LEFT | above | below


def owner(text: list[str], row: int, column: int) -> set[int]:
    """Rows with a ● on the lane through a cell."""
    found = {row} if text[row][column] == OWN else set()
    for step, arm in ((-1, UP), (1, DOWN)):
        here = row
        while arms(text, here, column) & arm:
            here += step
            if text[here][column] == OWN:
                found.add(here)
    return found


def needs_seen(text: list[str], row: int) -> set[int]:
    """Rows whose services a reader takes this row's to need."""
    seen: set[int] = set()
    for column, glyph in enumerate(text[row]):
        if glyph == " " or (glyph != OWN and not ARMS[glyph] & LEFT):
            break
        if glyph != OWN and not ARMS[glyph] & BRIDGE and ARMS[glyph] & (UP | DOWN):
            seen |= owner(text, row, column)
        if glyph != OWN and not ARMS[glyph] & RIGHT:
            break
    return seen


@given(worlds(9))
def test_every_need_can_be_followed_and_no_line_leads_elsewhere(world: World) -> None:
    order = plan(world)
    drawing = draw(lines_of(order), pairs_of(order))
    text = text_of(drawing)
    for row, line in enumerate(drawing.lines):
        seen = {drawing.lines[there].service for there in needs_seen(text, row)}
        needs = {need.service for need in order.services[line.service].needs} if line.service else set()
        assert seen == needs - {line.service}


@given(worlds(9))
def test_every_arm_meets_an_arm(world: World) -> None:
    order = plan(world)
    text = text_of(draw(lines_of(order), pairs_of(order)))
    for row, line in enumerate(text):
        for column, glyph in enumerate(line):
            if glyph == OWN:
                continue
            if ARMS[glyph] & DOWN:
                assert text[row + 1][column] == OWN or ARMS[text[row + 1][column]] & UP
            if ARMS[glyph] & UP:
                assert text[row - 1][column] == OWN or ARMS[text[row - 1][column]] & DOWN
            if ARMS[glyph] & LEFT and column:
                assert line[column - 1] == OWN or ARMS[line[column - 1]] & RIGHT
            if ARMS[glyph] & RIGHT:
                assert line[column + 1] == OWN or ARMS[line[column + 1]] & LEFT


@given(worlds(9))
def test_every_service_has_one_row_and_a_lane_is_its_own(world: World) -> None:
    order = plan(world)
    drawing = draw(lines_of(order), pairs_of(order))
    assert sorted(line.service for line in drawing.lines if line.service) == sorted(world)
    text = text_of(drawing)
    for lane in drawing.lanes:
        assert text[lane.own][lane.column] == OWN
        assert drawing.lines[lane.own].service == lane.service
    assert draw(lines_of(order), pairs_of(order)) == drawing


@given(worlds(9))
def test_the_lines_of_one_service_are_those_that_touch_it(world: World) -> None:
    order = plan(world)
    for name in world:
        touching = {pair for pair in pairs_of(order) if name in pair}
        assert set(pairs_of(order, [name])) == touching
