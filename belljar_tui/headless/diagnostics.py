"""The one module that writes to stderr and decides exit codes."""

from __future__ import annotations

import os
import sys
from enum import IntEnum
from typing import TYPE_CHECKING, NoReturn

from belljar_tui.errors import BellJarError

if TYPE_CHECKING:
    from rich.console import Console


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


def crash(error: BaseException) -> NoReturn:
    """A fault of ours: one line for the person, the traceback in a file for a report."""
    import tempfile
    import traceback

    descriptor, path = tempfile.mkstemp(prefix="belljar-crash-", suffix=".txt")
    with os.fdopen(descriptor, "w") as file:
        traceback.print_exception(error, file=file)
    note(f"belljar: this should not have happened: {type(error).__name__}: {error}\nThe details are in {path}")
    sys.exit(70)
