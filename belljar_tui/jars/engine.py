"""The one door to a Docker engine. The SDK blocks, so each call is made in a thread; its errors end here as ours.

No thread holds up our end, however long the engine takes for its answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Literal, TypeVar

import docker
import requests
from docker.errors import APIError, DockerException, ImageNotFound, NotFound

from belljar_tui.errors import EngineDiskFull, EngineError, NoSuchContainer, NoSuchImage
from belljar_tui.jars.attached import STDOUT, Attached
from belljar_tui.jars.reaching import connected

_REMOVED_S, _REMOVED_AGAIN_S = 20.0, 2
"""How long a container may resist its removal, and how often it is asked for."""
_AT_ONCE = 8
"""Calls, as each may be a connection of its own; commands and what waits for an end are not counted."""
_PIECES = 64
"""Of a log, read ahead."""

Json = dict[str, Any]
"""What the engine answers, as it answers it; only this module and its callers in `jars` read it."""
T = TypeVar("T")


class Engine:
    """One engine. Raises EngineError (of which NoEngine, NoSuchImage, …) from every method."""

    def __init__(self, api: docker.APIClient) -> None:
        self._api = api
        self._at_once = threading.BoundedSemaphore(_AT_ONCE)

    @classmethod
    async def connect(cls) -> Engine:
        """The engine that DOCKER_HOST, or the current context of the `docker` command, names."""
        return cls(await asyncio.to_thread(connected))

    async def close(self) -> None:
        """Let go of the connection. What runs goes on."""
        await asyncio.to_thread(self._api.close)

    async def version(self) -> Json:
        return await self._call(self._api.version)

    async def ahead_s(self) -> float:
        """How far the engine's clock is ahead of ours, as well as that can be told from here."""
        before = time.time()
        said = str((await self._call(self._api.info))["SystemTime"])
        return seconds_of(said) - (before + time.time()) / 2

    async def image(self, name: str) -> Json:
        """Raises NoSuchImage when it is not there; nothing is pulled."""
        return await self._call(self._api.inspect_image, name)

    async def images(self, label: str) -> list[Json]:
        return await self._call(self._api.images, filters={"label": label})

    async def build(self, context: io.BytesIO, tag: str, labels: Mapping[str, str]) -> None:
        """Build a tar of a Dockerfile and what it copies, without a network. Raises EngineError with the last words."""
        await self._call(_build, self._api, context, tag, dict(labels))

    async def tag(self, image: str, repository: str, tag: str) -> None:
        await self._call(self._api.tag, image, repository, tag)

    async def network(self, name: str) -> Json:
        return await self._call(self._api.inspect_network, name)

    async def container(self, name: str) -> Json:
        """Raises NoSuchContainer."""
        try:
            return await self._call(self._api.inspect_container, name)
        except EngineError as error:
            if isinstance(error.__cause__, NotFound):
                raise NoSuchContainer(error.what, error.why) from error
            raise

    async def containers(self, filters: Mapping[str, Sequence[str]]) -> list[Json]:
        """Every container that fits, stopped ones too."""
        return await self._call(self._api.containers, all=True, filters=dict(filters))

    async def create(self, config: Json, name: str | None = None) -> str:
        """Create a container of an API configuration (`config`, `HostConfig` and `NetworkingConfig` in it). Its id."""
        made = await self._call(self._api.create_container_from_config, config, name)
        return str(made["Id"])

    async def connect_network(self, container: str, network: str, aliases: Sequence[str] = ()) -> None:
        await self._call(self._api.connect_container_to_network, container, network, aliases=list(aliases) or None)

    async def start(self, container: str) -> None:
        await self._call(self._api.start, container)

    async def stop(self, container: str, grace_s: float) -> None:
        """Its stop signal, and SIGKILL after `grace_s`. Nothing when it is gone."""
        with contextlib.suppress(EngineError):
            await self._call(self._api.stop, container, timeout=max(0, round(grace_s)))

    async def kill(self, container: str) -> None:
        """SIGKILL. Nothing when it does not run."""
        with contextlib.suppress(EngineError):
            await self._call(self._api.kill, container)

    async def remove(self, container: str) -> None:
        """End and remove it and its anonymous volumes, and wait until it is gone. Nothing when it is."""
        await self._call(_remove, self._api, container)

    async def execute(self, container: str, command: Sequence[str]) -> tuple[int, str]:
        """Run a command in it. Exit code and output.

        The engine may never end the answer of a command whose container ended under it: whoever waits is to give up.
        """
        return await _aside(_execute, self._api, container, command)

    async def look(self, container: str) -> Json:
        """As `container`, of an engine that may be out of reach: it waits for none of the calls before it."""
        return await _aside(self._api.inspect_container, container)

    def hurry(self, answer_s: int) -> None:
        """From now on it may take so long for an answer, and no longer."""
        self._api.timeout = answer_s

    async def attach(self, container: str) -> Attached:
        """Its stdin, stdout and stderr, from now on: attach before it is started, and nothing is missed."""
        return await Attached.open(await self.attach_streams(container))

    async def attach_streams(self, container: str) -> Any:
        """The same as the SDK gives it, for an `Attached` in another loop."""
        everything = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
        return await self._call(self._api.attach_socket, container, everything)

    async def has_log(self, container: str) -> bool:
        """Whether the engine can be asked what it said: that depends on its log driver."""
        try:
            await self._call(self._api.logs, container, tail=1)
        except EngineError:
            return False
        return True

    async def log_since(self, container: str, moment_s: float) -> AsyncIterator[tuple[int, bytes]]:
        """What it said after a moment of the engine's clock, and says until its end, as 1 and bytes.

        Raises EngineError.
        """
        loop = asyncio.get_running_loop()
        said: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES)
        stream: Any = await self._call(self._api.logs, container, stream=True, follow=True, since=moment_s)

        def read() -> None:
            with contextlib.suppress(DockerException, requests.RequestException, RuntimeError, ValueError, OSError):
                for piece in stream:
                    asyncio.run_coroutine_threadsafe(said.put(piece), loop).result()
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody reads any more
                asyncio.run_coroutine_threadsafe(said.put(None), loop)

        threading.Thread(target=read, name="engine-log", daemon=True).start()
        while (piece := await said.get()) is not None:
            yield STDOUT, piece

    def exited(self, container: str, *, is_started: bool = False) -> asyncio.Future[int]:
        """Its exit code, once it ends; -1 when nobody could say. Asked for before the start, nothing is missed.

        Args:
            is_started: it was started already, and may have ended since.
        """
        condition: Literal["not-running", "next-exit"] = "not-running" if is_started else "next-exit"
        loop = asyncio.get_running_loop()
        code: asyncio.Future[int] = loop.create_future()

        def wait() -> None:
            found = -1
            with contextlib.suppress(DockerException, requests.RequestException):
                found = int(self._api.wait(container, timeout=None, condition=condition)["StatusCode"])
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
                loop.call_soon_threadsafe(_settle, code, found)

        threading.Thread(target=wait, name="engine-wait", daemon=True).start()
        return code

    def watch(
        self,
        filters: Mapping[str, Sequence[str]],
        on_event: Callable[[Json], None],
        on_end: Callable[[], None] = lambda: None,
    ) -> Callable[[], None]:
        """Call `on_event`, in the loop, with each of the engine's events that fits, and `on_end` when the engine, or
        somebody else, ends that. Returns what ends it."""
        loop = asyncio.get_running_loop()
        stream: Any = _translated(self._api.events, decode=True, filters=dict(filters))

        def read() -> None:
            with contextlib.suppress(DockerException, requests.RequestException, RuntimeError, ValueError, OSError):
                for event in stream:
                    loop.call_soon_threadsafe(on_event, event)
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(on_end)

        threading.Thread(target=read, name="engine-events", daemon=True).start()
        return lambda: _closed(stream)

    async def _call(self, function: Callable[..., T], *arguments: Any, **named: Any) -> T:
        return await _aside(self._limited, function, arguments, named)

    def _limited(self, function: Callable[..., T], arguments: tuple[Any, ...], named: dict[str, Any]) -> T:
        with self._at_once:
            return function(*arguments, **named)


