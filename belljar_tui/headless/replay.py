"""`belljar replay`."""

from __future__ import annotations

import sys
from pathlib import Path

from click import Context, Parameter
from click.shell_completion import CompletionItem

from belljar_tui import locations
from belljar_tui.errors import UsageError
from belljar_tui.journal.notes import Notebook
from belljar_tui.journal.recording import Recording
from belljar_tui.journal.sessions import journal_at, names, recorded_sessions
from belljar_tui.playback import Playback


def replay(where: str | None) -> int:
    """Show a recorded session. Returns the exit code. Raises BellJarError."""
    journal = journal_at(where) if where is not None else None
    if journal is not None:  # what is wrong with the file is said first, terminal or not
        Recording(journal).close()
    if not (sys.stdout.isatty() and sys.stdin.isatty()):
        raise UsageError("Replay needs a terminal, and this is none.")
    chosen = journal or _chosen()
    return _show(chosen) if chosen is not None else 0


def complete(_: Context, __: Parameter, incomplete: str) -> list[CompletionItem]:
    """Recorded sessions by name, and files."""
    found = names(incomplete) if "/" not in incomplete else []
    return [*(CompletionItem(name) for name in found), CompletionItem(incomplete, type="file")]


def _chosen() -> Path | None:
    sessions = recorded_sessions()
    if not sessions:
        raise UsageError(
            f"No session has been recorded yet: there is none in {locations.sessions()}.",
            remedy="Every session is recorded: try  belljar demo  first, or name a journal.",
        )
    from belljar_tui.tui.session_list import SessionList

    return SessionList(sessions).run()


def _show(journal: Path) -> int:
    from belljar_tui.tui.keymap import read_keymap
    from belljar_tui.tui.replay_app import ReplayApp

    keymap = read_keymap(locations.keymap())
    recording = Recording(journal)
    try:
        while not recording.line.count and recording.read_on():
            pass
        recording.require_events()
        app = ReplayApp(Playback(recording, Notebook(journal)), keymap)
        app.run()
    finally:
        recording.close()
    return app.return_code or 0
