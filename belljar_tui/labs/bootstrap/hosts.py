"""Four of the bootstrap lab's services. Each is up, or waits for those it needs and comes up when they are."""

from __future__ import annotations

from collections.abc import Callable

from belljar_tui.labs.bootstrap.description import NEEDS, PORTS
from belljar_tui.labs.hosts import Serve, serve_lines

_cold: set[str] = set()
"""Not up yet."""


def start_cold(host: str) -> None:
    """The host was off, and starts now."""
    _cold.add(host.removesuffix(".lab"))


def waits_for(service: str) -> str | None:
    """The first that it waits for; None once it is up, and it stays up then."""
    if service not in _cold:
        return None
    for needed in NEEDS[service]:
        if needed in _cold:
            return needed
    _cold.discard(service)
    return None


def _answer(service: str) -> Callable[[str], str]:
    def answer(_: str) -> str:
        for each in NEEDS:
            waits_for(each)  # whoever can, comes up
        return "UP" if waits_for(service) is None else "WAITING"

    return answer


HOSTS: dict[str, Serve] = {f"{name}.lab": serve_lines(port, _answer(name)) for name, port in PORTS.items()}
