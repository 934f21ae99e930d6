"""The jar of containers: the agent's holds the namespaces and joins the networks, the service's joins the agent's.

    belljar ── attached stdin/stdout ── agent container (PID 1 of the jar) ◀── joins ── service container

When we end, however we end, the agent's stdin ends and so does the agent; with PID 1 the kernel ends the service; and
the engine removes both, as they were created to be.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from pathlib import Path
from typing import Any

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.check import IMAGE_CHECK
from belljar_tui.core.model import Wanted
from belljar_tui.errors import AgentLost, BellJarError, EngineError, JarError, Unsealed
from belljar_tui.jars.attached import STDOUT, Attached, Lines
from belljar_tui.jars.beginning import Beginning
from belljar_tui.jars.engine import Engine, Json
from belljar_tui.jars.engine_checks import EngineChecks
from belljar_tui.jars.holes import holes_of
from belljar_tui.jars.neighbours import NeighbourWatch
from belljar_tui.jars.plan import DEFAULT_NETWORK, Plan, command_of, own_check_of, service_config
from belljar_tui.jars.pulse import HURRIED_S, Pulse, look_at_container, silence_limit_s
from belljar_tui.jars.service_output import ServiceOutput
from belljar_tui.wire import messages as msg
from belljar_tui.wire.closing import CLOSED
from belljar_tui.wire.silence import UNHEARD

_GRACE_S = 2.0
_WORDS_KEPT = 20
_EVENTS_KEPT = 10_000
_LAST_S = 2.0
"""How long the agent may take for its last counts."""
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class DockerJar:
    """An AgentClient (and, with `is_waiting`, a trial's WaitingJar) made of two containers.

    Args:
        plan: the service's container.
        prepare: what the agent is to do; where it lives and its clock are filled in here.
        beginning: its agent's container, where that was begun ahead; the jar's from here on.
        log_path: where the service's output goes; empty: nowhere.
        clock_zero: CLOCK_MONOTONIC at the session's start, seconds.
        grace_s: how long the service may take to end.
        say: takes a line for the person who waits.
    """

    def __init__(
        self,
        plan: Plan,
        prepare: msg.Prepare,
        *,
        beginning: Beginning | None = None,
        log_path: str = "",
        clock_zero: float,
        grace_s: float = _GRACE_S,
        say: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._plan = plan
        self._prepare = prepare
        self._log_path = log_path
        self._clock_zero = clock_zero
        self._grace_s = grace_s
        self._say = say
        self._beginning = beginning
        self._session = ""
        """What our containers are labelled with."""
        self._engine: Engine | None = None
        self._image: Json = {}
        self._service_made: asyncio.Task[str] | None = None
        """What was asked for is made, even if nobody waits for it any more."""
        self._service_ready: asyncio.Task[str] | None = None
        self._agent: Attached | None = None
        self._agent_exit: asyncio.Future[int] | None = None
        self._agent_id = ""
        self._pulse: Pulse | None = None
        self._starting: asyncio.Task[None] | None = None
        self._is_open = asyncio.Event()
        """The seal is proven and the wanted state in force."""
        self._service = ""
        self._service_exit: asyncio.Future[int] | None = None
        self._starts: asyncio.Queue[Json] = asyncio.Queue()
        """The engine's event for each start of the service."""
        self._output: ServiceOutput | None = None
        self._environment: dict[str, str] = {}
        self._tasks: list[asyncio.Task[Any]] = []
        self._stops: list[Callable[[], None]] = []
        self._events: asyncio.Queue[ev.AnyEvent | None] = asyncio.Queue(_EVENTS_KEPT)
        self._words: deque[str] = deque(maxlen=_WORDS_KEPT)
        self._failure: BellJarError | None = None
        self._is_finishing = False

    async def start(self) -> None:
        """Make the agent's container and begin. Raises errors.JarError and UsageError."""
        beginning = self._beginning = self._beginning or Beginning(self._plan, self._say)
        made = await beginning.take()
        engine = self._engine = made.engine
        self._session, self._image, self._agent_id = beginning.session, made.image, made.agent
        self._agent = await Attached.open(made.streams)
        await self._send(self._prepared())
        self._do(self._read_agent(self._agent))
        if not self._prepare.is_waiting:
            self._create_service()
        for hole in holes_of(self._plan, self._now()):
            await self._events.put(hole)
        await beginning.started()
        self._agent_exit = engine.exited(made.agent, is_started=True)
        if self._service_ready is not None:
            await asyncio.wait([self._service_ready])  # its start waits for this, and for nothing below
        networks = [n for n in self._plan.networks or (DEFAULT_NETWORK,) if n != "none"]
        watch = NeighbourWatch(engine, networks, self._send)
        watch.start()
        self._stops.append(watch.stop)
        self._pulse = Pulse(
            self._say_beat, lambda: look_at_container(engine, made.agent), self._tell, self._give_up, self._now
        )
        self._pulse.start()
        self._stops.append(self._pulse.stop)

    async def events(self) -> AsyncIterator[ev.AnyEvent]:
        """Every event until the agent ends. Raises errors.AgentLost, or what went wrong, when it ends unasked."""
        while (event := await self._events.get()) is not None:
            yield event
        self._events.put_nowait(None)  # whoever asks again is told again
        if self._failure is not None:
            raise self._failure
        if not self._is_finishing:
            raise await self._lost()

    async def want(self, wanted: Wanted) -> None:
        """Tell the agent the whole wanted state."""
        await self._send(msg.Want(wanted))

    async def begin(self, wanted: Wanted, log_path: str = "", environment: Mapping[str, str] | None = None) -> None:
        """Start the service of a waiting jar with `wanted` in force. Raises errors.AgentLost when the jar has ended."""
        if self._agent_exit is None or self._agent_exit.done():
            raise await self._lost()
        self._log_path = log_path or self._log_path
        self._environment = dict(environment or {})
        self._create_service()
        await self._send(msg.Begin(wanted))

    async def end_service(self) -> None:
        """Ask for the end; `events` goes on to the last."""
        self._is_finishing = True
        self._do(self._end_service())

    async def finish(self) -> None:
        """End the service and the agent; leave nothing behind. Safe to call twice."""
        if not self._is_finishing and self._engine is not None:
            self._is_finishing = True
            await self._end_service()
        if self._agent_exit is not None and not self._agent_exit.done():
            await asyncio.wait([self._agent_exit], timeout=self._grace_s + _LAST_S)
        await self.kill()

    async def kill(self) -> None:
        """End all of it at once; leave nothing behind. Safe to call twice."""
        self._is_finishing = True
        engine = self._engine
        if engine is None:
            if self._beginning is not None:
                await asyncio.to_thread(self._beginning.dismiss)
            self._events.put_nowait(None)
            return
        await asyncio.gather(*filter(None, [self._service_ready]), return_exceptions=True)
        made = await asyncio.gather(*filter(None, [self._service_made]), return_exceptions=True)
        for stop in self._stops:
            stop()
        removing = [engine.remove(each) for each in (self._agent_id, *made) if isinstance(each, str)]
        await asyncio.gather(*removing, return_exceptions=True)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_S)
        for task in self._tasks:
            task.cancel()
        if self._agent is not None:
            self._agent.close()
        if self._events.full():
            self._events.get_nowait()
        self._events.put_nowait(None)  # also when the agent's own end did not get here
        self._engine = None
        await engine.close()

    def _now(self) -> float:
        return time.monotonic() - self._clock_zero

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        self._tasks.append(asyncio.create_task(work))

    def _prepared(self) -> msg.Prepare:
        try:
            boot_id = _BOOT.read_text().strip()
        except OSError:
            boot_id = "unknown"
        return msgspec.structs.replace(
            self._prepare,
            service=(),
            environment={},
            log_path="",
            place=msg.Place.CONTAINER,
            clock_zero=self._clock_zero,
            boot_id=boot_id,
            sent_at_s=self._now(),
            silence_s=silence_limit_s(),
        )

    def _create_service(self) -> None:
        uses_own = IMAGE_CHECK in self._prepare.health.checks
        config = service_config(
            self._plan,
            self._agent_id,
            self._session,
            environment=self._environment,
            own_check=own_check_of(self._image) if uses_own else None,
        )
        self._service_ready = asyncio.create_task(self._make_ready(config))

    async def _make_ready(self, config: Json) -> str:
        """All that its start needs, while the agent seals; no earlier: what is made and never started, stays."""
        engine = self._running()
        if self._beginning is not None:
            await self._beginning.started()
        self._service_made = asyncio.create_task(engine.create(config))
        service = await asyncio.shield(self._service_made)
        self._output = ServiceOutput(engine, service, self._log_path)
        self._watch_lives(engine, service, self._output)
        self._service_exit = engine.exited(service)
        await self._output.attach()
        self._do(self._output.keep())
        return service

    async def _start_service(self) -> None:
        """Nothing leaves the jar unseen any more: now it may begin."""
        engine, ready = self._running(), self._service_ready
        if ready is None:
            return
        try:
            self._service = await asyncio.shield(ready)
            await engine.start(self._service)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._starts.get(), _LAST_S)
        except EngineError as error:
            if await self._ends_unopened():
                return
            self._failure = JarError(
                f"The service's container cannot be started from {self._plan.image}.",
                error.why or error.what,
                "Try the same by hand: docker run --rm " + self._plan.image,
            )
            await self._end_agent()
            return
        while self._service_exit is not None and self._output is not None:
            await self._live(engine, self._service_exit)
            if self._is_finishing:
                return
            with contextlib.suppress(EngineError):  # it is gone: then nothing starts it again
                await self._output.attach_again()
            await self._starts.get()
            self._do(self._output.keep())
            self._service_exit = engine.exited(self._service, is_started=True)

    async def _ends_unopened(self) -> bool:
        """Whether the agent fails, or found no seal, before it opens the jar: then that is the reason of the end."""
        opened = asyncio.ensure_future(self._is_open.wait())
        ends: list[asyncio.Future[Any]] = [opened, *filter(None, [self._agent_exit])]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        opened.cancel()
        return not self._is_open.is_set() or self._failure is not None

    async def _live(self, engine: Engine, exited: asyncio.Future[int]) -> None:
        """From the service's start to its end: what it is asked, and what the agent is told."""
        await self._send(msg.ServiceBegan(command_of(self._plan, self._image)))
        checks = EngineChecks(engine, self._service, self._prepare.health, self._send)
        checks.start()
        self._stops.append(checks.stop)
        code = await exited
        checks.stop()
        await self._send(msg.ServiceEnded(128 - code if 128 < code < 160 else code))

    def _watch_lives(self, engine: Engine, service: str, output: ServiceOutput) -> None:
        """Somebody may restart it (`docker restart`): the jar's namespaces last, and the seal with them."""

        def take(event: Json) -> None:
            (output.saw_end if event["Action"] == "die" else self._starts.put_nowait)(event)

        filters = {"type": ["container"], "event": ["start", "die"], "container": [service]}
        self._stops.append(engine.watch(filters, take))

    async def _end_service(self) -> None:
        """Its stop signal, SIGKILL after the grace; then the agent's last counts and its end."""
        engine = self._engine
        if engine and self._service and self._service_exit is not None and not self._service_exit.done():
            await (engine.stop(self._service, self._grace_s) if self._grace_s else engine.kill(self._service))
            await asyncio.wait([self._service_exit], timeout=_LAST_S)
            await asyncio.sleep(0)  # who waits for it too tells the agent first
        if self._agent is not None:  # a start that failed half-way has none
            await self._send(msg.Finish(0))

    async def _end_agent(self) -> None:
        await self._send(msg.Finish(0))

    async def _read_agent(self, agent: Attached) -> None:
        """Its stdout is events, its stderr the last words of one that failed."""
        events, words = Lines(), Lines()
        async for stream, data in agent.frames():
            if self._pulse is not None:
                self._pulse.heard()
            if stream != STDOUT:
                self._words.extend(line.decode(errors="replace") for line in words.take(data))
                continue
            for line in filter(None, events.take(data)):
                if line == CLOSED:
                    self._may_start_early()
                else:
                    await self._take(ev.decode(line))
        await self._events.put(None)

    async def _take(self, event: ev.AnyEvent) -> None:
        await self._events.put(event)
        if isinstance(event, ev.ServiceAwaited):
            self._is_open.set()
            self._start_once()
        elif isinstance(event, ev.SealProven) and not event.ok and not self._prepare.is_waiting:
            self._failure = Unsealed("The jar's seal is not proven.", event.detail)
            await self._end_agent()

    def _may_start_early(self) -> None:
        """What the service calls waits in the jar until the seal is proven. One with a PID namespace of its own would
        outlive an agent that fails until then, so it has to wait itself; one of a trial waits for its trial."""
        if not self._prepare.is_waiting and not self._plan.has_own_pid:
            self._start_once()

    def _start_once(self) -> None:
        if self._starting is None:
            self._starting = asyncio.create_task(self._start_service())
            self._tasks.append(self._starting)

    async def _say_beat(self, beat: bytes) -> None:
        if self._agent is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._agent.write(beat)

    def _tell(self, event: ev.AnyEvent) -> None:
        if not self._events.full():
            self._events.put_nowait(event)

    def _give_up(self) -> None:
        """Neither the agent nor its engine is heard any more: to the person this is the end."""
        self._is_finishing = True
        self._failure = AgentLost(
            "Nothing is heard of the jar's agent any more, nor of its engine: the connection broke off.",
            f"An agent that hears nothing from here for {silence_limit_s():g} s ends the service.",
            "When it is back: belljar clean removes what may be left. The journal has everything up to then.",
        )
        if self._engine is not None:
            self._engine.hurry(HURRIED_S)
        if self._agent_exit is not None and not self._agent_exit.done():
            self._agent_exit.set_result(-1)
        if self._agent is not None:
            self._agent.close()

    async def _send(self, message: msg.AnyMessage) -> None:
        if self._agent is None:
            raise AgentLost("The jar was not started.")
        with contextlib.suppress(ConnectionError, RuntimeError):  # it ended: `events` says so, with the reason
            await self._agent.write(msg.encode(message) + b"\n")

    def _running(self) -> Engine:
        if self._engine is None:
            raise AgentLost("The jar was not started.")
        return self._engine

    async def _has_engine(self) -> bool:
        try:
            await asyncio.wait_for(self._running().version(), _LAST_S)
        except (JarError, TimeoutError):
            return False
        return True

    async def _lost(self) -> JarError:
        code = -1
        if self._agent_exit is not None:
            await asyncio.wait([self._agent_exit], timeout=_LAST_S)
            code = self._agent_exit.result() if self._agent_exit.done() else -1
        words = "\n".join(self._words)
        if code == 4:
            return JarError("The jar could not be sealed.", words, "belljar doctor says what this machine can do.")
        if code == UNHEARD:
            return AgentLost(
                f"The jar's agent heard nothing from here for {silence_limit_s():g} s: it ended, and the service too.",
                "It is on another machine: BellJar was stopped for that long, or the connection broke off.",
                "The journal has everything up to then.",
            )
        if code == -1 and not await self._has_engine():
            return AgentLost(
                "The Docker engine went away, and the jar's agent with it.",
                "The service ends with its agent. What the engine still has of them once it is back is left over.",
                "When it is back: belljar clean. The journal has everything up to then.",
            )
        return AgentLost(
            f"The jar's agent ended with code {code}; the service ended with it.",
            words,
            "The journal has everything up to then.",
        )
