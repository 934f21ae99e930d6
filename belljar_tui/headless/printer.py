"""The one module that writes to stdout."""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec

from belljar_tui.errors import CannotExport


def line(data: bytes) -> None:
    """One line of a stream, at once. A reader that left ends us quietly, as it does any filter."""
    try:
        sys.stdout.buffer.write(data + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _close()
        raise
    except OSError as error:
        raise _refused(error) from error


def json(result: Any) -> None:
    """One object, for machines."""
    line(msgspec.json.format(msgspec.json.encode(result), indent=2))


def rich(*renderables: Any) -> None:
    """Tables and styled text, for people; plain where stdout is no terminal."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    try:
        for renderable in renderables:
            console.print(renderable)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _refused(error) from error


def _refused(error: OSError) -> CannotExport:
    """Stdout is a file on a full disk, say."""
    _close()
    remedy = "Make room, or send the output to a file on another disk."
    return CannotExport(f"The output cannot be written: {error.strerror}.", "What is missing is lost.", remedy)


def _close() -> None:
    """What waits in the buffer goes nowhere: else Python complains of it once more at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
