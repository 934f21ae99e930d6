"""`refuse`: the machine is there, and nobody listens.

    chain refuse: TCP reject with tcp reset; the rest, through a queue, reject with icmpx port-unreachable

A new connection is refused at once (ECONNREFUSED); established ones are destroyed (ECONNABORTED) by `sockets`.
"""

from __future__ import annotations

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.modes import failing
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import QueueTo

_MARK = 0xBE13


def rules(queue_to: QueueTo | None) -> list[Message]:
    return failing.rules("refuse", _MARK, ex.reject_tcp_reset(), ex.reject_icmpx(ex.PORT_UNREACHABLE), queue_to)
