"""A recorded outage on a stage: a journal with everything a time line shows, and the replay over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from fake import OPENING, WEB, beginning
from stage import looks_like, screen_text, shown, until
from textual.pilot import Pilot

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Mode, Seal
from belljar_tui.journal.notes import Notebook
from belljar_tui.journal.recording import Recording
from belljar_tui.journal.writer import JournalWriter
from belljar_tui.playback import Playback
from belljar_tui.tui.replay_app import ReplayApp

AUTH, DB, TIME = "tcp://auth.lab:9000", "tcp://orders-db.lab:5432", "udp://time.lab:123"


def outage() -> list[ev.AnyEvent]:
    """Auth is cut at 10 s and hurts; restored at 30 s; a vacuum from 60 to 80 s; the end at 100 s."""

    def health(at: float, value: Health, detail: str) -> ev.HealthChanged:
        return ev.HealthChanged(at=at, health=value, check=WEB, detail=detail)

    def blocked(at: float, dependency: str) -> ev.CallBlocked:
        return ev.CallBlocked(at=at, dependency=dependency, mode=Mode.REFUSE, pid=7, process="web", count=3)

    vacuum = [ev.CutApplied(at=60.0, dependency=one, mode=Mode.REFUSE, by="seal") for one in (AUTH, DB, TIME)]
    return [
        OPENING,
        *beginning(),
        ev.CutApplied(at=10.0, dependency=AUTH, mode=Mode.REFUSE),
        *(blocked(12.0 + 2 * number, AUTH) for number in range(6)),
        health(12.5, Health.UNHEALTHY, "503 auth.lab: connection refused"),
        ev.NoteAdded(at=20.0, text="the shop is down", dependency=AUTH),
        ev.CutRestored(at=30.0, dependency=AUTH),
        health(31.5, Health.HEALTHY, "200 ready"),
        ev.SealChanged(at=60.0, seal=Seal.VACUUM),
        *vacuum,
        blocked(62.0, DB),
        health(63.0, Health.UNHEALTHY, "503 orders-db.lab: connection refused"),
        ev.SealChanged(at=80.0, seal=Seal.OPEN),
        *(ev.CutRestored(at=80.0, dependency=one) for one in (AUTH, DB, TIME)),
        health(82.0, Health.HEALTHY, "200 ready"),
        ev.SessionEnded(at=100.0, reason="quit"),
    ]


def journal_in(folder: Path, stream: Sequence[ev.AnyEvent] | None = None) -> Path:
    """The journal of those events, or of the outage."""
    path = folder / "journal.belljar.jsonl"
    with JournalWriter(path) as writer:
        for event in stream or sorted(outage(), key=lambda event: event.at):
            writer.write(event)
    return path


class ReplayStage(ReplayApp):
    """Replay whose clock is the test's: `pass_time` plays."""

    def __init__(self, journal: Path, keymap: dict[str, str] | None = None) -> None:
        self.journal = journal
        super().__init__(Playback(Recording(journal), Notebook(journal)), keymap)
        self._tick, self.playback.tick = self.playback.tick, lambda elapsed_s: False  # type: ignore[method-assign]

    def pass_time(self, seconds: float) -> None:
        self._tick(seconds)
        self._frame_now()

    @property
    def screen_text(self) -> str:
        return screen_text(self)

    def looks_like(self, name: str) -> None:
        looks_like(self, name)


@asynccontextmanager
async def replayed(
    journal: Path, size: tuple[int, int] = (120, 30), keymap: dict[str, str] | None = None
) -> AsyncIterator[tuple[ReplayStage, Pilot[None]]]:
    app = ReplayStage(journal, keymap)
    async with shown(app, size) as pilot:
        await until(pilot, lambda: app.playback.recording.is_read)
        yield app, pilot
    app.playback.recording.close()
