"""A fake agent, the equal of a live one: it plays events and answers `want` as the kernel would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Mode, Seal, Wanted

WEB = "http://localhost:8080/ready"
OPENING = ev.SessionStarted(at=0.0, name="checkout", jar="fake", command=["./checkout"], checks=[WEB])


def beginning() -> list[ev.AnyEvent]:
    """A service with two processes and four dependencies, one of them shared."""
    calls = [
        ("tcp://auth.lab:9000", "tcp 10.0.0.1:9000", 7),
        ("tcp://orders-db.lab:5432", "tcp 10.0.0.2:5432", 7),
        ("udp://time.lab:123", "udp 10.0.0.3:123", 7),
        ("udp://time.lab:123", "udp 10.0.0.3:123", 9),
        ("tcp://10.9.0.44:443", "tcp 10.9.0.44:443", 9),
    ]
    return [
        ev.AgentStarted(at=0.1, queue="native", log=True, destroy=True),
        ev.SealProven(at=0.1, ok=True, detail="blocked and counted, and passed, over IPv4 and IPv6"),
        ev.ServiceStarted(at=0.2, pid=7, command=["./checkout"]),
        ev.ProcessSeen(at=0.2, pid=7, parent=1, name="web", command="./checkout web"),
        ev.ProcessSeen(at=0.2, pid=9, parent=7, name="updater", command="./checkout updater"),
        *(ev.DependencySeen(at=0.3, dependency=d, endpoint=e, pid=p, process=str(p)) for d, e, p in calls),
        ev.HealthChanged(at=0.5, health=Health.HEALTHY, check=WEB, detail="200 ready"),
    ]


class FakeAgent:
    """Plays `events`, then whatever the test tells it."""

    def __init__(self, events: Sequence[ev.AnyEvent]) -> None:
        self._queue: asyncio.Queue[ev.AnyEvent | None] = asyncio.Queue()
        for event in events:
            self._queue.put_nowait(event)
        self.wanted = Wanted()
        self.at = 1.0
        self.is_finished = False
        self._known = [e.dependency for e in events if isinstance(e, ev.DependencySeen)]

    async def start(self) -> None:
        return

    async def events(self) -> AsyncIterator[ev.AnyEvent]:
        while (event := await self._queue.get()) is not None:
            yield event

    async def want(self, wanted: Wanted) -> None:
        before, self.wanted = self.wanted, wanted
        self.at += 0.1
        if before.seal is not wanted.seal:
            self.tell(ev.SealChanged(at=self.at, seal=wanted.seal, mode=wanted.seal_mode))
        for dependency in dict.fromkeys([*self._known, *wanted.cuts]):
            mode = wanted.mode_of(dependency)
            if mode is before.mode_of(dependency) and wanted.settings_of(dependency) == before.settings_of(dependency):
                continue
            if mode is None:
                self.tell(ev.CutRestored(at=self.at, dependency=dependency))
            else:
                by = "user" if dependency in wanted.cuts else "seal"
                settings = wanted.settings_of(dependency)
                self.tell(ev.CutApplied(at=self.at, dependency=dependency, mode=mode, by=by, settings=settings))

    def expire(self, dependency: str) -> None:
        """The time of its cut is up."""
        self.at = self.wanted.until(dependency) or self.at
        self.wanted = self.wanted.at(self.at)
        self.tell(ev.CutRestored(at=self.at, dependency=dependency))

    async def finish(self) -> None:
        if not self.is_finished:
            self.is_finished = True
            self._queue.put_nowait(None)

    def tell(self, *events: ev.AnyEvent) -> None:
        """Something happened."""
        for event in events:
            self._queue.put_nowait(event)

    def block(self, dependency: str, count: int = 3) -> None:
        """Calls met a cut, and the check said so."""
        blocked = ev.CallBlocked(
            at=self.at + 0.2, dependency=dependency, mode=Mode.REFUSE, pid=7, process="web", count=count
        )
        words = "503 auth.lab: connection refused"
        self.tell(blocked, ev.HealthChanged(at=self.at + 0.3, health=Health.UNHEALTHY, check=WEB, detail=words))


def is_sealed(agent: FakeAgent) -> bool:
    return agent.wanted.seal is Seal.VACUUM
