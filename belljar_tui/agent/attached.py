"""The agent's side of a service that ran before it and is to run on: it looks, and lets go without a trace.

Its files are read where it has them, its processes are those in our network namespace (in a PID namespace that others
share, /proc shows theirs too), and its connections from before are dependencies like those it makes from now on.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from belljar_tui.agent import conntrack, contained, mounts, target_files
from belljar_tui.agent.names import NameServer
from belljar_tui.agent.network import loopback_is_up

_LAST_ANSWERS_S = 0.5


class Attachment:
    """What is particular to a target.

    Args:
        pid: the service's first process; 0: the first process there is.
    """

    def __init__(self, pid: int = 0) -> None:
        self._netns = _netns_of("self")
        self._outside: set[int] = set()
        """Pids known to be in other network namespaces, since the last `forget`."""
        self.service = pid or self._first()
        """0 when there is none (any more)."""

    def require_loopback(self) -> None:
        """Raises OSError where loopback is down: it is the target's, and not ours to raise."""
        if not loopback_is_up():
            raise OSError("loopback is down in the target's network namespace; raise it there: ip link set lo up")

    def is_inside(self, pid: int) -> bool:
        """Whether a process is in our network namespace."""
        if pid in self._outside:
            return False
        if _netns_of(pid) == self._netns:
            return True
        self._outside.add(pid)
        return False

    def forget(self) -> None:
        """Look at every process anew from now on."""
        self._outside.clear()

    def is_check(self, pid: int) -> bool:
        """Whether somebody entered with this process from outside: the engine (`docker exec`, and so health checks), or
        our own side."""
        return pid != self.service and contained.parent_of(pid) in (0, os.getppid())

    def nameservers(self) -> tuple[str, ...]:
        """Those of the target's resolver file; of our own, where that cannot be read."""
        text = target_files.read(self.service, "/etc/resolv.conf")
        return contained.nameservers_in(text) if text else contained.nameservers()

    def hosts(self) -> dict[str, str]:
        """Address -> name of the target's hosts file."""
        return mounts.hosts_in(target_files.read(self.service, "/etc/hosts"))

    async def let_go(self, close_table: Callable[[], None], names: NameServer, port: int) -> None:
        """The table first, then what the kernel remembers of it; whoever asked us for a name still gets its answer."""
        close_table()
        await names.settle(_LAST_ANSWERS_S)
        conntrack.forget_redirected(port)

    def _first(self) -> int:
        living = sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
        return next((pid for pid in living if self.is_inside(pid)), 0)


def _netns_of(pid: int | str) -> int:
    """Inode of a process's network namespace; 0 when it is gone, or closed to us."""
    try:
        return os.stat(f"/proc/{pid}/ns/net").st_ino  # noqa: PTH116
    except OSError:
        return 0
