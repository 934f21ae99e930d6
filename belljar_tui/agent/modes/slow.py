"""`slow`: it works, late.

    chain slow { meta l4proto tcp reject with tcp reset
                 drop }

Calls do not come here: they are diverted into a lane (`ruleset_lanes`), that delays them. What does come here is
closed: a flow from before the cut that could not be destroyed (its program calls anew, through the lane), and a call
that should have been diverted and was not. Nothing is ever let past the lane.
"""

from __future__ import annotations

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import TCP, QueueTo, is_protocol, rule


def rules(_: QueueTo | None) -> list[Message]:
    return [
        rule("slow", [*is_protocol(TCP), ex.reject_tcp_reset()]),
        rule("slow", [ex.verdict(ex.DROP)]),
    ]
