"""The order's explorer: walk from what waits to what it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import ClassVar

from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.containers import Horizontal, VerticalScroll
from textual.events import Resize
from textual.widgets import Footer, Static

from belljar_tui.core.order.plan import Order
from belljar_tui.core.profile import Profile
from belljar_tui.tui.dialogs import HelpScreen, LinePrompt
from belljar_tui.tui.keys import name_of
from belljar_tui.tui.order_keys import LEGEND, ORDER_KEYS
from belljar_tui.tui.order_panels import OrderStatus, ServicePanel
from belljar_tui.tui.order_view import OrderView, ServiceFollowed, ServiceSelected
from belljar_tui.tui.themes import DARK, LIGHT, NAMED_DARK, NAMED_LIGHT

_HERE = Path(__file__).parent
_NARROW_COLUMNS, _TINY_COLUMNS, _TINY_ROWS = 118, 60, 16


class OrderApp(App[None]):
    """Shows one plan until the person leaves.

    Args:
        order: of one service at least.
        profiles: by the services' names, for checks and commands.
    """

    CSS_PATH: ClassVar[list[str | PurePath]] = [_HERE / "belljar.tcss", _HERE / "order.tcss"]
    TITLE = "BellJar"
    BINDINGS: ClassVar[list[BindingType]] = list(ORDER_KEYS)
    ENABLE_COMMAND_PALETTE = False

    def __init__(self, order: Order, profiles: Mapping[str, Profile]) -> None:
        super().__init__()
        self._order = order
        self._profiles = profiles
        self._been: list[str] = []
        self._wanted = ""

    def compose(self) -> ComposeResult:
        yield OrderStatus(id="order-status")
        with Horizontal(id="order-body"):
            yield OrderView(self._order)
            with VerticalScroll(id="service-frame"):
                yield ServicePanel(id="service")
        yield Static("The terminal is too small: BellJar needs 60 × 16.", id="small")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        for theme in (DARK, LIGHT):
            self.register_theme(theme)
        self.theme = DARK.name
        self.ansi_theme_dark, self.ansi_theme_light = NAMED_DARK, NAMED_LIGHT
        self.query_one(OrderStatus).show(self._order)
        self.query_one("#service-frame", VerticalScroll).can_focus = False
        self._title()
        self._view.focus()

    def on_resize(self, event: Resize) -> None:
        base = self.screen_stack[0]
        is_narrow = event.size.width < _NARROW_COLUMNS
        base.set_class(is_narrow, "narrow")
        base.query_one(Footer).compact = is_narrow
        base.set_class(event.size.width < _TINY_COLUMNS or event.size.height < _TINY_ROWS, "tiny")

    def on_service_selected(self, message: ServiceSelected) -> None:
        base = self.screen_stack[0]
        frame = base.query_one("#service-frame", VerticalScroll)
        frame.border_title = message.service
        frame.scroll_home(animate=False)
        base.query_one(ServicePanel).show(self._order, self._profiles, message.service)

    def on_service_followed(self, _: ServiceFollowed) -> None:
        self.action_follow()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """While a dialog is open, letters are letters."""
        if action == "quit" or action not in {key.action.partition("(")[0] for key in ORDER_KEYS}:
            return True
        return len(self.screen_stack) == 1

    def action_move(self, steps: int) -> None:
        self._view.move(steps)

    def action_move_wave(self, steps: int) -> None:
        self._view.move_wave(steps)

    def action_pan(self, columns: int) -> None:
        self._view.scroll_relative(x=columns, animate=False)

    def action_follow(self) -> None:
        """To what it waits for: the cause first, a service in a cycle, then a blocked one, then the latest wave."""
        here = self._order.services[self._view.selected]
        needs = [need.service for need in here.needs if need.service != here.name]
        if not needs:
            self.notify(f"{here.name} needs no other service.")
            return
        tangled = set(self._order.tangled)
        self._been.append(here.name)
        self._view.select(max(needs, key=lambda one: ((here.name, one) in tangled, self._wave(one))))

    def action_walk_back(self) -> None:
        if self._been:
            self._view.select(self._been.pop())

    def action_next_cycle(self) -> None:
        if not self._view.next_tangled():
            self.notify("There is no cycle.")

    def action_toggle_lines(self) -> None:
        self._view.toggle_lines()
        if not self._view.is_all and not self._view.can_show_all:
            self.notify("There are too many lines to show them all at once.")
        self._title()

    def action_find(self) -> None:
        self.push_screen(LinePrompt("Go to the next service with this in its name:", self._wanted), self._find)

    def action_find_next(self) -> None:
        self._find(self._wanted)

    def action_show_help(self) -> None:
        self.push_screen(HelpScreen([(name_of(key, {}), key.tooltip) for key in ORDER_KEYS], LEGEND))

    @property
    def _view(self) -> OrderView:
        return self.screen_stack[0].query_one(OrderView)

    def _wave(self, name: str) -> int:
        """Blocked ones come after all that can start."""
        return self._order.services[name].wave or 1 << 30

    def _find(self, wanted: str | None) -> None:
        if wanted:
            self._wanted = wanted
            if not self._view.next_with(wanted):
                self.notify(f"No service has {wanted!r} in its name.")

    def _title(self) -> None:
        self._view.border_title = "order" if self._view.is_all else "order · lines of the selected service"
