"""An agent that enters a target's namespaces from outside. It is loaded before it is told which, so that little time is
between a target's start and its seal.

    setpriv --pdeathsig KILL python -m belljar_tui.agent.entering       in the target's network namespace, waits for:
      └── agent                                                        in its PID namespace too, with a /proc of it

The upper one stays outside of the PID namespace and does nothing but reap: a PID namespace does not end before each of
its processes is reaped, and a target's end must not wait for us.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

from belljar_tui.agent.loading import quickly

with quickly(without="typing_extensions"):  # msgspec takes it for Pythons that are older than ours
    import msgspec

    from belljar_tui.agent import dns_text, main, mounts  # what reads DNS too: nobody's query is to wait for it
    from belljar_tui.wire import messages as msg

_CLONE_NEWNS, _CLONE_NEWUSER, _CLONE_NEWPID, _CLONE_NEWNET = 0x00020000, 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG = 1
_LOADED = dns_text
_libc = ctypes.CDLL(None, use_errno=True)


def enter(where: msg.Enter) -> None:
    """Go there; returns in the process that is to be the agent. Raises OSError."""
    namespaces = [(where.user, _CLONE_NEWUSER), (where.net, _CLONE_NEWNET), (where.pid, _CLONE_NEWPID)]
    # all opened first: who has entered a user namespace cannot reach into its parent's processes any more
    for descriptor, kind in [(os.open(path, os.O_RDONLY | os.O_CLOEXEC), kind) for path, kind in namespaces if path]:
        _check(_libc.setns(descriptor, kind), "setns")
        os.close(descriptor)
    if not where.pid:
        return
    child = os.fork()
    if child:
        _end_as(child)
    _check(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    _check(_libc.unshare(_CLONE_NEWNS), "unshare of mounts")
    mounts.see_own_processes()


def _end_as(child: int) -> None:
    """Wait for the agent and end as it did."""
    for descriptor in (0, 1):
        os.close(descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 1)


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), what)


def _first_line() -> bytes:
    """Not a byte more: the rest of stdin is the agent's."""
    line = b""
    while not line.endswith(b"\n"):
        more = os.read(0, 1)
        if not more:
            return b""
        line += more
    return line


def run() -> None:
    """Wait for the one line that says where to, go there and be the agent. Exit code 4 where that cannot be."""
    line = _first_line()
    if not line:
        return
    try:
        where = msg.decode(line)
        if not isinstance(where, msg.Enter):
            raise SystemExit("the first message must be enter")
        enter(where)
    except (OSError, msgspec.MsgspecError) as error:
        sys.stderr.write(f"belljar agent: {error}\n")
        sys.exit(4)
    main.main()


if __name__ == "__main__":
    run()
