"""The native jar: plain Linux namespaces made by `unshare`, no daemon, no root needed where the kernel allows it.

    belljar ── setpriv --pdeathsig KILL ── unshare --kill-child ── agent (PID 1 of the jar) ── service

Each arrow dies with what is left of it, in the kernel, so `kill -9` of any one leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import deque
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from pathlib import Path

import msgspec
import psutil

from belljar_tui.core.events import AnyEvent, ServiceStarted, decode
from belljar_tui.core.model import Wanted
from belljar_tui.errors import AgentLost, JarError, MissingTool, NoUserNamespaces
from belljar_tui.jars import resolver_file, uplink
from belljar_tui.jars.standstill import LOOK_S, Standstill
from belljar_tui.wire import messages as msg

_LINE_BYTES = 16 << 20
_SOCK_DIAG = 4
"""NETLINK_SOCK_DIAG (linux/netlink.h)."""
GRACE_S = 2.0
_NAMESPACE_DEADLINE_S = 5.0
_KILLED_S = 2.0
"""A kernel that needs longer to end what was killed is very busy, or `unshare` was stopped by somebody."""
_READS_S = 2.0
"""How long the agent may take to read that it is to end."""
_WORDS_KEPT = 20
_CHILD_KILLED = "sigprocmask unblock failed"
"""What util-linux 2.38's `unshare` says when a signal ended its child, in place of the signal."""


