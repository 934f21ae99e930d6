"""`unreachable`: no way leads there.

    chain unreachable: reject with icmpx host-unreachable, for TCP at once, for the rest through a queue

A new connection fails at once with EHOSTUNREACH. For an established TCP flow that is a passing trouble (RFC 1122,
4.2.3.9): it goes on trying, and hangs. A UDP socket learns of it if it has asked to (IP_RECVERR), as some resolver
libraries do; for any other it is silence (net/ipv4/icmp.c: host unreachable is not fatal).
"""

from __future__ import annotations

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.modes import failing
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import QueueTo

_MARK = 0xBE15


def rules(queue_to: QueueTo | None) -> list[Message]:
    no_way = ex.reject_icmpx(ex.HOST_UNREACHABLE)
    return failing.rules("unreachable", _MARK, no_way, no_way, queue_to)
