"""The table's messages: chains, rules, sets and their elements as netlink has them.

Numbers: linux/netfilter/nf_tables.h.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from belljar_tui.agent import expressions as ex
from belljar_tui.agent.netlink import CREATE, Message, attribute, attributes, be32, by_kind, nested, text

TABLE = "belljar"
AGENT_MARK = 0xBE11
NEW_CALL = 0xBE12
"""The mark of a call that is to fail: a datagram on its way to its mode's chain, or what the die has chosen."""
FIRST_CALL = 0xBE1E
"""The same of a datagram whose endpoint has no element yet."""
PROBE_MARK = 0xBE1F
"""The mark of the seal's own proof, which nothing knows but a jar that is closed."""
LOG_GROUP, CLAIM_GROUP = 5, 6
"""The log groups: of new flows; of what flows to raw addresses say first."""
QUEUE, FOLLOWERS, FIRST, OPENED, LANES, DATAGRAMS, CLOSED = 5, 6, 7, 8, 9, 10, 11
"""The queues: of calls to what is cut; of datagrams that are cut but no new call; of calls to endpoints that have no
element yet, which only the seal has counted; of open calls; of calls that wait until their lane has reached whom they
call; of datagrams to what is slow; of whatever would leave a jar that is closed."""
QUEUES = (QUEUE, FOLLOWERS, FIRST, OPENED)
SNAP_LENGTH, CLAIM_LENGTH = 64, 4096
"""What is copied of a packet: its addresses; or what it says, too."""
SUBSYSTEM = 10
NEWTABLE, NEWCHAIN, NEWRULE, DELRULE = 0, 3, 6, 8
NEWSET, NEWSETELEM, GETSETELEM, DELSETELEM = 9, 12, 13, 14
INET = 1
IP, IP6 = 2, 10
TCP, UDP, ICMP, ICMP6 = 6, 17, 1, 58
_OWNER_FLAG = 2
_APPEND = 0x800
_OUTPUT_HOOK = 3
_MAP, _TIMEOUT, _DYNAMIC = 8, 16, 32
_VERDICT_TYPE = 0xFFFFFF00
_ELEMENTS_AT_ONCE = 400
"""An attribute's length is 16 bits."""

QueueTo = Callable[[int], bytes]
"""The expression that hands a packet to a numbered queue."""


def kind(message: int) -> int:
    return SUBSYSTEM << 8 | message


def owned_table(table: str = TABLE) -> Message:
    return Message(kind(NEWTABLE), text(1, table) + be32(2, _OWNER_FLAG), CREATE, INET)


def chain(name: str, hook: str = "", priority: int = 0, table: str = TABLE) -> Message:
    """A plain chain, or with `hook` (its type) a base chain on the output hook that accepts by default."""
    body = text(1, table) + text(3, name)
    if hook:
        body += nested(4, be32(1, _OUTPUT_HOOK), be32(2, priority)) + be32(5, ex.ACCEPT) + text(7, hook)
    return Message(kind(NEWCHAIN), body, CREATE, INET)


def rule(chain_name: str, expressions: Iterable[bytes], *, is_first: bool = False, table: str = TABLE) -> Message:
    """One rule, at the chain's end, or at its beginning."""
    body = text(1, table) + text(2, chain_name) + nested(4, *expressions)
    return Message(kind(NEWRULE), body, CREATE if is_first else CREATE | _APPEND, INET)


def counted_set(name: str, key_type: int, key_length: int, *, is_map: bool = True, expires: bool = False) -> Message:
    """A set, or a map to verdicts, with a counter in every element; where it `expires`, elements may have timeouts."""
    flags = (_MAP if is_map else 0) | (_TIMEOUT if expires else 0)
    body = text(1, TABLE) + text(2, name) + be32(3, flags) + be32(4, key_type) + be32(5, key_length)
    if is_map:
        body += be32(6, _VERDICT_TYPE) + be32(7, 16)
    return Message(kind(NEWSET), body + be32(10, 1) + ex.counter_template(17), CREATE, INET)


def flow_set(name: str, key_type: int, key_length: int, *, at_most: int, packets: int) -> Message:
    """A set that rules add to: each element matches for so many packets, and there are so many elements."""
    body = text(1, TABLE) + text(2, name) + be32(3, _TIMEOUT | _DYNAMIC) + be32(4, key_type) + be32(5, key_length)
    body += nested(9, be32(1, at_most)) + be32(10, 4) + ex.limit_template(17, packets)
    return Message(kind(NEWSET), body, CREATE, INET)


