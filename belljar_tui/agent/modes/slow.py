"""`slow`: it works, late.

    chain slow { meta l4proto tcp reject with tcp reset
                 drop }
    chain slow_datagrams { KEY @let_packets4 / 6
                           ct state new KEY @let4 / 6
                           queue num 10 }

TCP calls do not come here: they are diverted into a lane (`ruleset_lanes`), that delays them. What does come here is
closed: a flow from before the cut that could not be destroyed (its program calls anew, through the lane), and a call
that should have been diverted and was not. What is not TCP waits in the queue, without `bypass`: where nobody reads it,
it is dropped. Nothing is ever let past the lane.
"""

from __future__ import annotations

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import DATAGRAMS, TCP, QueueTo, by_endpoint, chain, is_new, is_protocol, rule

DATAGRAM_CHAIN = "slow_datagrams"
"""Where datagrams and pings to what is slow go."""


def rules(_: QueueTo | None) -> list[Message]:
    return [
        rule("slow", [*is_protocol(TCP), ex.reject_tcp_reset()]),
        rule("slow", [ex.verdict(ex.DROP)]),
    ]


def datagram_chain(queue_to: QueueTo | None) -> list[Message]:
    """The chain DATAGRAM_CHAIN, made when it is first wanted; without a queue it is closed."""
    name = DATAGRAM_CHAIN
    return [
        chain(name),
        *by_endpoint(name, "let_packets", ex.in_set),
        *by_endpoint(name, "let", ex.in_set, is_new()),
        rule(name, [queue_to(DATAGRAMS) if queue_to is not None else ex.verdict(ex.DROP)]),
    ]