class NamespaceJar:
    """An AgentClient whose agent is PID 1 of fresh namespaces on this machine.

    Args:
        prepare: what the agent is to do; name servers and the wait for a network are filled in here.
        lab: name of a built-in lab to join instead of the outside world.
        faults: what is broken in the lab, as `labs.faults` spells it.
        clock_zero: CLOCK_MONOTONIC at the session's start, seconds.
        grace_s: how long the service may take to end.
    """

    def __init__(
        self,
        prepare: msg.Prepare,
        *,
        lab: str | None = None,
        faults: Sequence[str] = (),
        clock_zero: float,
        grace_s: float = GRACE_S,
    ) -> None:
        self._prepare = msgspec.structs.replace(prepare, clock_zero=clock_zero)
        self._lab = lab
        self._faults = faults
        self._grace_s = grace_s
        self._process: Process | None = None
        self._pasta: Process | None = None
        self._words: deque[str] = deque(maxlen=_WORDS_KEPT)
        """The last lines the jar's processes wrote to stderr."""
        self._listening: list[asyncio.Task[None]] = []
        self._is_finishing = False
        self._has_way_out = True
        self._standstill = Standstill(lambda: time.monotonic() - clock_zero)

    async def start(self) -> None:
        """Make the namespaces, the way out, and begin. Raises errors.JarError."""
        pasta = None if self._lab else uplink.require_pasta()
        await _uninterrupted(self._make())
        prepare = self._prepare
        if pasta is not None:
            prepare = await self._join_outside(pasta)
        await self._send(prepare)

    async def events(self) -> AsyncIterator[AnyEvent]:
        """Every event until the agent ends. Raises errors.AgentLost when it ends unasked."""
        process = self._running()
        if process.stdout is None:
            raise AgentLost("The jar has no output.")
        while True:
            for event in self._standstill.look():
                yield event
            try:
                async with asyncio.timeout(LOOK_S):
                    line = await process.stdout.readline()
            except TimeoutError:
                continue
            if not line:
                break
            event = decode(line)
            if isinstance(event, ServiceStarted):
                self._standstill.watch_child("agent", process.pid)
            yield event
        code = await process.wait()
        if not self._is_finishing:
            await self._end_way_out()
            await asyncio.gather(*self._listening)
            raise self._lost(code)

    async def want(self, wanted: Wanted) -> None:
        """Tell the agent the whole wanted state."""
        await self._send(msg.Want(wanted))

    async def begin(self, wanted: Wanted, log_path: str = "", environment: Mapping[str, str] | None = None) -> None:
        """Start the service of a waiting jar with `wanted` in force. Raises errors.AgentLost when the jar has ended."""
        if self._running().returncode is not None:
            raise self._lost(self._running().returncode or 0)
        await self._send(msg.Begin(wanted, dict(environment or {}), log_path))

    async def end_service(self) -> None:
        """Ask for the end; `events` goes on to the last. `finish` waits for it, and sees that nothing is left."""
        self._is_finishing = True
        with contextlib.suppress(TimeoutError):  # it may have stopped reading: `finish` ends it in any case
            await asyncio.wait_for(self._send(msg.Finish(self._grace_s)), _READS_S)

    async def finish(self) -> None:
        """End the service and the agent; leave nothing behind. Safe to call twice."""
        if self._process is not None and self._process.returncode is None:
            if not self._is_finishing:
                await self.end_service()
            await self._ended(self._process, self._grace_s + 2)
        self._is_finishing = True
        await self._end_way_out()
        await asyncio.gather(*self._listening)

    async def _end_way_out(self) -> None:
        if self._pasta is not None and self._pasta.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._pasta.terminate()
            await self._ended(self._pasta, 1)

    async def _fail_without(self, pasta: Process) -> None:
        """Without its way out a jar's every call fails, and none of it says anything about the service: end the jar."""
        await pasta.wait()
        jar = self._running()
        if not self._is_finishing and jar.returncode is None:
            self._has_way_out = False
            with contextlib.suppress(ProcessLookupError):
                jar.kill()

    async def kill(self) -> None:
        """End all of it at once; leave nothing behind. Safe to call twice."""
        self._is_finishing = True
        if self._pasta is not None and self._pasta.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._pasta.kill()
        if self._process is not None:
            await self._kill_jar(self._process)
        if self._pasta is not None:
            await self._pasta.wait()
        await asyncio.gather(*self._listening)

    async def _kill_jar(self, unshare: Process) -> None:
        """Kill the agent, and wait for `unshare`, which ends when the kernel has ended the rest of the jar.

        Were `unshare` killed, nobody could tell when that is: asyncio waits for the agent's output to be closed, and
        the kernel closes the files of a PID 1 before it kills the others of its namespace.
        """
        if unshare.returncode is None:
            with contextlib.suppress(psutil.NoSuchProcess):
                itself = psutil.Process(unshare.pid)
                agents = itself.children()
                for agent in agents:
                    with contextlib.suppress(psutil.NoSuchProcess):
                        agent.kill()
                if not agents:  # it may be about to have one, whose end is the end of its input
                    itself.kill()  # not asyncio's kill: that reaps one that has just ended, and asyncio complains of it
        if unshare.stdin is not None:
            unshare.stdin.close()
        await self._ended(unshare, _KILLED_S)

    async def _make(self) -> None:
        with _machine_sockets() as machine:
            self._process = await asyncio.create_subprocess_exec(
                *self._command(),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                limit=_LINE_BYTES,
                start_new_session=True,
                pass_fds=(machine.fileno(),),
            )
            self._prepare = msgspec.structs.replace(self._prepare, machine_sockets=machine.fileno())
        self._listening.append(asyncio.create_task(self._listen_to(self._process)))

    def _command(self) -> list[str]:
        for tool in ("unshare", "setpriv"):
            if shutil.which(tool) is None:
                raise MissingTool(tool, "making the jar's namespaces", "Install it with: sudo apt install util-linux")
        agent = [sys.executable, "-P", "-m", "belljar_tui.agent.main"]
        launch = [sys.executable, "-P", "-m", "belljar_tui.labs.launch"]
        inner = [*launch, self._lab, *self._faults, "--", *agent] if self._lab else agent
        user = ["--user", "--map-root-user"] if os.geteuid() != 0 else []
        spaces = [*user, "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child"]
        return ["setpriv", "--pdeathsig", "KILL", "unshare", *spaces, "--", *inner]

    async def _join_outside(self, pasta: str) -> msg.Prepare:
        """Start pasta on the jar's namespaces; the agent waits for its route."""
        machine = resolver_file.read()
        servers = uplink.nameservers(machine)
        command = uplink.pasta_command(
            pasta,
            await self._agent_pid(),
            self._prepare.forwarded,
            maps_dns=uplink.DNS_ADDRESS in servers,
            is_root=os.geteuid() == 0,
        )
        await _uninterrupted(self._make_way_out(command))
        return msgspec.structs.replace(
            self._prepare,
            nameservers=servers,
            search=machine.search,
            wait_for_network_s=uplink.ROUTE_DEADLINE_S,
        )

    async def _make_way_out(self, command: list[str]) -> None:
        self._pasta = await asyncio.create_subprocess_exec(
            "setpriv", "--pdeathsig", "KILL", *command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE
        )
        self._standstill.watch("way out", self._pasta.pid)
        self._listening.append(asyncio.create_task(self._listen_to(self._pasta)))
        self._listening.append(asyncio.create_task(self._fail_without(self._pasta)))

    async def _agent_pid(self) -> int:
        """The agent's pid on this side: the one child of `unshare`, once its namespaces are made."""
        process = self._running()
        deadline = asyncio.get_running_loop().time() + _NAMESPACE_DEADLINE_S
        while asyncio.get_running_loop().time() < deadline:
            with contextlib.suppress(psutil.NoSuchProcess):
                children = psutil.Process(process.pid).children()
                if children:
                    return int(children[0].pid)
            if process.returncode is not None:
                break
            await asyncio.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await asyncio.gather(*self._listening)
        raise self._lost(process.returncode or 0)

    async def _send(self, message: msg.AnyMessage) -> None:
        process = self._running()
        if process.stdin is None:
            raise AgentLost("The jar has no input.")
        if process.stdin.is_closing():
            return
        with contextlib.suppress(ConnectionError):  # it ended: `events` says so, with the reason
            process.stdin.write(msg.encode(message) + b"\n")
            await process.stdin.drain()

    async def _ended(self, process: Process, deadline_s: float) -> None:
        try:
            await asyncio.wait_for(process.wait(), deadline_s)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    async def _listen_to(self, process: Process) -> None:
        if process.stderr is None:
            return
        async for line in process.stderr:
            self._words.append(line.decode(errors="replace").rstrip())

    def _running(self) -> Process:
        if self._process is None:
            raise AgentLost("The jar was not started.")
        return self._process

    def _lost(self, code: int) -> JarError:
        words = "\n".join(self._words)
        if "unshare" in words and "Operation not permitted" in words:
            return no_user_namespaces()
        if not self._has_way_out:
            return no_way_out(words)
        if code == 4:
            return JarError("The jar could not be sealed.", words, "belljar doctor says what this machine can do.")
        how = f"by signal {-code}" if code < 0 else f"with code {code}"
        if _CHILD_KILLED in words:
            how = "by a signal (somebody killed it, or the machine was out of memory)"
            words = "\n".join(line for line in self._words if _CHILD_KILLED not in line)
        return AgentLost(
            f"The jar's agent ended {how}; the service ended with it.", words, "The journal has everything up to then."
        )


