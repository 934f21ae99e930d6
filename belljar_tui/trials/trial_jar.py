"""A jar made ahead of its trial, and the fold of what happens in it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from typing import Protocol

from belljar_tui.core import events as ev
from belljar_tui.core.failures import why_no_cut
from belljar_tui.core.fold import apply
from belljar_tui.core.model import Dependency, Wanted
from belljar_tui.core.state import State
from belljar_tui.errors import AgentLost, BellJarError, JarError, Unsealed

_ANSWER_S = 10.0
"""An agent answers within milliseconds; one that takes so long does not live any more."""


class WaitingJar(Protocol):
    """What a trial asks of a jar. `jars.namespaces.NamespaceJar` prepared with `is_waiting` is one."""

    async def start(self) -> None:
        """Make it, sealed; its service waits. Raises errors.JarError."""

    def events(self) -> AsyncIterator[ev.AnyEvent]:
        """Every event until the agent ends. Raises errors.AgentLost when it ends unasked."""

    async def begin(self, wanted: Wanted, log_path: str, environment: Mapping[str, str]) -> None:
        """Start the service with `wanted` in force. Raises errors.AgentLost when the jar has ended."""

    async def want(self, wanted: Wanted) -> None:
        """Tell the agent the whole wanted state."""

    async def end_service(self) -> None:
        """Ask for the end; events go on to the last."""

    async def kill(self) -> None:
        """End all of it at once; leave nothing behind. Safe to call twice."""


class TrialJar:
    """One jar, read in the background from its start to its end.

    Args:
        jar: not yet started.
        clock_zero: CLOCK_MONOTONIC that its events count from, seconds.
    """

    def __init__(self, jar: WaitingJar, clock_zero: float) -> None:
        self._jar = jar
        self._clock_zero = clock_zero
        self._reading: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self.state = State()
        self.at_change = State()
        """The state when the seal was last changed: what is counted beyond it came after."""
        self.changes = 0
        """How often the seal was changed."""
        self.lost_from: set[str] = set()
        """Sources that something could not be observed of."""
        self.lost: BellJarError | None = None
        """Why the jar ended without being asked to."""
        self._wanted: Wanted | None = None
        """What the agent was told last."""
        self.is_over = False
        """Nothing more will happen."""

    def now(self) -> float:
        """Seconds on the clock of the jar's events."""
        return time.monotonic() - self._clock_zero

    async def start(self) -> None:
        """Make the jar and wait until it is sealed and its service may start. Raises errors.JarError."""
        await self._jar.start()
        self._reading = asyncio.create_task(self._read())
        while self.state.proof is None and not self.is_over:
            await self.moved()
        if self.lost is not None or self.state.proof is None:
            raise self.lost or AgentLost("The jar ended before its seal was proven.")
        if not self.state.proof.ok:
            raise Unsealed("The jar's seal is not proven.", self.state.proof.detail)

    async def begin(self, wanted: Wanted, log_path: str, environment: Mapping[str, str]) -> None:
        """Start the service. Raises errors.AgentLost when the jar has ended, errors.JarError when it cannot do this."""
        if self.lost is not None:
            raise self.lost
        self._can(wanted)
        self._wanted = wanted
        await self._jar.begin(wanted, log_path, environment)

    async def want(self, wanted: Wanted) -> None:
        """Change the seal, and wait until it is in force (or the jar is over). Raises errors.AgentLost, or
        errors.JarError when it cannot do this."""
        if wanted == self._wanted:
            return  # nothing would change, and nothing be said
        self._can(wanted)
        self._wanted = wanted
        before = self.changes
        await self._jar.want(wanted)
        until = self.now() + _ANSWER_S
        while self.changes == before and not self.is_over:
            if self.now() >= until:
                raise _no_answer()
            await self.moved(until)

    async def moved(self, until: float | None = None) -> None:
        """Wait for the next event, the jar's end, or the moment `until` on the jar's clock."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(None if until is None else max(0.0, until - self.now())):
                await self._moved.wait()
        self._moved.clear()

    async def end_service(self) -> None:
        """End the service and wait for its last counts. Raises errors.AgentLost."""
        await self._jar.end_service()
        until = self.now() + _ANSWER_S
        while self.state.exit_code is None and not self.is_over:
            if self.now() >= until:
                raise _no_answer()
            await self.moved(until)

    async def kill(self) -> None:
        """End all of it at once; leave nothing behind. Safe to call twice."""
        await self._jar.kill()
        if self._reading is not None:
            await asyncio.wait([self._reading])

    def _can(self, wanted: Wanted) -> None:
        """Raises errors.JarError when this kernel cannot do what is wanted."""
        for identity, mode in wanted.cuts.items():
            has_queue = self.state.has_queue
            if why := why_no_cut(Dependency.parse(identity), mode, {}, self.state.lacks, has_queue=has_queue):
                raise JarError(f"{why}.")

    async def _read(self) -> None:
        try:
            async for event in self._jar.events():
                self._take(event)
        except BellJarError as error:
            self.lost = error
        finally:
            self.is_over = True
            self._moved.set()

    def _take(self, event: ev.AnyEvent) -> None:
        self.state = apply(self.state, event)
        if isinstance(event, ev.SealChanged):
            self.at_change = self.state
            self.changes += 1
        elif isinstance(event, ev.EventsLost):
            self.lost_from.add(event.source)
        self._moved.set()


def _no_answer() -> AgentLost:
    return AgentLost(f"The jar's agent did not answer within {_ANSWER_S:g} s.")
