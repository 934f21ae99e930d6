"""What a name of a host may look like, wherever a stranger's bytes claim to be one."""

from __future__ import annotations

import re

from belljar_tui.core.model import is_address

CLAIMS_KEPT = 8
"""Names that a raw address is said to have; a shared one could have thousands."""
_LONGEST = 253
_LABELS = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*")


def host_name(text: str) -> str:
    """`text` as a host's name: letters, digits, hyphens, underscores and dots, lower case, without a final dot; empty
    when it is none, and when it is an address."""
    name = text.lower().removesuffix(".")
    if len(name) > _LONGEST or not text.isascii() or not _LABELS.fullmatch(name) or is_address(name):
        return ""
    return name
