"""What diverts calls into a lane: made in the table when one is first wanted, so that a jar without lanes pays nothing.

    set lane_hang4, lane_hang6, lane_slow4, lane_slow6 { address . protocol . port; flags timeout; }
    set let4, let6, let_packets4, let_packets6 { the same keys; counter; }    # calls and packets a lane let through

    chain divert { type filter hook output priority -150        # before translation: the address is as called
      meta l4proto != tcp accept
      meta mark AGENT accept
      ct direction reply accept
      ct state != new ct status & dnat == 0 accept              # from before the lane: met by its mode's chain
      ct state != new ct reply saddr != loopback accept         # the same of one whose address is virtual
      KEY @lane_hang4 / 6 goto lane_hang
      KEY @lane_slow4 / 6 goto lane_slow
      ct state != new KEY @let_packets4 / 6 }                   # still in the lane, though its cut is over
    chain lane_hang { ct state != new accept; jump count; goto lane_new }
    chain lane_slow { KEY @let_packets4 / 6; ct state != new accept; KEY @let4 / 6; goto lane_new }
    chain lane_new  { queue num 9 bypass }                      # held until its lane has reached whom it calls
    chain lane_fail { type filter hook output priority -140
      meta mark REFUSED reject with tcp reset
      meta mark NO_WAY reject with icmpx host-unreachable }
    chain lane { type nat hook output priority -105
      meta mark AGENT accept
      meta mark REACHED redirect to :LANE
      KEY @lane_hang4 / 6, @lane_slow4 / 6 redirect to :LANE }  # those that nobody held

All nat chains run at priority -100, whatever their own (nf_nat_core): `observe` and `enforce` see a diverted packet on
its way to our own port, as internal. A call that is in these sets and was not translated meets its mode's chain.

Datagrams are held in a queue of their own instead (`modes.slow`), and have of all this only what counts them.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable, Mapping

from belljar_tui.agent import expressions as ex
from belljar_tui.agent import nft
from belljar_tui.agent import ruleset_elements as elements
from belljar_tui.agent.modes import LANES
from belljar_tui.agent.netlink import CREATE, Message
from belljar_tui.agent.nft import IP, IP6, TCP, QueueTo, chain, is_family, is_protocol, rule
from belljar_tui.agent.ruleset_virtual import ENFORCE, OBSERVE
from belljar_tui.core.model import Endpoint

REACHED, REFUSED, NO_WAY = 0xBE1C, 0xBE1A, 0xBE1B
"""Marks of a held call: it has reached whom it calls, and goes through the lane whatever has been wanted since; or it
could not, and why."""
_BEFORE_TRANSLATION = -150
_DNAT = 1 << 5
_SETS = tuple((f"lane_{mode}", mode) for mode in LANES)


def counting_sets() -> list[Message]:
    """What counts calls and packets that a lane lets through."""
    return [elements.key_set(each.name, v6=each.v6) for each in elements.LET]


def messages(queue_to: QueueTo | None, *, has_log: bool, port: int) -> list[Message]:
    """Sets, chains and rules, for lanes that listen on `port`; what counts is there already."""
    seen = [*([ex.log(nft.LOG_GROUP, nft.SNAP_LENGTH)] if has_log else []), ex.verdict(ex.ACCEPT)]
    return [
        *(elements.key_set(f"{name}{v}", v6=v == 6, expires=True) for name, _ in _SETS for v in (4, 6)),
        *(chain(name) for name in ("lane_hang", "lane_slow", "lane_new")),
        chain("divert", "filter", _BEFORE_TRANSLATION),
        chain("lane_fail", "filter", _BEFORE_TRANSLATION + 10),
        chain("lane", "nat", -105),
        rule("lane_new", [queue_to(nft.LANES)] if queue_to is not None else seen),
        *_divert(),
        *_each_mode(),
        rule("lane_fail", [*nft.has_mark(REFUSED), ex.reject_tcp_reset()]),
        rule("lane_fail", [*nft.has_mark(NO_WAY), ex.reject_icmpx(ex.HOST_UNREACHABLE)]),
        rule("lane", [*nft.from_agent(), ex.verdict(ex.ACCEPT)]),
        rule("lane", [*is_protocol(TCP), *nft.has_mark(REACHED), *ex.redirect(port)]),
        *(each for name, _ in _SETS for each in _in("lane", name, lambda _: ex.redirect(port))),
    ]


def element_messages(
    before: Mapping[Endpoint, str], after: Mapping[Endpoint, tuple[str, float | None]], changing: Iterable[Endpoint]
) -> list[Message]:
    """Bring `changing` endpoints from the lanes they were in to those they are to be in.

    Args:
        before: the mode whose lane an endpoint was put into.
        after: the mode, and seconds until the kernel ends it by itself (None: never).
    """
    content: list[Message] = []
    for name, mode in _SETS:
        for v in (4, 6):
            of = [endpoint for endpoint in changing if elements.is_v6(endpoint) == (v == 6)]
            gone = [elements.key(endpoint) for endpoint in of if before.get(endpoint) == mode]
            # one whose time is up may be gone: adding what is there changes nothing, and then it can be taken out
            content += nft.element_messages(nft.NEWSETELEM, f"{name}{v}", gone, CREATE)
            content += nft.element_messages(nft.DELSETELEM, f"{name}{v}", gone, 0)
            coming = [
                elements.expiring_key(endpoint, after[endpoint][1])
                for endpoint in of
                if after.get(endpoint, ("", None))[0] == mode
            ]
            content += nft.element_messages(nft.NEWSETELEM, f"{name}{v}", coming, CREATE)
    return content


def early_messages() -> list[Message]:
    """What lets calls to virtual addresses through into their lanes, before any other rule of those chains: a call is
    marked for the lane as it passes, so that no change in between can lead it anywhere else."""
    content: list[Message] = []
    for name, then in ((OBSERVE, []), (ENFORCE, ex.set_mark(REACHED))):
        past = [*then, ex.verdict(ex.ACCEPT)]
        content += [each for of, _ in _SETS for each in _in(name, of, lambda _: past, is_first=True)]  # noqa: B023
        content.append(rule(name, [*is_protocol(TCP), *nft.has_mark(REACHED), ex.verdict(ex.ACCEPT)], is_first=True))
        for family in (IP, IP6):
            inside = [*is_protocol(TCP), *_leads_inside(ex.EQUAL, family), ex.verdict(ex.ACCEPT)]
            content.append(rule(name, inside, is_first=True))
        content.append(rule(name, [*nft.from_agent(), ex.verdict(ex.ACCEPT)], is_first=True))
    return content


def names() -> list[tuple[str, str, bool]]:
    """Name, mode and whether it is of IPv6, of every set that diverts."""
    return [(f"{name}{v}", str(mode), v == 6) for name, mode in _SETS for v in (4, 6)]


def _divert() -> list[Message]:
    not_new = _not_new()
    return [
        rule("divert", [*is_protocol(TCP, ex.NOT_EQUAL), ex.verdict(ex.ACCEPT)]),
        rule("divert", [*nft.from_agent(), ex.verdict(ex.ACCEPT)]),
        rule("divert", [ex.ct(ex.CT_DIRECTION), ex.compare(b"\1"), ex.verdict(ex.ACCEPT)]),
        rule("divert", [*not_new, *_not_translated(), ex.verdict(ex.ACCEPT)]),
        *(rule("divert", [*not_new, *_leads_inside(ex.NOT_EQUAL, f), ex.verdict(ex.ACCEPT)]) for f in (IP, IP6)),
        *(each for name, _ in _SETS for each in _in("divert", name, lambda s: [ex.verdict(ex.GOTO, s)])),
        *_in("divert", "let_packets", lambda _: [], not_new),
    ]


def _each_mode() -> list[Message]:
    to_accept = [*_not_new(), ex.verdict(ex.ACCEPT)]
    return [
        rule("lane_hang", to_accept),
        rule("lane_hang", [ex.verdict(ex.JUMP, "count")]),
        rule("lane_hang", [ex.verdict(ex.GOTO, "lane_new")]),
        *_in("lane_slow", "let_packets", lambda _: []),
        rule("lane_slow", to_accept),
        *_in("lane_slow", "let", lambda _: []),
        rule("lane_slow", [ex.verdict(ex.GOTO, "lane_new")]),
    ]


def _not_new() -> list[bytes]:
    return [ex.ct(ex.CT_STATE), ex.masked(ex.NEW_FLOW), ex.compare(struct.pack("=I", 0))]


def _not_translated() -> list[bytes]:
    return [ex.ct(ex.CT_STATUS), ex.masked(_DNAT), ex.compare(struct.pack("=I", 0))]


def _leads_inside(operation: int, family: int) -> list[bytes]:
    """`ct reply saddr` is loopback, or with NOT_EQUAL anything else: whoever answers is us."""
    if family == IP:
        return [*is_family(IP), ex.ct_of(ex.CT_SOURCE4, ex.REPLY), ex.compare(bytes([127]), operation)]
    inside = socket.inet_pton(socket.AF_INET6, "::1")
    return [*is_family(IP6), ex.ct_of(ex.CT_SOURCE6, ex.REPLY), ex.compare(inside, operation)]


def _in(
    chain_name: str,
    name: str,
    then: Callable[[str], list[bytes]],
    first: Iterable[bytes] = (),
    *,
    is_first: bool = False,
) -> list[Message]:
    """`KEY @name4 / 6`, and what follows when the called endpoint is in it."""
    rules = []
    for family, suffix in ((IP, 4), (IP6, 6)):
        match = [*is_family(family), *is_protocol(TCP), *first, *nft.key(family), ex.in_set(f"{name}{suffix}")]
        rules.append(rule(chain_name, [*match, *then(name)], is_first=is_first))
    return rules
