"""Recorded sessions, newest first, to choose one from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import DataTable, Footer, Static

from belljar_tui.journal.sessions import Recorded
from belljar_tui.tui import words
from belljar_tui.tui.themes import DARK, NAMED_DARK


class SessionList(App[Path]):
    """Returns the journal of the chosen session; None when it was left."""

    TITLE = "BellJar"
    CSS = """
    Screen { background: $background; }
    #question { height: 1; padding: 0 1; background: $panel; text-style: bold; }
    DataTable { height: 1fr; background: $background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
        Binding("q,escape", "leave", "Leave"),
        Binding("ctrl+c", "leave", "Leave", show=False, priority=True),
    ]

    def __init__(self, sessions: Sequence[Recorded]) -> None:
        super().__init__()
        self._sessions = sessions

    def compose(self) -> ComposeResult:
        yield Static("Replay which session? Enter opens it.", id="question")
        yield DataTable(cursor_type="row", zebra_stripes=True)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.theme = DARK.name
        self.ansi_theme_dark = NAMED_DARK
        table: DataTable[Text] = self.query_one(DataTable)
        table.add_columns("session", "started", "length", "ended", "journal", "folder")
        for number, one in enumerate(self._sessions):
            table.add_row(*(Text(cell) for cell in _cells(one)), key=str(number))
        table.focus()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        self.exit(self._sessions[int(event.row_key.value or 0)].journal)

    def action_move(self, steps: int) -> None:
        table: DataTable[Text] = self.query_one(DataTable)
        table.move_cursor(row=table.cursor_row + steps)

    def action_leave(self) -> None:
        self.exit(None)


def _cells(one: Recorded) -> list[str]:
    length = words.clock(one.length_s) if one.length_s is not None else "?"
    started = one.started[:16].replace("T", " ")
    return [one.name, started, length, one.how or "no end", words.size(one.size), one.journal.parent.name]
