"""The ways into a target's namespaces. Whichever is taken, the agent there is the same, and says the same.

host      belljar ── setpriv --pdeathsig KILL ── nsenter (by descriptors) ── agent
sidecar   belljar ── attached stdin/stdout ── agent container, joined to the target's namespaces
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
from collections import deque
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import IO, Protocol

from belljar_tui.errors import AgentLost, TargetUnfit
from belljar_tui.jars import agent_image
from belljar_tui.jars.attached import STDOUT, Attached, Lines
from belljar_tui.jars.engine import Engine, Json
from belljar_tui.jars.labels import labels_of
from belljar_tui.jars.plan import AGENT_MAY
from belljar_tui.jars.pulse import Looked, Looks, look_at_container, look_at_process
from belljar_tui.jars.waiting_agent import WaitingAgent
from belljar_tui.wire import messages as msg

_LINE_BYTES = 16 << 20
_WORDS_KEPT = 20
_LEAVE_S = 3.0


class Way(Protocol):
    """One agent in one life of the target."""

    words: deque[str]
    """The last lines that it wrote to stderr."""

    async def enter(self) -> None:
        """Start the agent there. Raises JarError, and then nothing is left."""

    async def send(self, line: bytes) -> None:
        """One message. Nothing happens when the agent has ended: `lines` says so."""

    def lines(self) -> AsyncIterator[bytes]:
        """What the agent says, until its end; empty ones are beats."""

    async def look(self) -> Looked:
        """How it looks from outside, where it says nothing."""

    def give_up(self) -> None:
        """Nothing more is awaited of it: to us it has ended, and to it we have."""

    async def code(self) -> int:
        """Its exit code, once it has ended; -1 when nobody knows."""

    async def leave(self) -> None:
        """Wait for its end a while, then see to it; nothing is left. Safe to call twice."""


class Namespaces:
    """A target's namespaces, held by descriptors: whatever becomes of its pid, these are what was meant."""

    def __init__(self, pid: int) -> None:
        """Raises ProcessLookupError when the process is gone, and TargetUnfit when it is closed to us."""
        self._open: dict[str, int] = {}
        try:
            for kind in ("net", "pid", "user"):
                self._open[kind] = os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)
            self.pid_inside = _pid_inside(pid)
        except PermissionError as error:
            self.close()
            raise TargetUnfit(
                f"The namespaces of process {pid} cannot be entered.",
                str(error.strerror).lower(),
                "Run belljar as root (sudo).",
            ) from error
        except OSError as error:
            self.close()
            raise ProcessLookupError(error.errno, f"process {pid} is gone") from error
        self.shares_pids = self._is_ours("pid")
        """Whether its PID namespace is the one we are in."""
        if self.shares_pids:
            self.pid_inside = pid

    def enter(self) -> msg.Enter:
        """What an agent is told: our descriptors, as it can reach them."""
        has_user = os.geteuid() != 0 and not self._is_ours("user")
        return msg.Enter(
            net=self._path("net"),
            pid="" if self.shares_pids else self._path("pid"),
            user=self._path("user") if has_user else "",
        )

    def close(self) -> None:
        """Safe to call twice."""
        for descriptor in self._open.values():
            os.close(descriptor)
        self._open.clear()

    def _path(self, kind: str) -> str:
        return f"/proc/{os.getpid()}/fd/{self._open[kind]}"

    def _is_ours(self, kind: str) -> bool:
        return os.fstat(self._open[kind]).st_ino == os.stat(f"/proc/self/ns/{kind}").st_ino  # noqa: PTH116


class HostWay:
    """Enters from this machine; needs root here (or the user namespace that owns the target's), and no image."""

    def __init__(self, namespaces: Namespaces, agent: WaitingAgent) -> None:
        self.words: deque[str] = deque(maxlen=_WORDS_KEPT)
        self._namespaces = namespaces
        self._agent = agent.process
        self._output: asyncio.StreamReader | None = None
        self._input: asyncio.StreamWriter | None = None
        self._listening: asyncio.Task[None] | None = None

    async def enter(self) -> None:
        self._output = await _reader(self._agent.stdout)
        self._listening = asyncio.create_task(self._listen(await _reader(self._agent.stderr)))
        self._input = await _writer(self._agent.stdin)
        await self.send(msg.encode(self._namespaces.enter()))

    async def send(self, line: bytes) -> None:
        if self._input is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                self._input.write(line + b"\n")
                await self._input.drain()

    async def lines(self) -> AsyncIterator[bytes]:
        while self._output is not None and (line := await self._output.readline()):
            yield line.removesuffix(b"\n")

    async def look(self) -> Looked:
        return look_at_process(self._agent.pid)

    def give_up(self) -> None:
        self._agent.kill()

    async def code(self) -> int:
        code = await asyncio.to_thread(self._agent.wait)
        if self._listening is not None:
            await self._listening
        return code

    async def leave(self) -> None:
        try:
            await asyncio.to_thread(self._agent.wait, _LEAVE_S)
        except subprocess.TimeoutExpired:
            self._agent.kill()
            await asyncio.to_thread(self._agent.wait)
        if self._input is not None:
            self._input.close()
        self._namespaces.close()

    async def _listen(self, said: asyncio.StreamReader) -> None:
        async for line in said:
            self.words.append(line.decode(errors="replace").rstrip())


