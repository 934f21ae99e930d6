"""A plan as one JSON object. The first five fields are the design's and stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from belljar_tui.core.order.cycles import Cycle
from belljar_tui.core.order.plan import Order
from belljar_tui.headless.ordering.reading import Reading


def result_of(order: Order, reading: Reading, fresh: Sequence[Cycle] | None) -> dict[str, Any]:
    """`fresh`: the cycles a baseline does not know; None: there is no baseline, and every cycle is new."""
    return {
        "waves": order.waves,
        "cycles": order.cycles,
        "blocked": order.blocked,
        "breaks": order.breaks,
        "roots": order.roots,
        "new_cycles": order.cycles if fresh is None else fresh,
        "all_cycles_listed": order.are_all_cycles,
        "tangled": order.tangled,
        "breaks_exact": order.is_exact,
        "breaks_at_least": order.breaks_at_least,
        "waves_after_breaks": order.waves_after_breaks,
        "services": order.services,
        "matches": order.matches,
        "not_counted": [{"name": entry.profile.name, "path": entry.path} for entry in reading.steady],
        "warnings": [*reading.notes, *order.warnings],
        "problems": [str(problem) for problem in reading.problems],
    }
