"""Loads packages without what they take along where it is there, and what nothing of ours needs.

An agent that attaches is loaded while its target runs unsealed, so each millisecond counts.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def without(name: str) -> Iterator[None]:
    """Meanwhile a module of this name has nothing in it, unless it is loaded already."""
    if name in sys.modules:
        yield
        return
    sys.modules[name] = ModuleType(name)
    try:
        yield
    finally:
        del sys.modules[name]
