"""Old profiles, brought up to date one version at a time, so that a contract outlives the format it was written in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from belljar_tui.core.model import NAME_SERVICE
from belljar_tui.core.profile import VERSION

Fields = dict[str, Any]
"""A profile as plain values, in the file's order, not checked yet."""


def migrated(fields: Fields, version: int) -> Fields:
    """`fields` of format `version` as those of the present format.

    Nothing moves: a value keeps its place, so that an error can still name its line.
    """
    for step in range(version, VERSION):
        fields = {**STEPS[step](fields), "belljar": step + 1}
    return fields


def _name_service_becomes_a_member(fields: Fields) -> Fields:
    """Format 1 left name service open whatever the working set said; format 2 cuts it where it is no member."""
    allow = fields.get("allow")
    if not isinstance(allow, list) or NAME_SERVICE in allow:
        return fields
    return {**fields, "allow": [*allow, NAME_SERVICE]}


STEPS: dict[int, Callable[[Fields], Fields]] = {1: _name_service_becomes_a_member}
"""Version n -> what turns a profile of version n into one of n + 1. A test keeps it without gaps."""
