"""Starts the service inside the jar without any capability over it, and reaps what dies.

The service lives in a user namespace below the agent's: it sees its caller's own uid (or, for root, all of them), may
do to files what that user may, and has no capability over the jar's network or mounts (measured: it cannot delete the
table or take an interface down, root there or not).
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import resource
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

import msgspec

from belljar_tui.agent.unix import calls

_CLONE_NEWUSER = 0x10000000
_DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)
"""As we were started; lanes raise our own."""
_libc = ctypes.CDLL(None, use_errno=True)


class Identity(msgspec.Struct, frozen=True):
    """Who the service is, as it sees itself."""

    user: int
    group: int


class Spawner:
    """Forks programs and waits for them. One per agent, which is PID 1: orphans are reaped here too.

    Args:
        on_held: takes the descriptor on which a program's calls to unix sockets are told; None when they are not held.
    """

    def __init__(
        self,
        identity: Identity,
        environment: Mapping[str, str],
        directory: str,
        on_held: Callable[[int | None], None],
    ) -> None:
        self._on_held = on_held
        self._identity = identity
        self.environment = dict(environment)
        """Of whatever is started from here on."""
        self._directory = directory
        self._waiting: dict[int, asyncio.Future[int]] = {}
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)

    def start(self, command: Sequence[str], output: int) -> tuple[int, asyncio.Future[int]]:
        """Fork and execute `command`, its output on descriptor `output`.

        Returns:
            Its pid, and a future of its exit code (negative: a signal). A command that cannot be executed exits 127.
        """
        ready_read, ready_write = os.pipe()
        mapped_read, mapped_write = os.pipe()
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if pid == 0:
            self._become(command, output, ready_write, mapped_read, theirs)
        theirs.close()
        os.close(ready_write)
        os.close(mapped_read)
        os.read(ready_read, 1)
        self._map_identity(pid)
        os.write(mapped_write, b"!")
        os.close(ready_read)
        os.close(mapped_write)
        with ours:
            self._on_held(calls.received(ours))
        ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._waiting[pid] = ended
        return pid, ended

    async def run_check(self, command: str) -> tuple[int, str]:
        """Run a check's shell command as the service; its exit code and output (at most 4 KiB)."""
        read, write = os.pipe()
        pid, ended = self.start(("/bin/sh", "-c", command), write)
        os.close(write)
        try:
            code = await ended
        except asyncio.CancelledError:
            os.kill(pid, signal.SIGKILL)
            os.close(read)
            raise
        os.set_blocking(read, False)
        try:
            said = os.read(read, 4096)
        except BlockingIOError:
            said = b""
        finally:
            os.close(read)
        return code, said.decode(errors="replace").strip()

    def _become(self, command: Sequence[str], output: int, ready: int, mapped: int, holding: socket.socket) -> NoReturn:
        """The child's side; never returns."""
        try:
            os.setsid()
            resource.setrlimit(resource.RLIMIT_NOFILE, _DESCRIPTORS)
            for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, ())
            if _libc.unshare(_CLONE_NEWUSER) != 0:
                raise OSError(ctypes.get_errno(), "unshare of a user namespace")
            os.write(ready, b"!")
            os.read(mapped, 1)
            calls.hold_own_calls(holding)
            os.setresgid(*(self._identity.group,) * 3)
            os.setresuid(*(self._identity.user,) * 3)
            nothing = os.open("/dev/null", os.O_RDONLY)
            for target, source in ((0, nothing), (1, output), (2, output)):
                os.dup2(source, target)
            os.closerange(3, 4096)
            os.chdir(self._directory)
            os.execvpe(command[0], list(command), self.environment)
        except OSError as error:
            os.write(2, f"belljar: {command[0]}: {error.strerror}\n".encode())
        except BaseException as error:  # noqa: BLE001  # a forked child must never run the parent's code
            os.write(2, f"belljar: {error}\n".encode())
        os._exit(127)

    def _map_identity(self, pid: int) -> None:
        """Write the child's id maps. As real root all ids are mapped, so `su` and file ownership work; else one."""
        owner_map = Path("/proc/self/uid_map").read_text().split()
        has_all = owner_map[2] == "4294967295"
        uids = "0 0 4294967295" if has_all else f"{self._identity.user} 0 1"
        gids = "0 0 4294967295" if has_all else f"{self._identity.group} 0 1"
        if not has_all:
            Path(f"/proc/{pid}/setgroups").write_text("deny")
        Path(f"/proc/{pid}/uid_map").write_text(uids)
        Path(f"/proc/{pid}/gid_map").write_text(gids)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            waiting = self._waiting.pop(pid, None)
            if waiting is not None and not waiting.done():
                waiting.set_result(os.waitstatus_to_exitcode(status))