def seconds_of(text: str) -> float:
    """Seconds since the epoch of the engine's RFC 3339 with nanoseconds, which is more than Python reads."""
    whole, dot, rest = text.partition(".")
    digits = re.match(r"\d*", rest)
    fraction = digits[0] if digits else ""
    zone = rest[len(fraction) :] if dot else ""
    moment = datetime.fromisoformat((whole + zone).replace("Z", "+00:00"))
    return moment.timestamp() + (float(f"0.{fraction}") if fraction else 0.0)


async def _aside(function: Callable[..., T], *arguments: Any) -> T:
    """What it answers, from a thread of its own. Raises EngineError."""
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            settle: Callable[[], None] = partial(_settle, answer, _translated(function, *arguments))
        except BaseException as error:  # noqa: BLE001  # it is raised where it was asked for
            settle = partial(_settle_error, answer, error)
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody asks any more
            loop.call_soon_threadsafe(settle)

    threading.Thread(target=run, name="engine-aside", daemon=True).start()
    return await answer


def _settle(future: asyncio.Future[T], value: T) -> None:
    if not future.done():
        future.set_result(value)


def _settle_error(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)


def _translated(function: Callable[..., T], *arguments: Any, **named: Any) -> T:
    try:
        return function(*arguments, **named)
    except ImageNotFound as error:
        raise NoSuchImage(_words(error)) from error
    except APIError as error:
        raise _refused("The Docker engine refused.", _words(error)) from error
    except (DockerException, requests.RequestException) as error:
        raise EngineError("The Docker engine does not answer any more.", str(error).splitlines()[0][:300]) from error


