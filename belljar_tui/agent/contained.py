"""The agent's side of a service that is a container of its own: told of, not started.

The service's processes are in our PID namespace, joined from outside, so each that the engine started has no parent
here: the first is the service, later ones are the engine's (`docker exec`, and so health checks).
"""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.core import events as ev
from belljar_tui.wire import messages as msg

_RESOLVER = Path("/etc/resolv.conf")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def nameservers(path: Path = _RESOLVER) -> tuple[str, ...]:
    """Upstreams as the engine wrote them for the jar: its embedded resolver's 127.0.0.11, or outside servers."""
    try:
        return nameservers_in(path.read_text(errors="replace"))
    except OSError:
        return ()


def nameservers_in(text: str) -> tuple[str, ...]:
    """The same from a resolver file's content."""
    lines = [line.split() for line in text.splitlines()]
    return tuple(words[1] for words in lines if len(words) >= 2 and words[0] == "nameserver" and "%" not in words[1])


def clock_zero(prepare: msg.Prepare, now: float) -> float:
    """CLOCK_MONOTONIC at the session's start: exact on the kernel it was read on, else as of when we were told."""
    return prepare.clock_zero if _is_same_kernel(prepare) else now - prepare.sent_at_s


def silence_limit_s(prepare: msg.Prepare) -> float:
    """How long we bear to hear nothing. On one kernel forever: it ends our stdin with whoever told us what to do."""
    return 0.0 if _is_same_kernel(prepare) else prepare.silence_s


def _is_same_kernel(prepare: msg.Prepare) -> bool:
    try:
        return not prepare.boot_id or _BOOT.read_text().strip() == prepare.boot_id
    except OSError:
        return False


_VSOCK, _HOST, _ANY_PORT = 40, 2, 1
_NO_HOST = (errno.ENODEV, errno.ENETUNREACH, errno.EADDRNOTAVAIL)


def holes(at: float) -> Iterator[ev.HoleFound]:
    """What the engine's seccomp profile, ours and the service's alike, lets past every ruleset."""
    try:
        with socket.socket(_VSOCK, socket.SOCK_STREAM) as way:
            way.setblocking(False)
            has_host = way.connect_ex((_HOST, _ANY_PORT)) not in _NO_HOST
    except OSError:  # the profile refuses it, or the kernel has none
        return
    if has_host:
        remedy = "an engine whose seccomp profile refuses AF_VSOCK and io_uring, as Docker's does since 25"
        yield ev.HoleFound(at=at, path="vsock", source="the virtual machine's host", kind="family", remedy=remedy)


class Contained:
    """What only the user's side can know, and told us.

    Args:
        enforcer: whose directory learns neighbours' names.
        emit: where events go.
        now: seconds since the session's start.
    """

    def __init__(self, enforcer: Enforcer, emit: Callable[[ev.AnyEvent], None], now: Callable[[], float]) -> None:
        self._enforcer = enforcer
        self._emit = emit
        self._now = now
        self._service = 0
        self._said: dict[str, msg.Neighbour] = {}
        self._answers: dict[str, asyncio.Future[msg.CheckAnswered]] = {}

    def find_service(self) -> int:
        """The service's pid here; 0 when it has ended already, or has a PID namespace of its own."""
        living = (int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
        self._service = min((pid for pid in living if _has_no_parent(pid)), default=0)
        return self._service

    def is_check(self, pid: int) -> bool:
        """Whether the engine started this process beside the service."""
        return pid != self._service and self._service != 0 and _has_no_parent(pid)

    async def run_check(self, command: str) -> tuple[int, str]:
        """The next answer to `command` from the user's side, which runs it through the engine."""
        waiting = self._answers.get(command)
        if waiting is None or waiting.done():
            waiting = self._answers[command] = asyncio.get_running_loop().create_future()
        answer = await asyncio.shield(waiting)
        return answer.code, answer.said

    def take_answer(self, answer: msg.CheckAnswered) -> None:
        """Hand it to whoever waits for it; an answer that nobody waits for is old by the time somebody does."""
        waiting = self._answers.pop(answer.check, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def take_neighbours(self, known: msg.NeighboursKnown) -> None:
        """Name addresses that nobody resolved, and say what changed."""
        for neighbour in known.neighbours:
            self._enforcer.hint(neighbour.names, neighbour.addresses)
            if self._said.get(neighbour.name) != neighbour:
                self._said[neighbour.name] = neighbour
                self._say(neighbour)

    def _say(self, neighbour: msg.Neighbour) -> None:
        self._emit(
            ev.NeighbourChanged(
                at=self._now(),
                name=neighbour.name,
                names=list(neighbour.names),
                addresses=list(neighbour.addresses),
                is_up=neighbour.is_up,
            )
        )


def parent_of(pid: int) -> int:
    """0: it was started from outside of the PID namespace; -1: it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return -1
    return int(stat.rpartition(")")[2].split()[1])


def _has_no_parent(pid: int) -> bool:
    return parent_of(pid) == 0
