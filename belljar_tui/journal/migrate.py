"""Old journals, brought up to date one version at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

VERSION = 1
"""The journal format this BellJar writes."""

Record = dict[str, Any]
"""One line of a journal, as plain JSON."""

STEPS: dict[int, Callable[[Record], Record]] = {}
"""Version n -> what turns a line of version n into one of n + 1. A test keeps it without gaps."""


def migrated(record: Record, version: int) -> Record:
    """`record` of format `version` as one of the present format."""
    for step in range(version, VERSION):
        record = STEPS[step](record)
    return record
