"""The way out, for certain: a terminal that takes no more output must not keep the explorer, and its jar, alive.

Textual writes to the terminal from a thread with a bounded queue. Where nobody reads the terminal any more, that queue
fills and the main thread waits for it, deaf to the event loop and to every handler that the loop would run.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

LEAVING_S = 10.0
"""A service's grace, the jar's end and the last frame, with room to spare."""


def leave_for_sure(code: int, after_s: float = LEAVING_S) -> None:
    """End this process after `after_s`, whatever the main thread waits for. The kernel ends the jar with it."""
    timer = threading.Timer(after_s, os._exit, (code,))
    timer.daemon = True  # or it would keep alive a process that left in time
    timer.start()


def on_signal(number: signal.Signals, handle: Callable[[], object]) -> None:
    """Call `handle` in the running loop when the signal comes, and end in any case.

    An event loop's own signal handler would not do: it runs when the loop does. This one runs wherever the main thread
    is, a lock it waits for included.
    """
    loop = asyncio.get_running_loop()

    def came(_: int, __: FrameType | None) -> None:
        leave_for_sure(128 + number)
        loop.call_soon_threadsafe(handle)

    signal.signal(number, came)
