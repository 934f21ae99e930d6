"""The table `inet belljar` as it is made: its sets, its chains and the rules that never change.

What the messages built here stand for (KEY is `address . protocol . port`):

    table inet belljar {
      flags owner                     # dies with our socket, whatever killed us; nobody else may change it
      map verdict4 { type ipv4_addr . inet_proto . inet_service : verdict; counter; }    # all packets, per endpoint
      map verdict6 { type ipv6_addr . inet_proto . inet_service : verdict; counter; }
      map watch4, watch6 { the same keys : verdict; counter; }                           # new calls, per endpoint
      map timed4, timed6, timed_watch4, timed_watch6 { the same; flags timeout; }        # cuts with a time limit
      set failed4, failed6 { the same keys; counter; }       # calls that failed where some do, or for a time
      map seal_verdict, seal_watch { type nf_proto : verdict; counter; }                 # everything undecided
      set alive { type nf_proto; flags timeout; }            # there while the agent lives
      set keeps_up { type nf_proto; flags timeout; }         # there while it also keeps up with what it holds
      set forwarded { type inet_service; }                   # loopback ports that lead out of the jar

      chain observe  { type filter hook output priority -10
        ct state != new accept
        meta mark AGENT accept
        KEY vmap @timed_watch4 / 6                           # cut for a time: jump due
        KEY vmap @watch4 / 6                                 # open: goto opened; cut: goto hold
        neighbour discovery accept
        loopback: the resolver's port accept; not @forwarded goto seen
        meta nfproto vmap @seal_watch }                      # open: goto meet; cut: goto strange
      chain seen     { log group 5 accept }
      chain opened   { ct status confirmed accept        # counted; of a flow that is known, and never answered
                       limit rate 500/second burst 500 packets meta nfproto @alive queue num 8 bypass
                       goto seen }
      chain meet     { meta nfproto @alive queue num 7 bypass    # an endpoint's first calls: the seal has counted them
                       goto seen }
      chain hold     { meta l4proto != tcp meta mark set NEW_CALL accept   # held below, where it fails
                       meta nfproto @keeps_up limit rate 3000/second burst 1000 packets
                         queue num 5 bypass }                              # held until its process is known
      chain strange  { the same with FIRST_CALL, @alive and no limit, queue num 7 }
      chain due      { jump count goto hold }
      chain count    { KEY @failed4 / 6 }
      chain enforce  { type filter hook output priority 0
        meta mark AGENT accept
        ct direction reply accept                            # the service may answer its callers
        jump timed
        KEY vmap @verdict4 / 6                               # accept, or goto MODE
        neighbour discovery accept
        loopback, not @forwarded: accept
        meta nfproto vmap @seal_verdict }
      chain timed    { KEY vmap @timed4 / 6 }                # jump MODE; empty while there are no such cuts
      chain MODE     { see agent/modes }
      chain fail     { type filter hook output priority 10   # there once anything can be marked, or is listened to
        meta mark 0 goto claims                              # most packets are not to fail
        jump fails
        goto claims }
      chain fails    { what the modes' marks lead to }
      chain claims   { see ruleset_claims; empty until somebody calls a raw address }
      chain names    { type nat hook output priority -110
        meta mark AGENT accept
        meta l4proto { tcp, udp } th dport 53 redirect to :RESOLVER }
    }

Each packet of each open flow goes through `observe` and `enforce`. What most of them need stands first, and what is
seldom wanted is not there, or a chain that is empty, until it is.

Of an open flow only the first packet is looked at: to the kernel each datagram of one that is never answered is new.
Open calls are held too, as long as they are not too many: a caller that is gone at once is lost to the log's reader.
Of calls that meet a cut more are held, but not so many that they would wait for one another: beyond the limit, and
while the agent is behind, they fail at once, counted and unnamed. Where it has not said for two seconds that it lives,
nothing new is held at all, or a stopped agent would stop its service, too.

A packet that was held leaves the queue at the next hook priority, so observing and enforcing are two base chains; with
`bypass` a missing reader means unattributed, never unenforced.

A cut with a time limit lies over what would hold without it: when the kernel takes its elements away, the endpoint is
at once as it would have been, whether or not anybody lives who could say so. A counter in such an element would go with
it, so its failed calls are counted in `failed`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable, Iterable

from belljar_tui.agent import expressions as ex
from belljar_tui.agent import modes, nft, ruleset_virtual
from belljar_tui.agent.netlink import CREATE, Message
from belljar_tui.agent.nft import IP, IP6, TCP, UDP, QueueTo, by_endpoint, chain, is_family, is_protocol, rule
from belljar_tui.agent.ruleset_elements import MAPS, alive_messages, key_set, seal_messages

_PLAIN = (
    *("seen", "opened", "meet", "hold", "strange", "due", "count", "timed", "fails", "claims"),
    *("refuse", "blackhole", "reset", "unreachable", "hang", "slow"),
)
_CONFIRMED = 1 << 3
"""IPS_CONFIRMED: its first packet has left."""
_HELD_PER_SECOND = 500
"""Open calls held for attribution: at some 0.1 ms each, no more than a twentieth of one processor."""
_CUT_HELD_PER_SECOND, _CUT_HELD_AT_ONCE = 3000, 1000
"""Calls that meet a cut held for attribution. Measured at 20,000 a second without a limit: the queue was always full,
and whoever called waited seconds for each refusal."""
_INNER = ("inner_observe", "inner_enforce")


def table(queue_to: QueueTo | None, *, has_log: bool, resolver_port: int, forwarded: Iterable[int]) -> list[Message]:
    """Everything but what packets meet first, as one transaction's messages.

    `hooks` is another one: where the kernel lacks something it takes hooks away again, and drops every packet that any
    queue of the namespace holds (net/netfilter/core.c, nf_queue_nf_hook_drop), those of a closed jar among them.
    """
    seen = [*([ex.log(nft.LOG_GROUP, nft.SNAP_LENGTH)] if has_log else []), ex.verdict(ex.ACCEPT)]
    ports = [nft.port_element(port) for port in forwarded]
    return [
        nft.owned_table(),
        *_sets(),
        *(chain(name) for name in (*_PLAIN, *_INNER)),
        *nft.element_messages(nft.NEWSETELEM, "forwarded", ports, CREATE),
        *alive_messages("alive", None),
        *alive_messages("keeps_up", None),
        *seal_messages(nft.NEWSETELEM, None),
        rule("seen", seen),
        rule("opened", [ex.verdict(ex.GOTO, "seen")]),
        *([rule("meet", [queue_to(nft.FIRST)])] if queue_to is not None else []),
        rule("meet", seen),
        *_hold("hold", nft.NEW_CALL, nft.QUEUE, queue_to, seen),
        *_hold("strange", nft.FIRST_CALL, nft.FIRST, queue_to, seen),
        *_due(),
        *modes.static_rules(queue_to),
        *_inner(resolver_port),
    ]


def hooks(resolver_port: int) -> list[Message]:
    """What packets meet first, as one transaction's messages: from then on the table is in force."""
    return [
        chain("observe", "filter", -10),
        chain("enforce", "filter", 0),
        chain("names", "nat", -110),
        *_observe("observe", _loopback("observe", "inner_observe")),
        *_enforce("enforce", _loopback("enforce", "inner_enforce")),
        *_names(resolver_port),
    ]


