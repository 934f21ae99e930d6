"""The jar around what runs already. It changes nothing of the target's but for the one table, and fails open: when we
end, however we end, the kernel takes the table away and the target is as it was.

A target may end and come back; each of its lives gets an agent of its own, told the same wanted state.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Wanted
from belljar_tui.errors import AgentLost, BellJarError, EngineError, JarError, TargetUnfit, Unsealed
from belljar_tui.jars.engine import Engine
from belljar_tui.jars.engine_checks import EngineChecks, Executes
from belljar_tui.jars.following import Fate, Following, Life
from belljar_tui.jars.holes import holes_in
from belljar_tui.jars.lives import Lives
from belljar_tui.jars.neighbours import NeighbourWatch
from belljar_tui.jars.process import ProcessRoom
from belljar_tui.jars.pulse import Pulse, silence_limit_s
from belljar_tui.jars.target import Company, Target, company_of, company_of_process, require_fit
from belljar_tui.jars.waiting_agent import HOST, WaitingAgent
from belljar_tui.jars.ways import HostWay, Namespaces, SidecarWay, Way
from belljar_tui.wire import messages as msg
from belljar_tui.wire.silence import UNHEARD

_EVENTS_KEPT = 10_000
_LAST_S = 2.0
"""How long the agent's last words may take."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")
RESTARTED, ANEW, ENGINE_BACK, AWAY = "restarted", "created anew", "the engine came back", "BellJar was away"


