"""A profile said in the words of other tools: one small file per format, each a pure function from what a profile
knows (`contract.Contract`) to a file's text and notes on what that format cannot say.

A new format is a module here with a function `export`, and a line in FORMATS.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from belljar_tui.export.contract import Contract, Exported

FORMATS = {
    "backstage": "a software catalog's catalog-info.yaml",
    "cilium": "a CiliumNetworkPolicy: names, addresses, name service",
    "compose": "a sealed Docker Compose environment with a stand-in for each member",
    "dot": "a picture, by Graphviz",
    "mermaid": "a picture, in Markdown",
    "networkpolicy": "a Kubernetes NetworkPolicy: addresses only",
    "nft": "an nftables ruleset for the service's network namespace",
    "toxiproxy": "the proxies of toxiproxy-server -config",
}
"""Format -> what one gets. Each is a module of this package."""


def export(name: str, contract: Contract) -> Exported:
    """The contract in the format `name`, one of FORMATS.

    Raises:
        errors.CannotExport: the format needs something the profile does not have; the message says what to do.
    """
    exporter: Callable[[Contract], Exported] = import_module(f"{__name__}.{name}").export
    return exporter(contract)
