"""What lets us hear the name that a flow to a raw address says first. It holds nothing and stops nothing.

    set nameless4, nameless6 { address . protocol . port; }      # TCP endpoints without a name
    set young4, young6 { source . target . source port . target port; flags dynamic, timeout; size 4096;
                         limit rate 1/hour burst 12 packets; }   # each matches 12 times
    chain claims {                                               # a packet that comes so far passes
      meta mark AGENT accept
      meta l4proto != tcp accept
      ct state new KEY @nameless4 / 6 add @young4 / 6 { FLOW timeout 30s }
      FLOW @young4 / 6 limit rate 1000/second burst 1000 packets log group 6 snaplen 4096 }

The rules come with the first endpoint that has no name. Only the first packets of new flows are copied. An endpoint is
in `nameless` before its first SYN goes on, where calls are held. A flow in a lane leaves for our own port, and is not
heard.

The connection tracker's counters would tell the first packets as well; but once a rule reads them they are kept for
every flow, and `reset` with `after_bytes` would end flows for what they carried before it was wanted.
"""

from __future__ import annotations

from collections.abc import Iterable

from belljar_tui.agent import expressions as ex
from belljar_tui.agent import nft
from belljar_tui.agent import ruleset_elements as elements
from belljar_tui.agent.netlink import CREATE, Message
from belljar_tui.agent.nft import IP, IP6, TCP, flow_set, is_family, is_protocol, rule
from belljar_tui.core.model import Endpoint

PACKETS = 12
"""So many of a flow: a ClientHello is in the first one or two, unless its caller writes it in pieces."""
_CHAIN = "claims"
_FLOWS = 4096
_YOUNG_S = 30.0
_PER_SECOND = 1000
_ADDRESS4, _ADDRESS6, _PORT = 7, 8, 13
_FAMILIES = (
    # family, offset of the addresses, their length together, set's suffix, type of one
    (IP, 12, 8, 4, _ADDRESS4),
    (IP6, 8, 32, 6, _ADDRESS6),
)


def sets() -> list[Message]:
    """The sets, and the proof that this kernel takes the rules."""
    content = []
    for _, _, length, suffix, address in _FAMILIES:
        key_type = address << 18 | address << 12 | _PORT << 6 | _PORT
        content += [
            elements.key_set(f"nameless{suffix}", v6=suffix == 6),
            flow_set(f"young{suffix}", key_type, length + 8, at_most=_FLOWS, packets=PACKETS),
        ]
    return [*content, *rules(), nft.empty(_CHAIN)]


def rules() -> list[Message]:
    """The rules, once there are the sets."""
    content = [
        rule(_CHAIN, [*nft.from_agent(), ex.verdict(ex.ACCEPT)]),
        rule(_CHAIN, [*is_protocol(TCP, ex.NOT_EQUAL), ex.verdict(ex.ACCEPT)]),
    ]
    for family, offset, length, suffix, _ in _FAMILIES:
        flow = _flow(offset, length)
        is_nameless = [*nft.is_new(), *nft.key(family), ex.in_set(f"nameless{suffix}")]
        is_young = [ex.in_set(f"young{suffix}"), ex.limit(_PER_SECOND, _PER_SECOND)]
        copied = ex.log(nft.CLAIM_GROUP, nft.CLAIM_LENGTH)
        content += [
            rule(_CHAIN, [*is_family(family), *is_nameless, *flow, ex.add_to(f"young{suffix}", _YOUNG_S)]),
            rule(_CHAIN, [*is_family(family), *flow, *is_young, copied]),
        ]
    return content


def element_messages(message: int, endpoints: Iterable[Endpoint]) -> list[Message]:
    """Endpoints into `nameless`, or out of it."""
    flags = CREATE if message == nft.NEWSETELEM else 0
    content: list[Message] = []
    for suffix in (4, 6):
        keys = [elements.key(each) for each in endpoints if elements.is_v6(each) == (suffix == 6)]
        content += nft.element_messages(message, f"nameless{suffix}", keys, flags)
    return content


def _flow(offset: int, length: int) -> list[bytes]:
    """Load a packet's addresses and ports."""
    after = ex.DATA + length // 4
    return [
        ex.payload(ex.NETWORK, offset, length),
        ex.payload(ex.TRANSPORT, 0, 2, after),
        ex.payload(ex.TRANSPORT, 2, 2, after + 1),
    ]
