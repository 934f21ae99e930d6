"""What names resolve to, on its way from our name server: to the kernel first, then told, each answer once."""

from __future__ import annotations

from collections.abc import Callable

from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.core import events as ev


class Resolutions:
    """
    Args:
        enforcer: learns the name before its answer leaves.
        real_of: the address behind a virtual one.
    """

    def __init__(
        self,
        enforcer: Enforcer,
        real_of: Callable[[str], str | None],
        emit: Callable[[ev.AnyEvent], None],
        now: Callable[[], float],
    ) -> None:
        self._enforcer = enforcer
        self._real_of = real_of
        self._emit = emit
        self._now = now
        self._told: set[tuple[str, tuple[str, ...], str]] = set()

    def on_resolved(self, name: str, addresses: list[str], detail: str) -> None:
        """`name` is answered with these addresses, virtual ones among them. Raises OSError as the enforcer does."""
        self._enforcer.learn(name, addresses)
        answer = (name, tuple(sorted(addresses)), detail)
        if answer in self._told:  # services ask again and again: only what is new is news
            return
        self._told.add(answer)
        real = {address: self._real_of(address) or address for address in addresses}
        virtual = {behind: address for address, behind in real.items() if behind != address}
        self._emit(
            ev.NameResolved(at=self._now(), name=name, addresses=list(real.values()), detail=detail, virtual=virtual)
        )
