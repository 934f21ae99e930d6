"""Jars made ahead while others run, so that a trial waits for its service and for nothing else.

No jar outlives the pool: each ends with us by construction (see jars.namespaces), and `close` waits for the last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from belljar_tui.errors import AgentLost, BellJarError
from belljar_tui.trials.trial_jar import TrialJar

_MADE_AT_ONCE = 2
"""A jar's birth is work for a processor that the trials under way want too."""
_AHEAD_AT_MOST = 4
_ATTEMPTS = 3
"""Jars in a row that may die before their trial comes."""


class JarPool:
    """At most `jobs` + `ahead` jars at any time, those on their way out aside.

    Args:
        make: a jar, not yet started.
        ahead: jars kept ready or in the making; 0: as many as jobs, up to four.
    """

    def __init__(self, make: Callable[[], TrialJar], ahead: int = 0) -> None:
        self._make = make
        self._ahead = ahead
        self._making = asyncio.Semaphore(_MADE_AT_ONCE)
        self._ready: deque[asyncio.Task[TrialJar]] = deque()
        self._taken: set[TrialJar] = set()
        self._ending: dict[TrialJar, asyncio.Task[None]] = {}
        self._is_closed = False
        self._died: list[str] = []

    async def start(self, jobs: int) -> None:
        """Make jars, and wait for the first. Raises errors.JarError when it cannot be made or sealed."""
        self._ahead = self._ahead or min(jobs, _AHEAD_AT_MOST)
        self._fill()
        await asyncio.shield(self._ready[0])

    async def take(self) -> TrialJar:
        """A sealed jar whose service may start. Raises errors.JarError when there is none to be had.

        One that died while it waited is passed over; `died` says so.
        """
        failure: BellJarError | None = None
        for _ in range(_ATTEMPTS):
            try:
                jar = await self._next()
            except BellJarError as error:
                failure = error
                continue
            if not jar.is_over:
                self._taken.add(jar)
                return jar
            self.give_back(jar)
            failure = jar.lost
            self._died.append(f"a jar made ahead ended while it waited: {jar.lost or 'nobody knows why'}")
        raise failure or AgentLost("Jars end before their trial comes.")

    def died(self) -> list[str]:
        """What was not said yet of jars that died while they waited."""
        said, self._died = self._died, []
        return said

    def give_back(self, jar: TrialJar) -> None:
        """End a jar, in the background: nobody waits for it but `close`."""
        self._taken.discard(jar)
        if jar not in self._ending:
            ending = self._ending[jar] = asyncio.create_task(jar.kill())
            ending.add_done_callback(lambda _: self._ending.pop(jar, None))

    async def close(self) -> None:
        """End every jar, taken or not, and wait for the last. Safe to call twice."""
        self._is_closed = True
        made = list(self._ready)
        self._ready.clear()
        for task in made:
            self._drop(task)
        await asyncio.gather(*made, return_exceptions=True)
        await asyncio.sleep(0)  # what `_drop` left to be done when they are done is done
        for jar in list(self._taken):
            self.give_back(jar)
        while self._ending:
            await asyncio.wait(list(self._ending.values()))

    async def _next(self) -> TrialJar:
        """The jar that is ready first; its place is filled at once."""
        if not self._ready:
            self._fill()
        task = next((task for task in self._ready if task.done()), self._ready[0])
        self._ready.remove(task)
        self._fill()
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if self._is_closed:
                self._drop(task)
            else:
                self._ready.appendleft(task)
            raise

    def _drop(self, task: asyncio.Task[TrialJar]) -> None:
        """End a jar that is ready or in the making."""

        def end(made: asyncio.Task[TrialJar]) -> None:
            if not made.cancelled() and made.exception() is None:
                self.give_back(made.result())

        task.add_done_callback(end)
        task.cancel()

    def _fill(self) -> None:
        while len(self._ready) < self._ahead and not self._is_closed:
            self._ready.append(asyncio.create_task(self._made()))

    async def _made(self) -> TrialJar:
        async with self._making:
            jar = self._make()
            try:
                await jar.start()
            except BaseException:
                self.give_back(jar)
                raise
            return jar