class AttachJar:
    """An AgentClient around a running target.

    Args:
        target: what `target.find` found.
        prepare: what the agent is to do; where it lives and its clock are filled in here.
        via: `host` or `sidecar`.
        clock_zero: CLOCK_MONOTONIC at the session's start, seconds.
        waiting: an agent that was started ahead; ours from now on.
        say: takes a line for the person who waits.
    """

    def __init__(
        self,
        target: Target,
        prepare: msg.Prepare,
        *,
        via: str,
        clock_zero: float,
        waiting: WaitingAgent | None = None,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._target = target
        self._prepare = prepare
        self._wanted = prepare.wanted
        self._via = via
        self._clock_zero = clock_zero
        self._say = say
        self._waiting = waiting
        """Started ahead: for the first life by who made us, then one for each next."""
        self._session = secrets.token_hex(6)
        self._engine: Engine | None = None
        self._following: Following | None = None
        self._life: Life | None = None
        self._company = Company()
        self._way: Way | None = None
        self._pulse: Pulse | None = None
        self._is_inside = False
        """An agent is in there, and has not ended as far as we know."""
        self._entries = 0
        """Seals proven."""
        self._again = ""
        """Why this is not the first life."""
        self._unsealed_since_s = 0.0
        """Since when this life has run without the seal, in seconds since the epoch."""
        self._engine_ahead_s = 0.0
        """The engine's clock less ours."""
        self._let_go_ago_s = 0.0
        """How long an agent that was given up had let go by then."""
        self._losses = 0
        """How often the engine had been lost when this life was entered."""
        self._process = None if target.container else ProcessRoom(target.pid)
        self._lives = Lives()
        self._stops: list[Callable[[], None]] = []
        """What ends with a life."""
        self._living: asyncio.Task[None] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._events: asyncio.Queue[ev.AnyEvent | None] = asyncio.Queue(_EVENTS_KEPT)
        self._failure: BellJarError | None = None
        self._is_finishing = False

    async def start(self) -> None:
        """Enter the target and begin. Raises JarError and UsageError; then the target is as it was."""
        try:
            if self._target.container:
                await self._meet_engine()
            await self._enter()
        except BaseException:
            await asyncio.shield(self.finish())
            raise
        self._living = asyncio.create_task(self._live())
        if self._following is None:
            self._tasks.append(asyncio.create_task(self._watch_process()))

    async def events(self) -> AsyncIterator[ev.AnyEvent]:
        """Every event until the session ends. Raises errors.AgentLost, or what went wrong, when it ends unasked."""
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)  # whoever asks again is told again
        if self._failure is not None:
            raise self._failure

    async def want(self, wanted: Wanted) -> None:
        """Tell the agent the whole wanted state; while the target is away, it is kept for its return."""
        self._wanted = wanted
        await self._send(msg.Want(wanted))

    async def finish(self) -> None:
        """Let the target go. Safe to call twice."""
        if not self._is_finishing:
            self._is_finishing = True
            await self._send(msg.Finish(0))
        self._end_life()
        if self._pulse is not None:
            self._pulse.stop()
        if self._way is not None:
            await self._way.leave()
        living = self._living
        if living is not None and not living.done():
            if self._is_inside:
                await asyncio.wait([living], timeout=_LAST_S)
            living.cancel()
        for task in self._tasks:
            task.cancel()
        await self._events.put(None)
        if self._waiting is not None:
            self._waiting.dismiss()
        if self._following is not None:
            self._following.stop()
        if self._engine is not None:
            engine, self._engine = self._engine, None
            await engine.close()

    async def _meet_engine(self) -> None:
        """Look at the container as it is now, and follow it from here."""
        engine = self._engine = await Engine.connect()
        self._following = Following(engine, self._target, self._on_engine, self._on_renamed)
        self._following.start()
        container = await engine.container(self._target.container)
        require_fit(container)
        self._life = Life(container)
        if self._via != HOST:
            self._engine_ahead_s = await engine.ahead_s()

    async def _live(self) -> None:
        """Life after life, until somebody ends it or nothing can be followed any more."""
        try:
            while await self._watch_life():
                await self._enter_again()
        except BellJarError as error:
            self._failure = error
        await self._events.put(None)

    async def _watch_life(self) -> bool:
        """Pass on what the agent says until it ends; whether there may be another life."""
        way = self._way
        if way is not None and self._is_inside:
            async for line in way.lines():
                if self._pulse is not None:
                    self._pulse.heard()
                if line:
                    await self._take(ev.decode(line))
            self._is_inside = False
        ended_s = time.time()
        self._end_life()
        if self._pulse is not None:
            self._pulse.stop()
        if self._is_finishing or self._failure is not None:
            return False
        fate = await self._fate()
        was_unheard = fate is None and not self._has_lost_engine() and way is not None and await way.code() == UNHEARD
        if fate is None and not was_unheard and not self._has_lost_engine():
            raise await self._lost(way)
        if fate is not None and not self._entries:
            raise self._stopped_early()
        if way is not None:
            await way.leave()
        if fate is not None:
            await self._say_lost(fate)
        elif was_unheard and self._pulse is not None:
            self._again, self._unsealed_since_s = AWAY, ended_s - self._pulse.let_go_ago_s
        else:
            self._again, self._unsealed_since_s = ENGINE_BACK, ended_s - self._let_go_ago_s
        return self._following is not None

    async def _enter_again(self) -> None:
        """Wait for the target's return and enter it. One that ends while we enter is waited for again."""
        following, last = self._following, self._life
        if following is None or last is None:
            return
        if self._again not in (ENGINE_BACK, AWAY):
            self._life = await following.next_life(last, self._say_gone)
            self._again = RESTARTED if self._life.id == last.id else ANEW
            self._unsealed_since_s = self._life.started_s - self._engine_ahead_s
            self._target = following.target
        try:
            await self._enter()
        except TargetUnfit:
            return
        except EngineError:
            if not self._has_lost_engine():
                raise

    async def _enter(self) -> None:
        """Get an agent into the target's namespaces and tell it what is wanted."""
        self._losses = self._following.engine_losses if self._following is not None else 0
        try:
            self._way = await self._way_in()
            await self._way.enter()
        except EngineError as error:
            if self._life is not None and not self._has_lost_engine() and await self._fate() is not None:
                raise self._stopped_early() from error
            raise
        self._is_inside = True
        await self._send(self._prepared())
        self._feel(self._way)

    def _feel(self, way: Way) -> None:
        """Whether its agent is there."""

        def give_up() -> None:
            if self._pulse is not None:
                self._let_go_ago_s = self._pulse.let_go_ago_s
            if self._following is not None:
                self._following.lose_engine("nothing is heard of the agent any more, nor of its engine")
            way.give_up()

        self._let_go_ago_s = 0.0
        self._pulse = Pulse(lambda beat: way.send(beat.removesuffix(b"\n")), way.look, self._tell, give_up, self._now)
        self._pulse.start()

    async def _way_in(self) -> Way:
        if self._life is None or self._engine is None:
            self._company = company_of_process(self._target.pid)
            return self._host_way(self._target.pid)
        if self._via != HOST:
            self._company = await company_of(self._engine, self._life.container)
            return SidecarWay(self._engine, self._life.id, self._session, self._say)
        way = self._host_way(self._life.pid)
        self._company, now = await asyncio.gather(
            company_of(self._engine, self._life.container), self._engine.container(self._life.id)
        )
        if Life(now) != self._life and (Life(now).pid, Life(now).started) != (self._life.pid, self._life.started):
            await way.leave()  # these may be anybody's namespaces
            raise self._stopped_early()
        return way

    def _host_way(self, pid: int) -> HostWay:
        try:
            namespaces = Namespaces(pid)
        except ProcessLookupError as error:
            raise self._stopped_early() from error
        self._prepare = msgspec.structs.replace(self._prepare, target=namespaces.pid_inside)
        waiting, self._waiting = self._waiting or WaitingAgent(), None
        return HostWay(namespaces, waiting)

    def _prepared(self) -> msg.Prepare:
        try:
            boot_id = _BOOT.read_text().strip()
        except OSError:
            boot_id = "unknown"
        return msgspec.structs.replace(
            self._prepare,
            service=self._target.command,
            wanted=self._wanted,
            place=msg.Place.ATTACHED,
            clock_zero=self._clock_zero,
            boot_id=boot_id,
            sent_at_s=self._now(),
            silence_s=silence_limit_s(),
        )

    async def _take(self, event: ev.AnyEvent) -> None:
        await self._events.put(self._lives.told(event))
        if not isinstance(event, ev.SealProven):
            return
        if not event.ok:
            self._failure = Unsealed("The target's seal is not proven; it was let go.", event.detail)
            await self._send(msg.Finish(0))
            return
        await self._events.put(self._entered(event.at))
        if self._entries == 1 and self._life is not None:
            for hole in holes_in(self._life.container, event.at):
                await self._events.put(hole)
        self._begin_life()

    def _entered(self, at: float) -> ev.TargetEntered:
        since_s = self._unsealed_since_s
        self._entries += 1
        return ev.TargetEntered(
            at=at,
            target=self._target.name,
            via=self._via,
            container=self._life.id if self._life else "",
            image=self._target.image,
            owner=self._company.owner,
            shared_with=list(self._company.others),
            because=self._again,
            unsealed_s=max(0.0, time.time() - (self._now() - at) - since_s) if self._again else None,
        )

    def _begin_life(self) -> None:
        """What only our side can know of this life: checks that are commands, and who else is there."""
        self._again = ""
        room: Executes | None = self._process or self._engine
        if room is None:
            return
        checks = EngineChecks(room, self._life.id if self._life else "", self._prepare.health, self._send)
        if self._life is not None and self._engine is not None:
            watch = NeighbourWatch(self._engine, self._company.networks, self._send, ignored=self._life.id)
            watch.start()
            self._stops.append(watch.stop)
        checks.start()
        self._stops.append(checks.stop)
        if self._via == HOST and self._following is not None and self._waiting is None:
            self._waiting = WaitingAgent()

    def _end_life(self) -> None:
        for stop in self._stops:
            stop()
        self._stops.clear()

    async def _watch_process(self) -> None:
        """A process ends without a word, and leaves its namespaces to whoever is in them: let them go."""
        if self._process is not None:
            await self._process.ended()
        await self._send(msg.Finish(0))

    async def _fate(self) -> Fate | None:
        if self._following is not None and self._life is not None:
            return await self._following.fate_of(self._life)
        return Fate("exited") if self._process is not None and self._process.has_ended else None

    async def _say_lost(self, fate: Fate) -> None:
        at = self._now()
        is_for_good = self._following is None
        if fate.code is not None:
            await self._events.put(ev.ServiceExited(at=at, code=fate.code))
        for gone in self._lives.ended(at):
            await self._events.put(gone)
        await self._events.put(ev.TargetLost(at=at, how=fate.how, code=fate.code, is_for_good=is_for_good))
        if self._prepare.health.checks:
            detail = f"it does not run: {fate.how}" + (f", code {fate.code}" if fate.code is not None else "")
            check = self._prepare.health.checks[0]
            await self._events.put(ev.HealthChanged(at=at, health=Health.UNHEALTHY, check=check, detail=detail))

    def _say_gone(self) -> None:
        self._tell(ev.TargetLost(at=self._now(), how="removed", is_for_good=True))

    def _on_engine(self, words: str) -> None:
        at = self._now()
        self._tell(ev.EngineLost(at=at, detail=words) if words else ev.EngineReturned(at=at))
        if not words and self._is_inside and self._entries:
            self._end_life()  # what watched the engine has ended with it
            self._begin_life()

    def _on_renamed(self, before: str, name: str) -> None:
        self._target = msgspec.structs.replace(self._target, name=name)
        self._tell(ev.TargetRenamed(at=self._now(), before=before, name=name))

    def _tell(self, event: ev.AnyEvent) -> None:
        if not self._events.full():
            self._events.put_nowait(event)

    async def _send(self, message: msg.AnyMessage) -> None:
        if self._way is not None and self._is_inside:
            await self._way.send(msg.encode(message))

    def _now(self) -> float:
        return time.monotonic() - self._clock_zero

    def _has_lost_engine(self) -> bool:
        """Since this life was entered."""
        return self._following is not None and self._following.engine_losses != self._losses

    def _stopped_early(self) -> TargetUnfit:
        return TargetUnfit(
            f"{self._target.name} stopped while BellJar attached to it.",
            remedy="Start it, and see to it that it stays up: then attach again.",
        )

    async def _lost(self, way: Way | None) -> JarError:
        code = await way.code() if way is not None else -1
        words = "\n".join(way.words) if way is not None else ""
        if code == 4:
            remedy = "belljar doctor says what this machine can do."
            if "not permitted" in words or "exists" in words:
                remedy = "Is another BellJar attached to it already? Otherwise: " + remedy
            return JarError(f"{self._target.name} could not be sealed, and is as it was.", words, remedy)
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        return AgentLost(
            f"The agent ended {how}. {self._target.name} runs on without the seal, as it was before.",
            words,
            "Attach again to go on; the journal has everything up to then.",
        )
