"""The one module that writes to stderr and decides exit codes."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, Any, NoReturn

from belljar_tui.errors import BellJarError

if TYPE_CHECKING:
    import asyncio

    from rich.console import Console


_FAULT = 70
"""The exit code of a fault of ours, or of this machine's."""


class Exit(IntEnum):
    """The design's exit codes."""

    HOLDS = 0
    BROKEN = 1
    USAGE = 2
    DRIFTED = 3
    UNSEALED = 4
    INCONCLUSIVE = 5
    INTERRUPTED = 130


def note(text: str) -> None:
    """Something a person may want to know beside the result."""
    print(text, file=sys.stderr, flush=True)


def console() -> Console:
    """Where progress is shown: stderr, so that stdout stays the result's."""
    from rich.console import Console

    return Console(stderr=True, highlight=False)


def fail(error: BellJarError) -> NoReturn:
    """Say an expected error, without a traceback, and leave with its code."""
    note(f"belljar: {error}")
    sys.exit(error.exit_code)


_NO_MEMORY = b"""belljar: out of memory; it ends here, and whatever jar there is with it
What was recorded until then is kept: belljar replay lists the sessions.
"""
_NO_MEMORY_FOR_SESSION = b"""belljar: out of memory; the session ends, and its jar with it
The journal has everything up to then: belljar replay lists the sessions.
"""
"""Made before they are needed."""


def starve(words: bytes = _NO_MEMORY) -> NoReturn:
    """There is no memory left: say so, and leave at once. The kernel ends what there is of jars."""
    os.write(2, words)
    os._exit(_FAULT)


def end_without_memory(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """An event loop's handler of exceptions that nobody else can catch: without memory it would go round for ever."""
    if isinstance(context.get("exception"), MemoryError):
        starve(_NO_MEMORY_FOR_SESSION)
    if not isinstance(context.get("exception"), ConnectionError):  # a jar that is gone: told by its end
        loop.default_exception_handler(context)


def crash(error: BaseException) -> NoReturn:
    """A fault of ours: one line for the person, the traceback in a file for a report."""
    import tempfile
    import traceback

    note(f"belljar: this should not have happened: {type(error).__name__}: {error}")
    try:
        descriptor, path = tempfile.mkstemp(prefix="belljar-crash-", suffix=".txt")
        with os.fdopen(descriptor, "w") as file:
            traceback.print_exception(error, file=file)
        note(f"The details are in {path}")
    except OSError:  # the disk is full, say
        traceback.print_exception(error)
    sys.exit(_FAULT)
