"""A plan for bringing everything back, for other readers: one small file per format, each a pure function from a plan
and the profiles behind it to a file's text and notes."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from belljar_tui.core.order.plan import Order
    from belljar_tui.core.profile import Profile
    from belljar_tui.export.contract import Exported

ORDER_FORMATS = {
    "dot": "a picture, by Graphviz",
    "mermaid": "a picture, in Markdown",
    "runbook": "Markdown for people: wave by wave, with commands, checks and deadlines",
}
"""Format -> what one gets. Each is a module of this package."""


def export_order(name: str, order: Order, profiles: Mapping[str, Profile]) -> Exported:
    """The plan in the format `name`, one of ORDER_FORMATS; `profiles` by the services' names."""
    exporter: Callable[[Order, Mapping[str, Profile]], Exported] = import_module(f"{__name__}.{name}").export
    return exporter(order, profiles)
