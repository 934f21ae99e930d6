"""A process as a target: its end, and checks that are commands, run where it is and as the user it is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
from asyncio.subprocess import DEVNULL, PIPE, STDOUT
from collections.abc import Sequence
from pathlib import Path

from belljar_tui.errors import EngineError, TargetUnfit
from belljar_tui.jars.engine import Json

_SAID_BYTES = 4096


class ProcessRoom:
    """What an engine is to a container, for a process. It is held by a descriptor: another one of its pid is not it."""

    def __init__(self, pid: int) -> None:
        """Raises TargetUnfit when it is gone."""
        self._pid = pid
        try:
            self._descriptor = os.pidfd_open(pid)
        except OSError as error:
            raise TargetUnfit(f"Process {pid} is gone.") from error

    @property
    def has_ended(self) -> bool:
        return bool(select.select([self._descriptor], [], [], 0)[0])

    async def ended(self) -> None:
        """Wait for its end."""
        loop = asyncio.get_running_loop()
        end = asyncio.Event()
        loop.add_reader(self._descriptor, end.set)
        try:
            await end.wait()
        finally:
            loop.remove_reader(self._descriptor)

    async def execute(self, _container: str, command: Sequence[str]) -> tuple[int, str]:
        """Exit code and output. Raises EngineError when the process is gone."""
        if self.has_ended:
            raise EngineError(f"Process {self._pid} is gone.")
        try:
            environment = _environment(self._pid)
            entering = [*self._entering(), "--"]
        except OSError as error:
            raise EngineError(f"Process {self._pid} is gone.", str(error.strerror)) from error
        running = await asyncio.create_subprocess_exec(
            *entering, *command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT, env=environment, start_new_session=True
        )
        try:
            said, _ = await running.communicate()
        except asyncio.CancelledError:
            with contextlib.suppress(ProcessLookupError):
                running.kill()
            raise
        return running.returncode or 0, said[:_SAID_BYTES].decode(errors="replace").strip()

    async def container(self, name: str) -> Json:
        raise EngineError(f"{name}: no engine knows this process.")

    def _entering(self) -> list[str]:
        command = ["nsenter", "--target", str(self._pid), "--all", "--root", "--wd"]
        if os.geteuid() == 0:
            user, group = _identity(self._pid)
            command += ["--setuid", user, "--setgid", group]
        else:
            command.append("--preserve-credentials")
        return command


def _environment(pid: int) -> dict[str, str]:
    entries = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="replace").split("\0")
    return dict(entry.split("=", 1) for entry in entries if "=" in entry)


def _identity(pid: int) -> tuple[str, str]:
    """Effective user and group, as the process itself would name them where its user namespace is ours."""
    fields = {name: value.split() for name, _, value in (line.partition(":") for line in _status(pid).splitlines())}
    return fields["Uid"][1], fields["Gid"][1]


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()
