"""Durations as people type them."""

from __future__ import annotations

import math
import re

from belljar_tui.errors import BadDuration

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SHAPE = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds of `30`, `30s`, `1.5m`, `500ms` or `2h`. Raises BadDuration when it is none, or not above zero."""
    match = _SHAPE.fullmatch(text.strip())
    seconds = float(match[1]) * _UNITS[match[2]] if match else 0.0
    if not seconds > 0 or not math.isfinite(seconds):
        raise BadDuration(text)
    return seconds