def _refused(what: str, why: str) -> EngineError:
    """What the engine said no to; where that is plain from its words, what to do about it."""
    if "no space left on device" not in why:
        return EngineError(what, why)
    return EngineDiskFull(
        what, f"The engine's disk is full.\n{why}", "Make room there: docker system df, docker system prune"
    )


def _words(error: APIError) -> str:
    return str(error.explanation or error).strip()


def _build(api: docker.APIClient, context: io.BytesIO, tag: str, labels: dict[str, str]) -> None:
    said: list[str] = []
    for part in api.build(
        fileobj=context,
        custom_context=True,
        tag=tag,
        labels=labels,
        rm=True,
        forcerm=True,
        decode=True,
        network_mode="none",
    ):
        if "error" in part:
            raise _refused("The image could not be built.", "\n".join([*said[-8:], str(part["error"]).strip()]))
        said += [line for line in str(part.get("stream", "")).splitlines() if line.strip()]


def _remove(api: docker.APIClient, container: str) -> None:
    """Asks again where its removal is in progress: that one fails if somebody starts it meanwhile."""
    until = time.monotonic() + _REMOVED_S
    while True:
        try:
            api.remove_container(container, force=True, v=True)
            return
        except NotFound:
            return
        except APIError as error:
            if error.status_code != 409 or time.monotonic() > until:
                raise
        with contextlib.suppress(NotFound, requests.RequestException):
            api.wait(container, condition="removed", timeout=_REMOVED_AGAIN_S)


def _execute(api: docker.APIClient, container: str, command: Sequence[str]) -> tuple[int, str]:
    made = api.exec_create(container, list(command))
    said: bytes = api.exec_start(made["Id"])
    code = api.exec_inspect(made["Id"])["ExitCode"]
    return (1 if code is None else int(code)), said.decode(errors="replace").strip()


def _closed(stream: Any) -> None:
    with contextlib.suppress(DockerException, requests.RequestException, OSError, AttributeError):
        stream.close()
