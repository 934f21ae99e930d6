"""The jar is closed before anything else of the agent is loaded: what would leave it waits in a queue of the kernel.

    table inet belljar_closed {
      flags owner                                # dies with our socket, and the queue's packets with theirs
      chain closed {
        type filter hook output priority -160;   # behind conntrack, before lanes divert and names are redirected
        meta mark 0xBE11 accept                  # ours
        meta mark 0xBE1F accept                  # the proof's probe, which must reach the seal itself
        ct direction reply accept                # whoever calls the service is answered, and the probe
        icmpv6 type 130-143 accept
        queue num 11                             # no bypass: what nobody has read has not left
      }
    }

A packet that is let go passes the chains behind this one as they are then (net/netfilter/nfnetlink_queue.c,
nf_reinject), so the seal and the resolver's redirect get it as if it had just been sent.

Only the standard library, as little as will do: until it is closed, no service may start.
"""

from __future__ import annotations

import errno
import select
import socket
import struct
from collections.abc import Callable

from belljar_tui.agent import expressions as ex
from belljar_tui.agent import nft
from belljar_tui.agent.netlink import (
    ACK,
    NLMSG_ERROR,
    Message,
    Netfilter,
    NetlinkError,
    attribute,
    be32,
    by_kind,
    error_of,
    messages,
    open_socket,
    pack,
)

TABLE, _CHAIN = "belljar_closed", "closed"
_PRIORITY = -160
_QUEUES, _CONFIG, _VERDICT = 3, 2, 1
_PACKET = 0
_BIND, _COPY_META = 1, 1
_HELD_AT_MOST = 1 << 16
_ACCEPT = 1
_MISSING = (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL)
"""What a kernel says to an expression it does not have."""
_LATE_S = (0.01, 0.1, 1.0)
"""When the queue is looked at again: a packet may have met the rules while they were taken out."""


class ClosedJar:
    """Closed from the time it is made, for as long as it is not opened or gone. Raises OSError where it cannot be."""

    def __init__(self) -> None:
        self._queue = open_socket(8 << 20)
        self._netfilter = Netfilter()
        try:
            self._bind()
            self._close()
        except OSError:
            self.end()
            raise

    def open(self, later: Callable[[float, Callable[[], None]], object]) -> None:
        """Let go what waits, in its order, and hold nothing any more. What is behind us is to be in force.

        The chain stays, empty: with a hook the kernel drops what any queue of the namespace holds.

        Args:
            later: calls a function after so many seconds.
        """
        self._netfilter.batch(nft.SUBSYSTEM, [nft.empty(_CHAIN, TABLE)])
        self._let_go()
        for wait_s in _LATE_S:
            later(wait_s, self._let_go)

    def end(self) -> None:
        """Nothing is held any more, and what is held is lost."""
        self._netfilter.close()
        self._queue.close()

    def _bind(self) -> None:
        """Before there is a rule: what is sent to a queue that nobody has bound is lost."""
        self._configure(attribute(1, struct.pack(">BxH", _BIND, 0)))
        self._configure(attribute(2, struct.pack(">IB", 0, _COPY_META)) + be32(3, _HELD_AT_MOST))

    def _configure(self, body: bytes) -> None:
        message = Message(_QUEUES << 8 | _CONFIG, body, ACK, socket.AF_UNSPEC, nft.CLOSED)
        self._queue.send(pack(message, 1))
        for kind, _, payload in messages(self._queue.recv(1 << 16)):
            if kind == NLMSG_ERROR and error_of(payload):
                raise NetlinkError(error_of(payload))

    def _close(self) -> None:
        try:
            self._netfilter.batch(nft.SUBSYSTEM, _table(ex.queue_native))
        except NetlinkError as error:
            if error.errno not in _MISSING:
                raise
            self._netfilter.batch(nft.SUBSYSTEM, _table(ex.queue_xtables))

    def _let_go(self) -> None:
        while select.select([self._queue], [], [], 0)[0]:
            for kind, _, payload in messages(self._queue.recv(1 << 16)):
                if kind == _QUEUES << 8 | _PACKET:
                    number = struct.unpack_from(">I", by_kind(payload[4:])[1])[0]
                    body = attribute(2, struct.pack(">II", _ACCEPT, number))
                    self._queue.send(pack(Message(_QUEUES << 8 | _VERDICT, body, 0, 0, nft.CLOSED), 0))


def _table(queue: Callable[[int, bool], bytes]) -> list[Message]:
    passes = (
        nft.from_agent(),
        nft.has_mark(nft.PROBE_MARK),
        [ex.ct(ex.CT_DIRECTION), ex.compare(b"\1")],
        nft.is_neighbour_discovery(),
    )
    accepted = [nft.rule(_CHAIN, [*each, ex.verdict(ex.ACCEPT)], table=TABLE) for each in passes]
    held = nft.rule(_CHAIN, [queue(nft.CLOSED, False)], table=TABLE)
    return [nft.owned_table(TABLE), nft.chain(_CHAIN, "filter", _PRIORITY, TABLE), *accepted, held]
