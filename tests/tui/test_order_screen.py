"""The order's explorer: every key does what its tooltip says, at every size."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from stage import SIZES, SNAPSHOTS, shown, until
from textual.pilot import Pilot

from belljar_tui.core.order.plan import Order, Source, order_of
from belljar_tui.core.profile import Profile
from belljar_tui.tui.dialogs import HelpScreen, LinePrompt
from belljar_tui.tui.order_app import OrderApp
from belljar_tui.tui.order_view import OrderView
from tests.unit.order.world import COMPANY, planned


class Stage(OrderApp):
    @property
    def screen_text(self) -> str:
        width, height = self.size
        strips = self.screen._compositor.render_strips()[:height]
        return "\n".join(strip.text[:width].rstrip() for strip in strips) + "\n"

    @property
    def view(self) -> OrderView:
        return self.screen_stack[0].query_one(OrderView)

    def looks_like(self, name: str) -> None:
        path = SNAPSHOTS / f"{name}-{self.size[0]}x{self.size[1]}.txt"
        if os.environ.get("BELLJAR_UPDATE_SNAPSHOTS"):
            path.write_text(self.screen_text)
        assert self.screen_text == path.read_text()


@asynccontextmanager
async def staged(
    size: tuple[int, int] = (120, 30), order: Order | None = None, profiles: dict[str, Profile] | None = None
) -> AsyncIterator[tuple[Stage, Pilot[None]]]:
    app = Stage(order or planned(COMPANY), profiles or {profile.name: profile for profile in COMPANY})
    async with shown(app, size) as pilot:
        await pilot.pause()
        yield app, pilot


@pytest.mark.parametrize("size", SIZES, ids=lambda s: f"{s[0]}x{s[1]}")
async def test_screens_look_as_they_did(size: tuple[int, int]) -> None:
    async with staged(size) as (app, pilot):
        await pilot.press("c")
        await until(pilot, lambda: "In a cycle" in app.screen_text)
        app.looks_like("order")


async def test_services_are_chosen_with_keys() -> None:
    async with staged() as (app, pilot):
        assert app.view.selected == "cache"
        await pilot.press("j")
        assert app.view.selected == "orders-db"
        await pilot.press("right_square_bracket")
        assert app.view.selected == "pay-a"
        await pilot.press("left_square_bracket")
        assert app.view.selected == "cache"
        await pilot.press("end")
        assert app.view.selected == "checkout"
        await pilot.press("home", "c", "c")
        assert app.view.selected == "config"


async def test_following_leads_to_the_cause_and_back() -> None:
    async with staged() as (app, pilot):
        await pilot.press("end", "enter")
        assert app.view.selected == "auth"
        await pilot.press("enter")
        assert app.view.selected == "config"
        await pilot.press("backspace", "backspace")
        assert app.view.selected == "checkout"
        await pilot.press("home", "enter")
        await until(pilot, lambda: "cache needs no other service" in app.screen_text)


async def test_the_panel_says_needs_needed_by_and_why() -> None:
    async with staged() as (app, pilot):
        await pilot.press("end")
        await until(pilot, lambda: "It waits for auth" in app.screen_text)
        for words in ("orders-db  tcp://orders-db.lab:5432", "dns:", "http://localhost:8080/ready", "never"):
            assert words in app.screen_text


async def test_the_mouse_selects_and_follows() -> None:
    async with staged() as (app, pilot):
        row = next(i for i, line in enumerate(app.view._lines) if line.service == "checkout")
        await pilot.click(OrderView, offset=(8, row + 1))
        assert app.view.selected == "checkout"
        await pilot.click(OrderView, offset=(8, row + 1), times=2)
        await until(pilot, lambda: app.view.selected == "auth")


async def test_find_goes_to_the_next_with_the_text() -> None:
    async with staged() as (app, pilot):
        await pilot.press("slash")
        assert isinstance(app.screen, LinePrompt)
        await pilot.press(*"pay", "enter")
        await until(pilot, lambda: app.view.selected == "pay-b")
        await pilot.press("n")
        assert app.view.selected == "pay-a"


async def test_lines_are_of_all_or_of_the_selected() -> None:
    async with staged() as (app, pilot):
        lanes = len(app.view._drawing.lanes)
        await pilot.press("e")
        await until(pilot, lambda: "lines of the selected service" in app.screen_text)
        assert len(app.view._drawing.lanes) < lanes


async def test_help_names_every_key_and_glyph() -> None:
    async with staged((120, 40)) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        assert "Go to what the selected service waits for" in app.screen_text
        await pilot.press("j")
        assert app.view.selected == "cache"


async def test_every_state_is_told_apart_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    async with staged() as (app, pilot):
        await pilot.press("c")
        assert {"○", "↻", "✗", "▶", "↕", "●"} <= set(app.screen_text)


async def test_a_tiny_terminal_is_told_so() -> None:
    async with staged((50, 12)) as (app, _):
        assert "too small" in app.screen_text


async def test_thousands_of_services_can_be_walked_through() -> None:
    names = [f"s{n:04}" for n in range(3000)]
    order = order_of(
        Source(name, (tuple(f"tcp://{o}:1" for o in names[max(0, i - 3) : i]),)) for i, name in enumerate(names)
    )
    async with staged(order=order, profiles={"none": COMPANY[0]}) as (app, pilot):
        await pilot.press("end", "up", "e")
        await until(pilot, lambda: "too many lines" in app.screen_text)
        assert app.view.selected == "s2998"
        assert "▶ ○ s2998" in app.screen_text


async def test_wide_letters_and_long_names_keep_the_lines_where_they_are() -> None:
    names = ["日本語", "a", "x" * 40]
    order = order_of(Source(name, (tuple(f"tcp://{o}:1" for o in names[:i]),)) for i, name in enumerate(names))
    async with staged(order=order, profiles={"none": COMPANY[0]}) as (app, _):
        view = app.view
        assert view._rows.keys() == set(names)
        before = [
            sum(s.cell_length for s in view._segments(row)[: 4 if line.service else 1])
            for row, line in enumerate(view._lines)
        ]
        assert len(set(before)) == 1
        assert "…" in app.screen_text
