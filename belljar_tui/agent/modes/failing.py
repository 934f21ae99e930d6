"""What modes that fail every packet have in common.

    chain MODE { meta l4proto tcp TCP_FAILS
                 meta mark NEW_CALL meta mark set MARK queue num 5 bypass
                 meta mark FIRST_CALL meta mark set MARK queue num 7 bypass
                 meta mark set MARK queue num 6 bypass }
    chain fails { meta mark MARK FAILS }

A datagram dropped on the output hook would fail its sender's `send` with EPERM, as no network does (measured); one that
was queued first is already sent as far as its sender knows. So whatever is not TCP passes a queue before it fails: 5 or
7 if it is a new call; 6, which looks at nothing, if it is not.
"""

from __future__ import annotations

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import (
    FIRST,
    FIRST_CALL,
    FOLLOWERS,
    NEW_CALL,
    QUEUE,
    TCP,
    QueueTo,
    has_mark,
    is_protocol,
    rule,
)


def rules(chain: str, mark: int, tcp_fails: bytes, fails: bytes, queue_to: QueueTo | None) -> list[Message]:
    """Rules of the chain `chain`; without a queue everything fails where it stands."""
    made = [rule(chain, [*is_protocol(TCP), tcp_fails])]
    if queue_to is None:
        return [*made, rule(chain, [fails])]
    return [
        *made,
        rule(chain, [*has_mark(NEW_CALL), *ex.set_mark(mark), queue_to(QUEUE)]),
        rule(chain, [*has_mark(FIRST_CALL), *ex.set_mark(mark), queue_to(FIRST)]),
        rule(chain, [*ex.set_mark(mark), queue_to(FOLLOWERS)]),
        rule("fails", [*has_mark(mark), fails]),
    ]
