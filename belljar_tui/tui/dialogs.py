"""Small screens over the explorer: a line to type, the help, and an error in full."""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Input, Label, Static

from belljar_tui.core.failures import FAILURES
from belljar_tui.errors import BellJarError


class LinePrompt(ModalScreen[str | None]):
    """Asks for one line; None when it was left with Escape."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "leave", "Cancel", tooltip="Leave it as it was")]

    def __init__(
        self, question: str, value: str = "", placeholder: str = "", check: Callable[[str], object] = str
    ) -> None:
        """`check` raises a BellJarError where the line will not do; that is said, and asked again."""
        super().__init__()
        self._question = question
        self._value = value
        self._placeholder = placeholder
        self._check = check

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog"):
            yield Label(self._question)
            yield Input(self._value, placeholder=self._placeholder)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        try:
            self._check(event.value)
        except BellJarError as error:
            self.notify(str(error), severity="warning")
            return
        self.dismiss(event.value)

    def action_leave(self) -> None:
        self.dismiss(None)


class HelpScreen(ModalScreen[None]):
    """What every key does, and what the glyphs mean."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,question_mark,q", "dismiss", "Close")]

    def __init__(self, keys: list[tuple[str, str]], legend: str = "") -> None:
        super().__init__()
        self._keys = keys
        self._legend = legend or _LEGEND

    def compose(self) -> ComposeResult:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        for key, what in self._keys:
            table.add_row(Text(key, style="bold"), what)
        with VerticalScroll(classes="dialog help"):
            yield Static(table)
            yield Static(self._legend)
            yield Static(_modes())


def _modes() -> Table:
    """How a cut can fail."""
    table = Table(box=None, show_header=False, padding=(1, 2, 0, 0), pad_edge=False)
    for mode, failure in FAILURES.items():
        text = Text(f"{failure.meets}.").append(f" In life: {failure.outage}.", style="dim")
        table.add_row(Text(mode, style="bold"), text)
    return table


_LEGEND = """
● open   ○ idle   ✂ cut   ┄ a cut edge   ╫ a bridge: lines that do not meet
needed: cutting it made the service unhealthy.  tolerated: calls were blocked and it stayed healthy.
✗ ✓ ? · beside a mode: broke it, did not, not clear yet, never tried.
Undo goes back as far as you like. Leaving asks nothing and leaves nothing behind."""


class NoticeScreen(ModalScreen[None]):
    """Some words to read; any of these keys goes on."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,space", "dismiss", "Go on")]
    way_on: ClassVar[str] = "enter goes on"

    def __init__(self, words: str) -> None:
        super().__init__()
        self._words = words

    def compose(self) -> ComposeResult:
        with VerticalScroll(classes="dialog help"):
            yield Static(Text(self._words))
            yield Static(Text(f"\n{self.way_on}", style="dim"))


class PartingScreen(NoticeScreen, inherit_bindings=False):
    """Words at an end: one may leave at once, or go on."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,enter,space", "dismiss", "Go on"),
        Binding("q", "app.quit", "Leave"),
    ]
    way_on = "enter goes on   q leaves"


class ErrorScreen(ModalScreen[None]):
    """An expected error, in full; any key leaves."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,q,enter,space", "app.quit", "Leave")]

    def __init__(self, message: str) -> None:
        super().__init__()
        self._message = message

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog error"):
            yield Static(Text(self._message))
            yield Static(Text("\nq leaves", style="dim"))