def failing() -> list[Message]:
    """What packets meet last, once any can be marked or is listened to."""
    return [
        chain("fail", "filter", 10),
        rule("fail", [*nft.has_mark(0), ex.verdict(ex.GOTO, "claims")]),
        rule("fail", [ex.verdict(ex.JUMP, "fails")]),
        rule("fail", [ex.verdict(ex.GOTO, "claims")]),
    ]


def _sets() -> list[Message]:
    made = [key_set(each.name, v6=each.v6, is_map=each.is_map, expires=each.is_timed) for each in MAPS]
    made += [nft.counted_set(name, 1, 1) for name in ("seal_verdict", "seal_watch")]
    made += [nft.counted_set(name, 1, 1, is_map=False, expires=True) for name in ("alive", "keeps_up")]
    return [*made, nft.port_set("forwarded")]


def holding_open_calls(queue_to: QueueTo) -> list[Message]:
    """What holds open calls, too, up to a rate; not every kernel has `limit`."""
    limited = [ex.limit(_HELD_PER_SECOND, _HELD_PER_SECOND), queue_to(nft.OPENED)]
    return [rule("opened", limited, is_first=True)]


def passing_known_flows() -> list[Message]:
    """What lets an open flow's later packets pass unlogged; not every kernel has `ct status`."""
    is_known = [ex.ct(ex.CT_STATUS), ex.masked(_CONFIRMED), ex.compare(struct.pack("=I", 0), ex.NOT_EQUAL)]
    return [rule("opened", [*is_known, ex.verdict(ex.ACCEPT)], is_first=True)]


def while_alive(queue: Callable[[int, bool], bytes], *, has_limit: bool) -> QueueTo:
    """The same queues, for calls to pass when their reader does not live or, of what is cut, does not keep up.

    What is cut and no new call is looked at by nobody, so it needs no reader that lives; a lane stands still with its
    agent in any case, and lets no datagram past it either.
    """

    def gated(number: int) -> bytes:
        bypasses = number != nft.DATAGRAMS
        if number in (nft.FOLLOWERS, nft.LANES, nft.DATAGRAMS):
            return queue(number, bypasses)
        if number != nft.QUEUE:
            return ex.meta(ex.META_NFPROTO) + ex.in_set("alive") + queue(number, bypasses)
        limited = ex.limit(_CUT_HELD_PER_SECOND, _CUT_HELD_AT_ONCE) if has_limit else b""
        return ex.meta(ex.META_NFPROTO) + ex.in_set("keeps_up") + limited + queue(number, bypasses)

    return gated


