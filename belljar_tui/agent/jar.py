"""The agent of a jar of containers: closes the jar at once, says so, and then loads the rest of itself.

Where this kernel cannot hold what leaves, nothing is said, and the service's container waits for the whole agent.
"""

from __future__ import annotations

import ctypes
import os

from belljar_tui.agent.closed import ClosedJar
from belljar_tui.agent.loading import quickly
from belljar_tui.wire.closing import CLOSED

_PR_SET_DUMPABLE = 4


def run() -> None:
    """Does not return."""
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)  # before there can be anybody who would look into us
    try:
        closed = ClosedJar()
    except OSError:
        closed = None
    else:
        os.write(1, CLOSED + b"\n")
    with quickly():
        from belljar_tui.agent import main  # all that is slow to load
    main.main(closed)
