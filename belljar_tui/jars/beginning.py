"""The first half of a jar of containers: the agent's is made, attached and started in a thread of its own.

Who starts one early has it done while the rest of BellJar loads; the jar takes it over, however far it is. The agent
waits for its first message until then, and its stdin ends with us.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import msgspec

from belljar_tui.errors import BellJarError, EngineError, NoSuchImage, NoSuchNetwork
from belljar_tui.jars import agent_image
from belljar_tui.jars.early import EarlyAgent
from belljar_tui.jars.engine import Engine, Json
from belljar_tui.jars.plan import Plan, agent_config, command_of, own_check_of, require_sensible


class Found(msgspec.Struct, frozen=True):
    """What a plan comes to on the engine there is."""

    image: Json
    """The service's, as the engine says it."""
    agent_image: str
    command: tuple[str, ...]
    """What will run: as asked for, else as the image says."""

    @property
    def has_own_check(self) -> bool:
        """The image has a HEALTHCHECK."""
        return own_check_of(self.image) is not None

    @property
    def digest(self) -> str:
        """Of the image: of its repository where it has one, else its id."""
        digests = self.image.get("RepoDigests") or []
        return str(digests[0].rpartition("@")[2] if digests else self.image["Id"])


class Made(msgspec.Struct, frozen=True):
    """An agent's container that is there, attached, and about to run."""

    engine: Engine
    image: Json
    """The service's."""
    agent: str
    """Its id."""
    streams: Any
    """The SDK's, for `Attached.open`. What is written before it runs waits for it."""


class Beginning:
    """An agent's container on its way. Needs no event loop.

    Args:
        plan: the service's container.
        say: takes a line for the person who waits.
        session: what our containers are labelled with.
        early: what there is of it already; ours from here on.
    """

    def __init__(
        self, plan: Plan, say: Callable[[str], None], session: str = "", early: EarlyAgent | None = None
    ) -> None:
        """Raises UsageError for a plan that cannot be."""
        require_sensible(plan)
        self.plan = plan
        self.session = session or secrets.token_hex(6)
        self._early = early
        self._say = say
        self._found: Future[Found] = Future()
        self._made: Future[Made] = Future()
        self._is_unwanted = False
        self._is_taken = False
        thread = ThreadPoolExecutor(1, "beginning")
        self._started = thread.submit(asyncio.run, self._begin())
        thread.shutdown(wait=False)

    def found(self) -> Found:
        """What the engine has for it. Blocks. Raises EngineError when it cannot be carried out."""
        return self._found.result()

    async def take(self) -> Made:
        """Whoever takes it over sees to its end. Raises EngineError, and then nothing is left."""
        made = await asyncio.shield(asyncio.wrap_future(self._made))
        self._is_taken = True
        return made

    async def started(self) -> None:
        """Wait until it runs. Raises EngineError."""
        await asyncio.shield(asyncio.wrap_future(self._started))

    def dismiss(self) -> None:
        """It is not needed (any more), unless somebody took it: leave nothing behind. Blocks. Safe to call twice."""
        self._is_unwanted = True
        with contextlib.suppress(BellJarError):
            self._started.result()
        if self._is_taken or self._made.exception() is not None:
            return
        made, self._is_taken = self._made.result(), True
        asyncio.run(_end(made.engine, made.agent))

    async def _begin(self) -> None:
        try:
            made = await self._make()
        except BaseException as error:
            for unanswered in (self._found, self._made):
                if not unanswered.done():
                    unanswered.set_exception(error)
            raise
        self._made.set_result(made)
        if not self._is_unwanted and self._early is None:
            await made.engine.start(made.agent)

    async def _make(self) -> Made:
        """Leaves nothing behind when it fails."""
        agent = self._early.container if self._early is not None else ""
        try:
            engine = await Engine.connect()
        except BaseException:
            await self._forget_early()
            raise
        try:
            is_current = self._early is not None and await agent_image.is_ours(engine)
            found = await look_at(engine, self.plan, self._say)
            self._found.set_result(found)
            if self._early is not None:
                if is_current and await asyncio.to_thread(self._early.has_started):
                    return Made(engine, found.image, agent, self._early.streams)
                await self._forget_early()
            agent = await engine.create(agent_config(self.plan, found.agent_image, self.session))
            for network in self.plan.networks[1:]:
                await engine.connect_network(agent, network, self.plan.aliases)
            return Made(engine, found.image, agent, await engine.attach_streams(agent))
        except BaseException:
            await _end(engine, agent)
            raise

    async def _forget_early(self) -> None:
        """It is of an old image, or cannot be started: whoever begins anew is told why."""
        if self._early is not None:
            early, self._early = self._early, None
            await asyncio.to_thread(early.dismiss)


async def _end(engine: Engine, agent: str) -> None:
    if agent:
        await engine.remove(agent)
    await engine.close()


async def look_up(plan: Plan, say: Callable[[str], None]) -> Found:
    """Whether a plan can be carried out, and what the image says. The agent's image is there afterwards.

    Raises EngineError or UsageError.
    """
    require_sensible(plan)
    engine = await Engine.connect()
    try:
        return await look_at(engine, plan, say)
    finally:
        await engine.close()


async def look_at(engine: Engine, plan: Plan, say: Callable[[str], None]) -> Found:
    """The same, of an engine that is connected."""
    image, _ = await asyncio.gather(_service_image(engine, plan), _require_networks(engine, plan))
    return Found(image, await agent_image.require(engine, say), command_of(plan, image))


async def _service_image(engine: Engine, plan: Plan) -> Json:
    try:
        return await engine.image(plan.image)
    except NoSuchImage as error:
        raise NoSuchImage(
            f"The engine has no image {plan.image}.",
            "BellJar pulls nothing by itself.",
            f"Check the spelling (docker image ls), or get it: docker pull {plan.image}",
        ) from error


async def _require_networks(engine: Engine, plan: Plan) -> None:
    for network in plan.networks:
        try:
            await engine.network(network)
        except EngineError as error:
            raise NoSuchNetwork(
                f"The engine has no network {network}.", error.why, "See which there are: docker network ls"
            ) from error