def _hold(name: str, mark: int, queue: int, queue_to: QueueTo | None, seen: list[bytes]) -> list[Message]:
    """Without a queue a blocked call is logged at best."""
    if queue_to is None:
        return [rule(name, seen)]
    not_tcp = is_protocol(TCP, ex.NOT_EQUAL)
    return [rule(name, [*not_tcp, *ex.set_mark(mark), ex.verdict(ex.ACCEPT)]), rule(name, [queue_to(queue)])]


def _due() -> list[Message]:
    return [
        rule("due", [ex.verdict(ex.JUMP, "count")]),
        rule("due", [ex.verdict(ex.GOTO, "hold")]),
        *by_endpoint("count", "failed", ex.in_set),
    ]


def _inner(resolver_port: int) -> list[Message]:
    """Loopback: a call to a forwarded port goes on to the seal, the rest stays inside the jar."""
    port = ex.payload(ex.TRANSPORT, 2, 2)
    resolver = [port, ex.compare(struct.pack(">H", resolver_port)), ex.verdict(ex.ACCEPT)]
    leads_out = [*is_protocol(TCP), port, ex.in_set("forwarded")]
    return [
        rule("inner_observe", resolver),
        rule("inner_observe", [*leads_out, ex.verdict(ex.RETURN)]),
        rule("inner_observe", [ex.verdict(ex.GOTO, "seen")]),
        rule("inner_enforce", [*leads_out, ex.verdict(ex.RETURN)]),
        rule("inner_enforce", [ex.verdict(ex.ACCEPT)]),
    ]


def _names(resolver_port: int) -> list[Message]:
    rules = [rule("names", [*nft.from_agent(), ex.verdict(ex.ACCEPT)])]
    for protocol in (UDP, TCP):
        match = [*is_protocol(protocol), ex.payload(ex.TRANSPORT, 2, 2), ex.compare(struct.pack(">H", 53))]
        rules.append(rule("names", [*match, *ex.redirect(resolver_port)]))
    return rules


def early_rules() -> list[Message]:
    """What packets to virtual addresses meet before they are translated: the same, but none of it is loopback."""
    return [*_observe(ruleset_virtual.OBSERVE, []), *_enforce(ruleset_virtual.ENFORCE, [])]


def asking_for_timed(*, asks: bool) -> list[Message]:
    """What looks every packet up among the cuts with a time limit, or no longer does; only said when it changes."""
    return by_endpoint("timed", "timed") if asks else [nft.empty("timed")]


def _observe(name: str, loopback: list[Message]) -> list[Message]:
    not_new = [ex.ct(ex.CT_STATE), ex.masked(ex.NEW_FLOW), ex.compare(struct.pack("=I", 0))]
    return [
        rule(name, [*not_new, ex.verdict(ex.ACCEPT)]),
        rule(name, [*nft.from_agent(), ex.verdict(ex.ACCEPT)]),
        *by_endpoint(name, "timed_watch"),
        *by_endpoint(name, "watch"),
        *loopback,
        rule(name, [ex.meta(ex.META_NFPROTO), ex.vmap("seal_watch")]),
    ]


def _enforce(name: str, loopback: list[Message]) -> list[Message]:
    return [
        rule(name, [*nft.from_agent(), ex.verdict(ex.ACCEPT)]),
        rule(name, [ex.ct(ex.CT_DIRECTION), ex.compare(b"\1"), ex.verdict(ex.ACCEPT)]),
        rule(name, [ex.verdict(ex.JUMP, "timed")]),
        *by_endpoint(name, "verdict"),
        *loopback,
        rule(name, [ex.meta(ex.META_NFPROTO), ex.vmap("seal_verdict")]),
    ]


def _loopback(chain_name: str, inner: str) -> list[Message]:
    """Neighbour discovery passes. Loopback is matched by address too: after the resolver's redirect the packet's
    device is still the old one within this hook."""
    v4, v6 = is_family(IP), is_family(IP6)
    is_inner4 = [ex.payload(ex.NETWORK, 16, 1), ex.compare(bytes([127]))]
    is_inner6 = [ex.payload(ex.NETWORK, 24, 16), ex.compare(socket.inet_pton(socket.AF_INET6, "::1"))]
    to_inner = ex.verdict(ex.JUMP, inner)
    return [
        rule(chain_name, [*nft.is_neighbour_discovery(), ex.verdict(ex.ACCEPT)]),
        rule(chain_name, [*v4, *is_inner4, to_inner]),
        rule(chain_name, [*v6, *is_inner6, to_inner]),
        rule(chain_name, [ex.meta(ex.META_OIF), ex.compare(struct.pack("=I", 1)), to_inner]),
    ]
