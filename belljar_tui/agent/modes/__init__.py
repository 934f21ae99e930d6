"""How each mode fails in the kernel: one small file a mode, and here what they have in common: names and parameters.

A mode's chain bears its name; with parameters they follow it (`flaky_300_refuse`, `reset_4096`, `slow_datagrams`), and
the chain is made when it is first wanted. Such a chain lets calls through, so those that fail are counted apart.
"""

from __future__ import annotations

from belljar_tui.agent.counts import Verdict
from belljar_tui.agent.modes import blackhole, flaky, hang, refuse, reset, slow, unreachable
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import QueueTo
from belljar_tui.core.model import Mode, Protocol, Settings

_WITHOUT_PARAMETERS = {
    Mode.REFUSE: refuse,
    Mode.BLACKHOLE: blackhole,
    Mode.RESET: reset,
    Mode.UNREACHABLE: unreachable,
    Mode.HANG: hang,
    Mode.SLOW: slow,
}
LANES = (Mode.HANG, Mode.SLOW)
"""Modes under which TCP calls are diverted into a lane."""
FLOWS_END = frozenset({Mode.REFUSE, Mode.RESET, Mode.SLOW})
"""Modes under which established flows are ended, so that whoever wants more must call anew."""
FLOWS_HANG = frozenset({Mode.BLACKHOLE, Mode.UNREACHABLE, Mode.HANG})
"""Modes under which established flows stay and get no further."""

NEVER_BLOCKS = frozenset({Mode.SLOW})
"""Modes whose calls get through, all of them."""
LETS_CALLS_THROUGH = frozenset({Mode.FLAKY, Mode.DNS})
"""Modes under which a call whose endpoint is not known yet passes."""


def chain_of(mode: Mode | None, settings: Settings, protocol: Protocol = Protocol.TCP) -> Verdict:
    """The chain that fails an endpoint cut like this; None where its packets pass (also when only its name fails)."""
    match mode:
        case None | Mode.DNS:
            return None
        case Mode.RESET if settings.after_bytes is not None:
            return reset.chain_name(settings.after_bytes)
        case Mode.FLAKY:
            return flaky.chain_name(settings.fraction, settings.fails_by)
        case Mode.SLOW if protocol is not Protocol.TCP:
            return slow.DATAGRAM_CHAIN
        case _:
            return str(mode)


def marks(verdict: Verdict, protocol: Protocol) -> bool:
    """Whether packets to an endpoint that is failed like this are marked, to fail behind the chain of their mode: all
    but TCP under a mode without parameters, which fails where it stands."""
    return verdict is not None and (protocol is not Protocol.TCP or verdict not in _WITHOUT_PARAMETERS)


def static_rules(queue_to: QueueTo | None) -> list[Message]:
    """The rules of the modes without parameters."""
    return [each for mode in _WITHOUT_PARAMETERS.values() for each in mode.rules(queue_to)]


def chains_for(verdict: str, dice: str, queue_to: QueueTo | None) -> dict[str, list[Message]]:
    """The chains with parameters that `verdict` needs, by name, in the order to make them; `dice` throws them."""
    if verdict == slow.DATAGRAM_CHAIN:
        return {verdict: slow.datagram_chain(queue_to)}
    word, _, rest = verdict.partition("_")
    if word == Mode.FLAKY:
        return flaky.chains(verdict, rest, dice)
    if word == Mode.RESET and rest:
        return reset.chains(verdict, int(rest))
    return {}


def watch_chain(verdict: Verdict, *, is_timed: bool) -> str:
    """Where a new call to an endpoint goes before it is enforced."""
    if verdict is None or verdict.startswith(("reset_", "slow_")):
        return "opened"
    if verdict.startswith("flaky_"):
        return flaky.dice_name(verdict, ends=not is_timed)
    return "due" if is_timed else "hold"
