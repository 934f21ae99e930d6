"""All notes on a recorded session: those of its journal, and those made on replay, which can be changed."""

from __future__ import annotations

from typing import ClassVar

import msgspec
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from belljar_tui.errors import BadJournal
from belljar_tui.playback import Noted, Playback
from belljar_tui.tui.dialogs import LinePrompt
from belljar_tui.tui.replay_words import moment


class NotesScreen(ModalScreen[Noted | None]):
    """Returns the note to go to; None when it was just left."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,N,q", "leave", "Close"),
        Binding("e", "change", "Change"),
        Binding("d,delete", "remove", "Remove"),
        Binding("j", "move(1)", "Down", show=False),
        Binding("k", "move(-1)", "Up", show=False),
    ]

    def __init__(self, playback: Playback) -> None:
        super().__init__()
        self._playback = playback

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog notes"):
            yield OptionList()
            yield Static(Text("Enter goes there   e changes   d removes   Escape closes", style="dim"))

    def on_mount(self) -> None:
        self.query_one(".notes").border_title = "notes"
        self._fill()
        self.query_one(OptionList).highlighted = self._nearest()

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        notes = self._playback.notes()
        self.dismiss(notes[event.option_index] if notes else None)

    def action_leave(self) -> None:
        self.dismiss(None)

    def action_move(self, steps: int) -> None:
        options = self.query_one(OptionList)
        if steps > 0:
            options.action_cursor_down()
        else:
            options.action_cursor_up()

    def action_change(self) -> None:
        note = self._late()
        if note is not None and note.late is not None:
            self.app.push_screen(LinePrompt(f"Note at {moment(note.at)}:", note.text), self._changed)

    def action_remove(self) -> None:
        note = self._late()
        if note is not None and note.late is not None:
            self._write(note, None)

    def _changed(self, text: str | None) -> None:
        note = self._late()
        if text and note is not None and note.late is not None:
            self._write(note, text)

    def _write(self, note: Noted, text: str | None) -> None:
        assert note.late is not None
        notebook = self._playback.notebook
        try:
            if text is None:
                notebook.remove(note.late)
            else:
                notebook.replace(note.late, msgspec.structs.replace(note.late, text=text))
        except BadJournal as error:
            self.notify(str(error), title="Not done", severity="error")
        self._fill()

    def _late(self) -> Noted | None:
        """The highlighted note if it can be changed; says so if not."""
        index, notes = self.query_one(OptionList).highlighted, self._playback.notes()
        if index is None or index >= len(notes):
            return None
        if notes[index].late is None:
            self.notify("It is in the journal, and stays as it is.", title="Not done", severity="warning")
            return None
        return notes[index]

    def _nearest(self) -> int | None:
        """The last one that is not later than the moment one is at."""
        earlier = [index for index, note in enumerate(self._playback.notes()) if note.at <= self._playback.at]
        return earlier[-1] if earlier else 0

    def _fill(self) -> None:
        options = self.query_one(OptionList)
        kept = options.highlighted
        options.clear_options()
        notes = self._playback.notes()
        options.add_options([Option(_line(note)) for note in notes])
        if not notes:
            options.add_option(Option(Text("No notes yet: n makes one, on the moment one is at."), disabled=True))
        elif kept is not None:
            options.highlighted = min(kept, len(notes) - 1)


def _line(note: Noted) -> Text:
    text = Text(f"{moment(note.at):>9}  ", style="bold")
    text.append("journal  " if note.late is None else "replay   ", style="dim")
    if note.dependency:
        text.append(f"{note.dependency.partition('://')[2] or note.dependency}  ", style="not bold underline")
    return text.append(note.text, style="not bold")
