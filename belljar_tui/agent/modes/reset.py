"""`reset`: whoever is there hangs up.

    chain reset: as `refuse`; a reset is all that a SYN or a datagram can be answered with
    chain reset_N {
      meta l4proto tcp ct bytes > N ct mark != DEAD ct mark set DEAD jump count
      ct mark DEAD reject with tcp reset }

What sets it apart from `refuse` are established flows: their next packet gets a reset (ECONNRESET), and `sockets` makes
an idle one send it. With `after_bytes` (`reset_N`) calls are accepted, and a flow is reset once N bytes have
gone over it: packets with their headers, both ways together, as conntrack counts them. It is noticed on the next packet
that leaves the jar, an acknowledgement too. The mark in the flow makes each one count once.
"""

from __future__ import annotations

import struct

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.modes import failing
from belljar_tui.agent.netlink import Message
from belljar_tui.agent.nft import TCP, QueueTo, chain, is_protocol, rule

_MARK = 0xBE16
_DEAD = 0xBE1D


def rules(queue_to: QueueTo | None) -> list[Message]:
    return failing.rules("reset", _MARK, ex.reject_tcp_reset(), ex.reject_icmpx(ex.PORT_UNREACHABLE), queue_to)


def chain_name(after_bytes: int) -> str:
    return f"reset_{after_bytes}"


def chains(name: str, after_bytes: int) -> dict[str, list[Message]]:
    """The chain that resets a flow once more than `after_bytes` have gone over it."""
    dead = struct.pack("=I", _DEAD)
    has_had_enough = [*is_protocol(TCP), *ex.ct_bytes_above(after_bytes)]
    is_alive = [ex.ct(ex.CT_MARK), ex.compare(dead, ex.NOT_EQUAL)]
    return {
        name: [
            chain(name),
            rule(name, [*has_had_enough, *is_alive, *ex.set_ct_mark(_DEAD), ex.verdict(ex.JUMP, "count")]),
            rule(name, [*is_protocol(TCP), ex.ct(ex.CT_MARK), ex.compare(dead), ex.reject_tcp_reset()]),
        ]
    }
