"""The JSON of an earlier run, for the cycles that are known and allowed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from belljar_tui.core.order.plan import Pair
from belljar_tui.errors import UsageError

_REMEDY = "Make one with: belljar order --json -o baseline.json PROFILE..."


def known_pairs(path: str) -> frozenset[Pair]:
    """Needs that were on a cycle then.

    Raises:
        UsageError: the file is no result of `belljar order --json`.
    """
    result = _read(path)
    pairs = result.get("tangled")
    if pairs is None:  # written by hand, with the fields of the design only
        pairs = [
            [one, need]
            for cycle in _lists(path, result.get("cycles"))
            for one, need in zip(cycle, [*cycle[1:], *cycle[:1]], strict=True)
        ]
    return frozenset((one, need) for one, need in _lists(path, pairs, length=2))


def _read(path: str) -> dict[str, Any]:
    try:
        result = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}.", remedy=_REMEDY) from error
    except json.JSONDecodeError as error:
        raise UsageError(f"{path}: line {error.lineno}: is not JSON: {error.msg}.", remedy=_REMEDY) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise UsageError(f"{path}: is not JSON.", remedy=_REMEDY) from error
    if not isinstance(result, dict):
        raise UsageError(f"{path}: is not the result of an order.", remedy=_REMEDY)
    return result


def _lists(path: str, value: Any, length: int = 0) -> list[list[str]]:
    is_right = isinstance(value, list) and all(
        isinstance(one, list) and all(isinstance(name, str) for name in one) and (not length or len(one) == length)
        for one in value
    )
    if not is_right:
        raise UsageError(f"{path}: is not the result of an order: it has no lists of cycles.", remedy=_REMEDY)
    found: list[list[str]] = value
    return found
