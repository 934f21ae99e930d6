"""One sealed run of a profile's service, from making the jar to what its events amounted to."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from belljar_tui.core.model import Health, Seal, Wanted
from belljar_tui.core.profile import Profile, wanted_of
from belljar_tui.core.state import State
from belljar_tui.errors import BellJarError, JarError, Unsealed
from belljar_tui.headless.asked import Asked
from belljar_tui.headless.opening import Opened, asked_for_profile, open_session
from belljar_tui.session import Session

_JAR_S = 60.0
"""Making the jar, its way out and the proof of its seal; no part of the profile's deadline."""
_SEAL_S = 10.0
_SOAK_ROUNDS = 2
"""Rounds of checks to watch after health, so that what the service calls once it is up is seen too."""
_LOOK_S = 0.1
"""How often an interruption is looked for."""
_LOG_LINES = 8


class Run(msgspec.Struct, kw_only=True):
    """What was seen. Times are seconds on the session's clock."""

    state: State = State()
    held: bool = False
    """Healthy in time, and to the end of the soak."""
    soak_s: float = 0.0
    cut_at: float | None = None
    """Steady: when the cut to the working set was in force."""
    exit_code: int | None = None
    """Of the service, where it ended by itself."""
    log: list[str] = []
    """The service's last words."""
    journal: str = ""
    unset: list[str] = []
    """Variables the profile names that are not set here."""
    trouble: str = ""
    """Why nothing was learned."""
    is_unsealed: bool = False
    """The trouble is the jar's: not made, not sealed, or lost."""
    is_interrupted: bool = False
    spent_s: float = 0.0
    """All of it, the jar included."""


async def sealed_run(profile: Profile, stop: asyncio.Event) -> Run:
    """Put the profile to the test once. Trouble is in the result, not raised; `stop` ends it early."""
    unset = [name for name in profile.service.environment if name not in os.environ]
    run = Run(soak_s=soak_s(profile), unset=unset)
    began = time.monotonic()
    try:
        opened = open_session(_asked(profile))
    except (BellJarError, OSError) as error:
        run.trouble, run.is_unsealed = str(error), isinstance(error, JarError)
        return run
    run.journal = str(opened.journal)
    try:
        await _watched(run, opened, profile, stop)
    except BellJarError as error:
        run.trouble, run.is_unsealed = str(error), True
    except OSError as error:  # a full disk, for one: the journal has no room
        run.trouble = f"{error.filename or 'The journal'}: {error.strerror}."
    run.state = opened.session.state
    run.log = _last_lines(opened.log)
    run.spent_s = round(time.monotonic() - began, 3)
    return run


def soak_s(profile: Profile) -> float:
    """Seconds to watch on: the profile's, or long enough to see a few rounds of checks, hanging ones too."""
    healthy = profile.healthy
    if profile.recovery.soak_s:
        return profile.recovery.soak_s
    rounds_s = healthy.every_s * _SOAK_ROUNDS
    return rounds_s if profile.recovery.kind == "cold" else rounds_s + healthy.timeout_s


def _asked(profile: Profile) -> Asked:
    """Cold starts under the cut; steady starts with everything open."""
    asked = asked_for_profile(profile)
    return asked if profile.recovery.kind == "cold" else msgspec.structs.replace(asked, wanted=Wanted())


async def _watched(run: Run, opened: Opened, profile: Profile, stop: asyncio.Event) -> None:
    """From the jar's start to its end, whatever happens."""
    session = opened.session
    watch = _Watch(session, stop)
    try:
        await session.start()
        watch.begin()
        watching = _watch_cold if profile.recovery.kind == "cold" else _watch_steady
        await watching(run, watch, profile)
    finally:
        run.exit_code = session.state.exit_code  # before we end it ourselves
        run.is_interrupted = stop.is_set() and not run.held
        await session.finish("verified")
        await watch.end()


async def _watch_cold(run: Run, watch: _Watch, profile: Profile) -> None:
    """Healthy before the deadline, and then for the soak; a fall on the way is forgiven while there is time."""
    limit = await _deadline(watch, profile)
    while await watch.until(_is_healthy, limit):
        if not await watch.until(_is_not_healthy, watch.now() + run.soak_s):
            run.held = not watch.is_over
            return


async def _watch_steady(run: Run, watch: _Watch, profile: Profile) -> None:
    """Healthy with everything open, then cut to the working set and healthy for the whole soak."""
    if not await watch.until(_is_healthy, await _deadline(watch, profile)):
        return
    await watch.session.client.want(wanted_of(profile))
    if not await watch.until(lambda state: state.seal is Seal.VACUUM, watch.now() + _SEAL_S):
        if not watch.is_over:
            raise Unsealed(f"The cut was not in force within {_SEAL_S:g} s.")
        return
    run.cut_at = watch.now()
    fell = await watch.until(_is_not_healthy, run.cut_at + run.soak_s)
    run.held = not fell and not watch.is_over


async def _deadline(watch: _Watch, profile: Profile) -> float:
    """The moment by which it must be healthy, once the service has been started."""
    await watch.until(lambda state: state.service_pid is not None, watch.now() + _JAR_S)
    return watch.session.state.service_started_at + profile.recovery.deadline_s


def _is_healthy(state: State) -> bool:
    return state.health is Health.HEALTHY


def _is_not_healthy(state: State) -> bool:
    return state.health is not Health.HEALTHY


class _Watch:
    """Waits for a session's state to become so, while somebody keeps listening."""

    def __init__(self, session: Session, stop: asyncio.Event) -> None:
        self.session = session
        self._stop = stop
        self._changed = asyncio.Event()
        self._listening: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._listening = asyncio.create_task(self._listen())

    def now(self) -> float:
        return self.session.now()

    @property
    def is_over(self) -> bool:
        """Nothing more will come of it: interrupted, ended, or not sealed."""
        state = self.session.state
        has_ended = self._listening is not None and self._listening.done()
        is_unsealed = state.proof is not None and not state.proof.ok
        return self._stop.is_set() or has_ended or state.exit_code is not None or is_unsealed

    async def until(self, is_so: Callable[[State], bool], limit: float) -> bool:
        """Whether the state became so before `limit` on the session's clock, and before it was over."""
        while not self.is_over:
            if is_so(self.session.state):
                return True
            left_s = limit - self.now()
            if left_s <= 0:
                return False
            self._changed.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._changed.wait(), min(left_s, _LOOK_S))
        return False

    async def end(self) -> None:
        """The last counts arrive after the end was asked for. Raises what listening raised."""
        if self._listening is not None:
            await self._listening

    async def _listen(self) -> None:
        async for _ in self.session.listen():
            self._changed.set()


def _last_lines(log: Path) -> list[str]:
    try:
        return log.read_text(errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []
