"""What could be attached to, as a list to choose from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Static

_STYLES = {"healthy": "green", "unhealthy": "bold red", "starting": "yellow", "paused": "dim"}


class PickList(App[str]):
    """Returns the key of the chosen row; None when it was left.

    Args:
        headings: of the columns.
        rows: key and cells of each.
    """

    TITLE = "BellJar"
    CSS = """
    #question { height: 1; padding: 0 1; text-style: bold; }
    DataTable { height: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
        Binding("q,escape", "leave", "Leave"),
        Binding("ctrl+c", "leave", "Leave", show=False, priority=True),
    ]

    def __init__(self, headings: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> None:
        super().__init__()
        self._headings = headings
        self._rows = rows

    def compose(self) -> ComposeResult:
        yield Static("Attach to which? It runs on as it does; Enter seals it.", id="question")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        table: DataTable[Text] = self.query_one(DataTable)
        table.add_columns(*self._headings)
        for key, cells in self._rows:
            table.add_row(*(Text(cell, style=_STYLES.get(cell, "")) for cell in cells), key=key)
        table.focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.exit(event.row_key.value)

    def action_move(self, steps: int) -> None:
        table: DataTable[Text] = self.query_one(DataTable)
        table.move_cursor(row=table.cursor_row + steps)

    def action_leave(self) -> None:
        self.exit(None)
