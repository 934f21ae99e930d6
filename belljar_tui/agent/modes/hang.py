"""`hang`: somebody accepts, and never says a byte.

    chain hang: TCP drop; the rest, through a queue, drop

New TCP calls do not come here: they are diverted into a lane (`ruleset_lanes`), where the call is accepted once the
dependency itself has accepted, and nothing is read or sent. What does come here is silence: flows from before the cut,
datagrams, and a call that should have been diverted and was not.
"""

from __future__ import annotations

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.modes import failing
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import QueueTo

_MARK = 0xBE17


def rules(queue_to: QueueTo | None) -> list[Message]:
    return failing.rules("hang", _MARK, ex.verdict(ex.DROP), ex.verdict(ex.DROP), queue_to)