def port_set(name: str) -> Message:
    body = text(1, TABLE) + text(2, name) + be32(3, 0) + be32(4, 13) + be32(5, 2) + be32(10, 2)
    return Message(kind(NEWSET), body, CREATE, INET)


def port_element(port: int) -> bytes:
    return nested(1, attribute(1, struct.pack(">H", port)))


def element_messages(message: int, name: str, elements: list[bytes], flags: int) -> list[Message]:
    """Elements in messages of at most 400."""
    return [
        Message(
            kind(message),
            text(1, TABLE)
            + text(2, name)
            + nested(3, *(nested(1, e) for e in elements[start : start + _ELEMENTS_AT_ONCE])),
            flags,
            INET,
        )
        for start in range(0, len(elements), _ELEMENTS_AT_ONCE)
    ]


def flush(name: str) -> Message:
    """Take every element out, were there none (an element that expires cannot be named safely)."""
    return Message(kind(DELSETELEM), text(1, TABLE) + text(2, name), 0, INET)


def empty(chain_name: str, table: str = TABLE) -> Message:
    """Take every rule out of a chain."""
    return Message(kind(DELRULE), text(1, table) + text(2, chain_name), 0, INET)


def list_elements(payload: memoryview) -> Iterable[dict[int, memoryview]]:
    """Fields of every element of a NEWSETELEM or DELSETELEM message."""
    listed = by_kind(payload).get(3)
    if listed is None:
        return []
    return [by_kind(value) for _, value in attributes(listed)]


def has_mark(mark: int) -> list[bytes]:
    return [ex.meta(ex.META_MARK), ex.compare(struct.pack("=I", mark))]


def from_agent() -> list[bytes]:
    return has_mark(AGENT_MARK)


def is_neighbour_discovery() -> list[bytes]:
    """`icmpv6 type 130-143`: without it no IPv6 address of the jar is ever its own"""
    found = [ex.payload(ex.TRANSPORT, 0, 1), ex.between(bytes([130]), bytes([143]))]
    return [*is_family(IP6), *is_protocol(ICMP6), *found]


def is_protocol(number: int, operation: int = ex.EQUAL) -> list[bytes]:
    """`meta l4proto NUMBER`, or with NOT_EQUAL anything else."""
    return [ex.meta(ex.META_L4PROTO), ex.compare(bytes([number]), operation)]


def is_family(number: int) -> list[bytes]:
    return [ex.meta(ex.META_NFPROTO), ex.compare(bytes([number]))]


def is_new() -> list[bytes]:
    """`ct state new`"""
    return [ex.ct(ex.CT_STATE), ex.masked(ex.NEW_FLOW), ex.compare(struct.pack("=I", 0), ex.NOT_EQUAL)]


def key(family: int) -> list[bytes]:
    """Load `address . protocol . port` of whom a TCP or UDP packet goes to."""
    offset, length = (16, 4) if family == IP else (24, 16)
    after = ex.DATA + length // 4
    return [
        ex.payload(ex.NETWORK, offset, length),
        ex.meta(ex.META_L4PROTO, after),
        ex.payload(ex.TRANSPORT, 2, 2, after + 1),
    ]


def by_endpoint(
    chain_name: str, prefix: str, look_up: ex.LookUp = ex.vmap, first: Iterable[bytes] = ()
) -> list[Message]:
    """Look the destination up in PREFIX4 or PREFIX6: with its port for TCP and UDP, with port 0 for ICMP.

    The protocol is loaded into the key and compared there: each packet goes through this.
    """
    rules = []
    for family, offset, length, name in ((IP, 16, 4, f"{prefix}4"), (IP6, 24, 16, f"{prefix}6")):
        after = ex.DATA + length // 4
        for protocol in (TCP, UDP, ICMP if family == IP else ICMP6):
            port = ex.payload(ex.TRANSPORT, 2, 2, after + 1)
            if protocol in (ICMP, ICMP6):
                port = ex.immediate(b"\0\0\0\0", after + 1)
            is_of = [*is_family(family), ex.meta(ex.META_L4PROTO, after), ex.compare(bytes([protocol]), register=after)]
            address = ex.payload(ex.NETWORK, offset, length)
            rules.append(rule(chain_name, [*is_of, *first, address, port, look_up(name)]))
    return rules
