"""A jar that touches no kernel: it says what a test makes it say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Wanted
from belljar_tui.errors import AgentLost, BellJarError, JarError
from belljar_tui.trials.trial_jar import TrialJar

PROVEN = ev.SealProven(at=0.0, ok=True, detail="blocked and counted, and passed")


class FakeJar:
    """Ready at once; with `holds` only when told, with `refuses` never."""

    def __init__(self) -> None:
        self.zero = time.monotonic()
        self._queue: asyncio.Queue[ev.AnyEvent | BellJarError | None] = asyncio.Queue()
        self.proof = PROVEN
        self.refusal: JarError | None = None
        self.may_start = asyncio.Event()
        self.may_start.set()
        self.began: tuple[Wanted, str, Mapping[str, str]] | None = None
        self.has_begun = asyncio.Event()
        self.wanted: list[Wanted] = []
        self.has_been_cut = asyncio.Event()
        self.on_want: list[list[ev.AnyEvent]] = []
        """What happens upon each further wanted state."""
        self.last: list[ev.AnyEvent] = []
        """What it says when its end is asked for."""
        self.is_killed = False

    def now(self) -> float:
        return time.monotonic() - self.zero

    def say(self, *events: ev.AnyEvent) -> None:
        for event in events:
            self._queue.put_nowait(event)

    def die(self) -> None:
        self._queue.put_nowait(AgentLost("The jar's agent ended by signal 9; the service ended with it."))

    def healthy(self) -> None:
        self.say(ev.HealthChanged(at=self.now(), health=Health.HEALTHY, check="http://localhost/", detail="200 ok"))

    def unhealthy(self, detail: str = "503") -> None:
        self.say(ev.HealthChanged(at=self.now(), health=Health.UNHEALTHY, check="http://localhost/", detail=detail))

    def calls(self, dependency: str, count: int = 1) -> None:
        self.say(ev.TrafficCounted(at=self.now(), dependency=dependency, calls=count, packets=count, bytes=count))

    async def start(self) -> None:
        await self.may_start.wait()
        if self.refusal is not None:
            raise self.refusal
        self.say(ev.AgentStarted(at=0.0, queue="native", log=True, destroy=True), self.proof)

    async def events(self) -> AsyncIterator[ev.AnyEvent]:
        while (event := await self._queue.get()) is not None:
            if isinstance(event, BellJarError):
                raise event
            yield event

    async def begin(self, wanted: Wanted, log_path: str, environment: Mapping[str, str]) -> None:
        self.began = (wanted, log_path, environment)
        self.say(
            ev.SealChanged(at=self.now(), seal=wanted.seal, mode=wanted.seal_mode),
            ev.ServiceStarted(at=self.now(), pid=2, command=["./server"]),
        )
        self.has_begun.set()

    async def want(self, wanted: Wanted) -> None:
        self.wanted.append(wanted)
        self.has_been_cut.set()
        self.say(ev.SealChanged(at=self.now(), seal=wanted.seal, mode=wanted.seal_mode))
        self.say(*(self.on_want.pop(0) if self.on_want else []))

    async def end_service(self) -> None:
        self.say(*self.last, ev.ServiceExited(at=self.now(), code=-9))
        self._queue.put_nowait(None)

    async def kill(self) -> None:
        self.is_killed = True
        self._queue.put_nowait(None)


class Maker:
    """Makes fake jars, and remembers them."""

    def __init__(self, *prepared: FakeJar) -> None:
        self._prepared = list(prepared)
        self.made: list[FakeJar] = []
        self.moved = asyncio.Event()

    def __call__(self) -> TrialJar:
        jar = self._prepared.pop(0) if self._prepared else FakeJar()
        self.made.append(jar)
        self.moved.set()
        return TrialJar(jar, jar.zero)

    async def th(self, number: int) -> FakeJar:
        """The `number`th jar, from 0, once it was made."""
        while len(self.made) <= number:
            self.moved.clear()
            await self.moved.wait()
        return self.made[number]

    @property
    def alive(self) -> int:
        return sum(not jar.is_killed for jar in self.made)
