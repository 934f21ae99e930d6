"""The agent of a jar of containers: closes the jar at once, says so, and then loads the rest of itself.

Where this kernel cannot hold what leaves, nothing is said, and the service's container waits for the whole agent.
"""

from __future__ import annotations

import ctypes
import os
import signal

from belljar_tui.agent.closed import ClosedJar
from belljar_tui.agent.loading import quickly
from belljar_tui.wire.closing import CLOSED

_PR_SET_DUMPABLE = 4


def run() -> None:
    """Does not return."""
    # before there is a service that could look into us, or end us: of the signals that it can send us, which is PID 1,
    # Python heeds this one
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        closed = ClosedJar()
    except OSError:
        closed = None
    else:
        os.write(1, CLOSED + b"\n")
    with quickly():
        from belljar_tui.agent import main  # all that is slow to load
    main.main(closed)
