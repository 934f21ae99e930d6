"""Sees that the agent is there: it answers a beat each second. One that stands still is said; one that is out of reach,
with its engine, is given up, somewhat later than it gives up us (`wire.silence`)."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable
from enum import Enum
from pathlib import Path

from belljar_tui.core.events import AnyEvent, JarStalled, JarWentOn
from belljar_tui.errors import EngineError, NoSuchContainer, UsageError
from belljar_tui.jars.engine import Engine
from belljar_tui.wire.silence import BEAT, LOOK_S, Silence

_SILENCE_S = 30.0
_LIMIT = "BELLJAR_SILENCE_S"
"""Says another limit; 0: none."""
_LONGER = 4 / 3
"""By so much ours is longer: when we give up the agent, it has let go."""
_DOUBTFUL_S, _STANDING_S = 2.0, 5.0
"""After so much silence we look what is the matter; after so much one that should run is called stopped."""
HURRIED_S = 5
"""How long an engine that may be out of reach is given for an answer."""
_AGENT = "agent"


class Looks(Enum):
    """What is seen of an agent that is silent."""

    RUNS = "runs"
    STANDS = "stands"
    """Stopped or paused."""
    GONE = "gone"
    """It has ended, or its engine does not answer either."""


Looked = tuple[Looks, int]
"""And its pid, where it has one."""


class Pulse:
    """Of one agent.

    Args:
        send: writes to its stdin.
        look: asked when it is silent.
        tell: where events go.
        on_lost: called once, when it has been out of reach for too long.
        now: seconds since the session's start.
    """

    def __init__(
        self,
        send: Callable[[bytes], Awaitable[None]],
        look: Callable[[], Awaitable[Looked]],
        tell: Callable[[AnyEvent], None],
        on_lost: Callable[[], None],
        now: Callable[[], float],
    ) -> None:
        limit_s = silence_limit_s()
        self._silence = Silence(limit_s * _LONGER)
        self._let_go_s = limit_s
        self._send = send
        self._look = look
        self._tell = tell
        self._on_lost = on_lost
        self._now = now
        self._heard_at = _clock()
        self._was_heard = False
        self._stalled_at: float | None = None
        self._looks = Looks.RUNS
        self._looking: asyncio.Task[None] | None = None
        self._beating: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._beating = asyncio.create_task(self._beat())

    def stop(self) -> None:
        """Safe to call twice."""
        for task in filter(None, (self._beating, self._looking)):
            task.cancel()

    def heard(self) -> None:
        """It said something."""
        self._silence.heard()
        self._was_heard, self._heard_at = True, _clock()
        if self._stalled_at is not None:
            at, since = self._now(), self._stalled_at
            self._stalled_at = None
            self._tell(JarWentOn(at=at, part=_AGENT, stalled_s=at - since))

    @property
    def let_go_ago_s(self) -> float:
        """How long ago it let go, if it did so because it heard nothing."""
        return max(0.0, _clock() - self._heard_at - self._let_go_s)

    async def _beat(self) -> None:
        while not (self._silence.is_too_long and self._looks is Looks.GONE):
            with contextlib.suppress(TimeoutError):  # it reads nothing, and what we wrote fills the way to it
                await asyncio.wait_for(self._send(BEAT), LOOK_S)
            before = time.monotonic()
            await asyncio.sleep(LOOK_S)
            self._silence.passed(time.monotonic() - before)
            if self._silence.silent_s > _DOUBTFUL_S and (self._looking is None or self._looking.done()):
                self._looking = asyncio.create_task(self._doubt())
        self._on_lost()

    async def _doubt(self) -> None:
        self._looks, pid = await self._look()
        since_s = self._silence.silent_s  # it may have been heard meanwhile
        stands = self._looks is Looks.STANDS or (self._looks is Looks.RUNS and since_s > _STANDING_S)
        if stands and since_s and self._was_heard and self._stalled_at is None:
            self._stalled_at = self._now()
            self._tell(JarStalled(at=self._stalled_at, part=_AGENT, pid=pid))


def _clock() -> float:
    """Seconds, of which those that this machine slept are some."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def silence_limit_s() -> float:
    """How long an agent on another machine bears to hear nothing. Raises UsageError."""
    said = os.environ.get(_LIMIT) or _SILENCE_S
    with contextlib.suppress(ValueError):
        limit_s = float(said)
        if 0.0 <= limit_s < float("inf"):
            return limit_s
    raise UsageError(f"{_LIMIT}={said} is no number of seconds.", remedy=f"Write it like {_LIMIT}=30")


async def look_at_container(engine: Engine, container: str) -> Looked:
    """By what the engine says, if it says anything."""
    try:
        found = await asyncio.wait_for(engine.look(container), HURRIED_S)
    except (EngineError, NoSuchContainer, TimeoutError):
        return Looks.GONE, 0
    state = found["State"]
    if not state["Running"]:
        return Looks.GONE, 0
    return (Looks.STANDS if state.get("Paused") else Looks.RUNS), int(state["Pid"])


def look_at_process(parent: int) -> Looked:
    """Of this machine; the agent is the last of a line of only children, where it has any above it."""
    pid = parent
    with contextlib.suppress(OSError):
        while children := Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            pid = int(children[0])
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return Looks.GONE, 0
    return (Looks.STANDS if state in "tT" else Looks.RUNS), pid
