"""What becomes of a container, and who takes its place: the engine's events, and a look for certain."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import TypeVar

import msgspec

from belljar_tui.errors import EngineError, NoSuchContainer
from belljar_tui.jars.engine import Engine, Json, seconds_of
from belljar_tui.jars.pulse import HURRIED_S
from belljar_tui.jars.reaching import CALL_S
from belljar_tui.jars.target import Target, name_of, target_of

_EVENTS = ("start", "die", "oom", "destroy", "rename")
_LOOK_S, _RETRY_S = 1.0, 0.25
"""Between two looks when no event came; between two tries of an engine that does not answer."""
_FATE_S = 1.5
"""How long a target whose agent ended may be on its way out."""
_SUCCESSOR_S = 10.0
"""How long the place of a removed container is kept for the next one before that is called the end."""


T = TypeVar("T")


class Fate(msgspec.Struct, frozen=True):
    """How a life of the target ended."""

    how: str
    """`exited`, `killed`, `out of memory` or `removed`."""
    code: int | None = None


class Life(msgspec.Struct, frozen=True):
    """A container that runs, from one start to its end."""

    container: Json
    """As inspected."""

    @property
    def id(self) -> str:
        return str(self.container["Id"])

    @property
    def pid(self) -> int:
        return int(self.container["State"]["Pid"])

    @property
    def started(self) -> str:
        return str(self.container["State"]["StartedAt"])

    @property
    def started_s(self) -> float:
        """Seconds since the epoch, by the engine's clock."""
        return seconds_of(self.started)


class Following:
    """Follows one target through its lives.

    Args:
        on_engine: called with words when the engine is lost, and with none when it answers again.
        on_renamed: called with the old and the new name.
    """

    def __init__(
        self, engine: Engine, target: Target, on_engine: Callable[[str], None], on_renamed: Callable[[str, str], None]
    ) -> None:
        self.target = target
        self.engine_losses = 0
        self._engine = engine
        self._on_engine = on_engine
        self._on_renamed = on_renamed
        self._changed = asyncio.Event()
        self._was_oom = False
        self._code: int | None = None
        self._end: Callable[[], None] = lambda: None
        self._watching: asyncio.Task[None] | None = None
        self._is_engine_lost = False
        self._is_over = asyncio.Event()

    def start(self) -> None:
        """Watch from now on. Raises EngineError."""
        self._watch()
        self._watching = asyncio.create_task(self._keep_watching())

    def stop(self) -> None:
        """Safe to call twice."""
        if self._watching is not None:
            self._watching.cancel()
        self._end()

    async def fate_of(self, life: Life) -> Fate | None:
        """How this life ended; None when it goes on. Waits a little for one that is just ending."""
        end = asyncio.get_running_loop().time() + _FATE_S
        while asyncio.get_running_loop().time() < end:
            found = await self._look(life.id)
            if found is None or not found["State"]["Running"] or found["State"]["StartedAt"] != life.started:
                return self._fate(found)
            await self._change(0.05)
        return None

    async def next_life(self, last: Life, on_gone: Callable[[], None]) -> Life:
        """Wait until it runs again, or another one in its place. `on_gone`: it was removed, and nothing came."""
        loop = asyncio.get_running_loop()
        gone_at: float | None = None
        while True:
            self._changed.clear()
            found = await self._look(last.id)
            if found is None:
                gone_at = loop.time() if gone_at is None else gone_at
            elif found["State"]["Running"] and found["State"]["StartedAt"] != last.started:
                return self._began(found)
            successor = await self._successor(last)
            if successor is not None:
                return self._began(successor)
            if gone_at is not None and loop.time() - gone_at > _SUCCESSOR_S:
                on_gone()
                gone_at = float("inf")
            await self._change(_LOOK_S)

    def _began(self, container: Json) -> Life:
        self.target = msgspec.structs.replace(target_of(container), name=self.target.name)
        self._rename(str(container["Name"]).lstrip("/"))
        self._was_oom, self._code = False, None
        return Life(container)

    def _fate(self, found: Json | None) -> Fate:
        state = found["State"] if found is not None else {}
        has_ended = bool(state) and not state["Running"]
        code = self._code if self._code is not None or not has_ended else int(state["ExitCode"])
        if self._was_oom or (has_ended and state.get("OOMKilled")):
            return Fate("out of memory", _signed(code))
        if found is None and code is None:
            return Fate("removed")
        signed = _signed(code)
        return Fate("killed" if signed is not None and signed < 0 else "exited", signed)

    async def _successor(self, last: Life) -> Json | None:
        """A container that runs in the target's place."""
        for each in await self._patiently(lambda: self._engine.containers({"status": ["running"]})):
            if each["Id"] != last.id and self.target.is_same(name_of(each), each.get("Labels") or {}):
                return await self._look(each["Id"])
        return None

    async def _look(self, container: str) -> Json | None:
        """As it is now; None when there is no such container (any more)."""
        try:
            return await self._patiently(lambda: self._engine.container(container))
        except NoSuchContainer:
            return None

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """The engine's answer, however long it is away. Raises NoSuchContainer."""
        while True:
            try:
                answer = await ask()
            except NoSuchContainer:
                raise
            except EngineError as error:
                self.lose_engine(error.why or error.what)
                await asyncio.sleep(_RETRY_S)
                continue
            self._have_engine()
            return answer

    async def _change(self, at_most_s: float) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), at_most_s)

    def _watch(self) -> None:
        self._is_over.clear()
        self._end = self._engine.watch({"type": ["container"], "event": list(_EVENTS)}, self._take, self._is_over.set)

    async def _keep_watching(self) -> None:
        """The engine's events end with the engine: watch anew when it is back, and look what was missed."""
        while True:
            await self._is_over.wait()
            self.lose_engine("its events ended")
            while True:
                await asyncio.sleep(_RETRY_S)
                with contextlib.suppress(EngineError):
                    await self._engine.version()  # what blocks here would hold up all of us
                    self._watch()
                    break
            self._have_engine()
            self._changed.set()

    def _take(self, event: Json) -> None:
        about = event.get("Actor") or {}
        facts = about.get("Attributes") or {}
        if about.get("ID") == self.target.container:
            match event.get("Action"):
                case "oom":
                    self._was_oom = True
                case "die":
                    self._code = int(facts.get("exitCode", 0))
                case "rename":
                    self._rename(str(facts.get("name", "")))
        self._changed.set()

    def _rename(self, name: str) -> None:
        before = self.target.name
        if name and name != before:
            self.target = msgspec.structs.replace(self.target, name=name)
            self._on_renamed(before, name)

    def lose_engine(self, words: str) -> None:
        """It does not answer: say so once, and give it little time for each answer until it is back."""
        if not self._is_engine_lost:
            self._is_engine_lost = True
            self.engine_losses += 1
            self._engine.hurry(HURRIED_S)
            self._on_engine(words or "it does not answer")

    def _have_engine(self) -> None:
        if self._is_engine_lost:
            self._is_engine_lost = False
            self._engine.hurry(CALL_S)
            self._on_engine("")


def _signed(code: int | None) -> int | None:
    """A shell's 128 + n is the signal n."""
    return code if code is None or not 128 < code < 160 else 128 - code
