"""How an agent loads itself quickly: while one that attaches does, its target runs unsealed."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def quickly(*, without: str = "") -> Iterator[None]:
    """Nothing is looked through for rubbish meanwhile: what is loaded lives on, and that takes a fifth of the time.

    Args:
        without: a module that packages take along where it is there, and that nothing of ours needs. Meanwhile there is
            nothing in it, unless it is loaded already.
    """
    is_hidden, collects = bool(without) and without not in sys.modules, gc.isenabled()
    if is_hidden:
        sys.modules[without] = ModuleType(without)
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()
        if is_hidden:
            del sys.modules[without]


def run() -> None:
    """Be the agent that is told all on stdin."""
    with quickly():
        from belljar_tui.agent import main
    main.main()
