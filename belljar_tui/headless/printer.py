"""The one module that writes to stdout."""

from __future__ import annotations

import os
import sys
from typing import Any

import msgspec


def line(data: bytes) -> None:
    """One line of a stream, at once. A reader that left ends us quietly, as it does any filter."""
    try:
        sys.stdout.buffer.write(data + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise


def json(result: Any) -> None:
    """One object, for machines."""
    line(msgspec.json.format(msgspec.json.encode(result), indent=2))


def rich(*renderables: Any) -> None:
    """Tables and styled text, for people; plain where stdout is no terminal."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    for renderable in renderables:
        console.print(renderable)
