"""`blackhole`: silence.

    chain blackhole: TCP drop; the rest, through a queue, drop

Neither a SYN nor an established flow is answered; nobody is told.
"""

from __future__ import annotations

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.modes import failing
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import QueueTo

_MARK = 0xBE14


def rules(queue_to: QueueTo | None) -> list[Message]:
    return failing.rules("blackhole", _MARK, ex.verdict(ex.DROP), ex.verdict(ex.DROP), queue_to)
