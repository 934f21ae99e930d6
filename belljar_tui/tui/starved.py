"""The end of an explorer that gets no memory: in words that were made before, on a terminal that is as it was.

Without memory nothing can be counted on, Textual's own way out least of all: it paints the traceback. So the process
ends at once, and the kernel ends the jar with it.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import termios
import threading
from contextlib import suppress
from typing import Any

from rich.traceback import Traceback

_FAULT = 70
"""As the command line's: a fault of ours, or of this machine's."""
_TOLD_S = 2.0
"""A terminal that takes no more output is left as it is."""
_RESTORED = (
    b"\x1b[?2004l\x1b[?7h\x1b[?2048l\x1b[?1000l\x1b[?1003l\x1b[?1015l\x1b[?1006l\x1b[<u\x1b[?1049l\x1b[?25h\x1b[?1004l"
)
"""What textual.drivers.linux_driver writes at its end: paste, wrapping, resizing, mouse, keyboard, screen, cursor,
focus."""


def is_of_memory(traceback: Traceback) -> bool:
    return any(stack.exc_type == MemoryError.__name__ for stack in traceback.trace.stacks)


class LastWords:
    """Made before the terminal is changed. `words`: what is said below the command, a whole text."""

    def __init__(self, words: str) -> None:
        self._bytes = _RESTORED + f"belljar: out of memory; {words}\n".encode()
        self._attributes: list[Any] | None = None
        with suppress(AttributeError, ValueError, OSError, termios.error):
            self._attributes = termios.tcgetattr(sys.__stdin__.fileno())  # type: ignore[union-attr]

    def listen(self) -> None:
        """From now on, also to what nobody else can catch: in a callback of the loop, or in a thread."""
        asyncio.get_running_loop().set_exception_handler(self._heard)
        before = threading.excepthook

        def in_thread(args: threading.ExceptHookArgs) -> None:
            self.say_if(args.exc_value)
            before(args)

        threading.excepthook = in_thread

    def say_if(self, error: object) -> None:
        """Returns where `error` is another one."""
        if not isinstance(error, MemoryError):
            return
        signal.setitimer(signal.ITIMER_REAL, _TOLD_S)
        with suppress(termios.error):
            if self._attributes is not None:
                termios.tcsetattr(0, termios.TCSANOW, self._attributes)
        os.write(2, self._bytes)
        os._exit(_FAULT)

    def _heard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.say_if(context.get("exception"))
        loop.default_exception_handler(context)