class SidecarWay:
    """Enters by a container of the agent's image; works wherever the engine does."""

    def __init__(self, engine: Engine, target: str, session: str, say: Callable[[str], None]) -> None:
        self.words: deque[str] = deque(maxlen=_WORDS_KEPT)
        self._engine = engine
        self._target = target
        self._session = session
        self._say = say
        self._creating: asyncio.Task[str] | None = None
        self._attached: Attached | None = None
        self._exit: asyncio.Future[int] | None = None

    async def enter(self) -> None:
        image = await agent_image.require(self._engine, self._say)
        self._creating = asyncio.create_task(self._engine.create(sidecar_config(self._target, image, self._session)))
        container = await asyncio.shield(self._creating)  # what was asked for is made, and then not forgotten
        try:
            self._attached = await self._engine.attach(container)
            self._exit = self._engine.exited(container)
            await self._engine.start(container)
        except BaseException:
            await asyncio.shield(self.leave())
            raise

    async def send(self, line: bytes) -> None:
        if self._attached is not None:
            with contextlib.suppress(ConnectionError, RuntimeError):
                await self._attached.write(line + b"\n")

    async def lines(self) -> AsyncIterator[bytes]:
        if self._attached is None:
            raise AgentLost("The jar was not started.")
        events, words = Lines(), Lines()
        async for stream, data in self._attached.frames():
            if stream != STDOUT:
                self.words.extend(line.decode(errors="replace") for line in words.take(data))
                continue
            for line in events.take(data):
                yield line

    async def look(self) -> Looked:
        return await look_at_container(self._engine, await self._creating) if self._creating else (Looks.GONE, 0)

    def give_up(self) -> None:
        if self._attached is not None:
            self._attached.close()

    async def code(self) -> int:
        if self._exit is None:
            return -1
        await asyncio.wait([self._exit], timeout=_LEAVE_S)
        return self._exit.result() if self._exit.done() else -1

    async def leave(self) -> None:
        if self._exit is not None and not self._exit.done():
            await asyncio.wait([self._exit], timeout=_LEAVE_S)
        if self._creating is not None:
            with contextlib.suppress(Exception):
                await self._engine.remove(await self._creating)
        if self._attached is not None:
            self._attached.close()


def sidecar_config(target: str, image: str, session: str) -> Json:
    """The agent's container beside a target: all it may do, and nothing more."""
    return {
        "Image": image,
        "Labels": labels_of(session, "agent"),
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "HostConfig": {
            "AutoRemove": True,
            "CapDrop": ["ALL"],
            "CapAdd": list(AGENT_MAY),
            "SecurityOpt": ["no-new-privileges"],
            "ReadonlyRootfs": True,
            "LogConfig": {"Type": "none"},
            "NetworkMode": f"container:{target}",
            "PidMode": f"container:{target}",
        },
    }


def why_not_host(container: Json, owner: str) -> str:
    """Why we cannot enter this container from here; empty when we can."""
    if os.geteuid() != 0:
        return "belljar does not run as root"
    if shutil.which("setpriv") is None:
        return "setpriv is not installed"
    pid = container["State"]["Pid"]
    try:
        known = Path(f"/proc/{pid}/cgroup").read_text() + Path(f"/proc/{pid}/mountinfo").read_text()
    except OSError:
        known = ""
    if not any(each and each in known for each in (container["Id"], owner)):
        return "its engine is on another machine"
    return ""


async def _reader(pipe: IO[bytes] | None) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=_LINE_BYTES)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


async def _writer(pipe: IO[bytes] | None) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, pipe)
    return asyncio.StreamWriter(transport, protocol, None, loop)


def _pid_inside(pid: int) -> int:
    """A process's pid in its own PID namespace (man 5 proc, NSpid)."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return pid
