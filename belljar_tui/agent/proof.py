"""Proof of the seal, at every start: a call that must be blocked was, and was counted; one that must pass did.

Both go to a listener of our own on loopback, through the same chains as any call, so nothing outside is touched.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

from belljar_tui.agent.nft import AGENT_MARK, PROBE_MARK
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.core import events as ev
from belljar_tui.core.model import Endpoint, Mode, Protocol

_SO_MARK = 36
_DEADLINE_S = 2.0
ADDRESS = "127.66.74.1"
"""Loopback, but no address anybody uses."""


async def prove(
    ruleset: Ruleset, now: Callable[[], float], of_sockets: Callable[[], list[str]] | None = None
) -> ev.SealProven:
    """Run the negative and the positive control for IPv4, and for IPv6 where the jar has it.

    Args:
        of_sockets: the same for unix sockets, where they can be cut; what went wrong.
    """
    failures: list[str] = []
    families = [(socket.AF_INET, ADDRESS)]
    if socket.has_ipv6:
        families.append((socket.AF_INET6, "::1"))
    proven: list[str] = []
    for family, address in families:
        try:
            listener = socket.create_server((address, 0), family=family)
        except OSError:
            continue  # this family is off in the jar
        with listener:
            failures += await _controls(ruleset, family, address, listener.getsockname()[1])
        proven.append("IPv4" if family == socket.AF_INET else "IPv6")
    if of_sockets is not None:
        failures += of_sockets()
    detail = "; ".join(failures) if failures else f"blocked and counted, and passed, over {' and '.join(proven)}"
    if of_sockets is not None and not failures:
        detail += (
            "; a unix socket was cut and restored (one from another network namespace is covered when first called)"
        )
    return ev.SealProven(at=now(), ok=not failures and bool(proven), detail=detail)


async def _controls(ruleset: Ruleset, family: int, address: str, port: int) -> list[str]:
    """What went wrong with this family; empty when the seal holds."""
    endpoint = Endpoint(address, Protocol.TCP, port)
    failures: list[str] = []
    ruleset.change([], {endpoint: Mode.REFUSE}, None, seal_changes=False)
    if await _connects(family, address, port, PROBE_MARK):
        failures.append(f"a call to {endpoint} that must be blocked went through")
    if not await _connects(family, address, port, AGENT_MARK):
        failures.append(f"a call to {endpoint} that must pass was blocked")
    counted = ruleset.change([endpoint], {}, None, seal_changes=False).get(endpoint)
    if counted is None or counted.calls.packets < 1 or counted.packets.packets < 1:
        failures.append(f"the blocked call to {endpoint} was not counted")
    return failures


async def _connects(family: int, address: str, port: int, mark: int) -> bool:
    probe = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with probe:
        probe.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
        try:
            await asyncio.wait_for(asyncio.get_running_loop().sock_connect(probe, (address, port)), _DEADLINE_S)
        except (OSError, TimeoutError):
            return False
    return True