def _machine_sockets() -> socket.socket:
    """A netlink socket that goes on to tell of this network namespace's sockets, wherever it is inherited to."""
    return socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG)


async def _uninterrupted(birth: Coroutine[None, None, None]) -> None:
    """Start a process to the end even when we are cancelled meanwhile: asyncio would wait for that process with the
    pipes still open that it is to die by, and nobody would know of it."""
    task = asyncio.create_task(birth)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


def no_way_out(words: str) -> JarError:
    """Why pasta ended, from its own words."""
    remedy = "belljar doctor says what this machine can do; the journal has everything up to then."
    if "open tun" in words or "/dev/net/tun" in words:
        remedy = "pasta must be able to open /dev/net/tun: sudo modprobe tun && sudo chmod 666 /dev/net/tun"
    said = "\n".join(line for line in words.splitlines() if "syslog" not in line)
    return JarError("The jar lost its way out: pasta ended, and the service with it.", said, remedy)


def no_user_namespaces() -> NoUserNamespaces:
    """Why this user may not make namespaces, from the settings that forbid it."""
    what = "This user may not make user namespaces."
    if _setting("kernel/apparmor_restrict_unprivileged_userns") == "1":
        return NoUserNamespaces(
            what,
            "Ubuntu's AppArmor restriction forbids it (kernel.apparmor_restrict_unprivileged_userns = 1).",
            "Run belljar as root (sudo), or allow it: sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        )
    if _setting("kernel/unprivileged_userns_clone") == "0":
        return NoUserNamespaces(
            what,
            "kernel.unprivileged_userns_clone is 0.",
            "Run belljar as root (sudo), or allow it: sudo sysctl kernel.unprivileged_userns_clone=1",
        )
    if _setting("user/max_user_namespaces") == "0":
        return NoUserNamespaces(
            what,
            "user.max_user_namespaces is 0.",
            "Run belljar as root (sudo), or allow it: sudo sysctl user.max_user_namespaces=15000",
        )
    return NoUserNamespaces(
        what,
        "The kernel answered: operation not permitted (a container's seccomp profile does this, for one).",
        "Run belljar as root (sudo), or outside the container.",
    )


def _setting(name: str) -> str:
    try:
        return Path("/proc/sys", name).read_text().strip()
    except OSError:
        return ""
