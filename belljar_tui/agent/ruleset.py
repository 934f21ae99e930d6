"""The table `inet belljar` in the kernel: made once, then changed by map elements, each change one transaction.

How it is built stands in `ruleset_chains`, its elements in `ruleset_elements`, how each mode fails in `modes`.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Container, Iterable, Mapping

import msgspec

from belljar_tui.agent import expressions as ex
from belljar_tui.agent import modes, nft, ruleset_claims, ruleset_lanes, ruleset_virtual
from belljar_tui.agent import ruleset_elements as elements
from belljar_tui.agent.counts import Counts, Verdict, fails_some
from belljar_tui.agent.modes import flaky
from belljar_tui.agent.modes.slow import DATAGRAM_CHAIN
from belljar_tui.agent.netlink import CREATE, ECHO, Message, Netfilter, NetlinkError
from belljar_tui.agent.nft import QueueTo
from belljar_tui.agent.ruleset_chains import (
    asking_for_timed,
    early_rules,
    failing,
    holding_open_calls,
    hooks,
    passing_known_flows,
    table,
    while_alive,
)
from belljar_tui.core.model import Endpoint, Mode, Protocol

_MISSING = (errno.ENOENT, errno.EOPNOTSUPP, errno.EINVAL)
"""What a kernel says to an expression it does not have."""

_HELD_S = 2.0


class Timed(msgspec.Struct, frozen=True):
    """A cut with a time limit over an endpoint."""

    verdict: str
    left_s: float
    """Seconds until the kernel takes it away."""


class Ruleset:
    """The kernel's side of the wanted state. Synchronous: one change is one netlink round trip.

    Raises NetlinkError (an OSError) where the kernel refuses.
    """

    def __init__(
        self,
        netfilter: Netfilter,
        resolver_port: int,
        forwarded: Iterable[int],
        open_lanes: Callable[[], int] = lambda: 0,
    ) -> None:
        """`open_lanes` is called when a lane is first wanted, and gives the port that lanes listen on."""
        self._netfilter = netfilter
        self._resolver_port = resolver_port
        self._forwarded = tuple(forwarded)
        self.queue = "none"
        """`native`, `xtables` or `none`: what holds a blocked call for attribution."""
        self.logs = False
        """Open flows are logged."""
        self.dice = ""
        """What decides which call fails where only some do; empty: nothing in this kernel can."""
        self.hears_names = False
        """What flows to raw addresses say first can be logged."""
        self._hears = False
        """It is: somebody called one."""
        self._has_fail = False
        """Packets can be marked to fail, or to be listened to."""
        self._queue_to: QueueTo | None = None
        self._made: set[str] = set()
        """Chains with parameters that are there."""
        self._failed: set[Endpoint] = set()
        """Endpoints whose failed calls are counted apart."""
        self._open_lanes = open_lanes
        self._has_lanes = False
        self._lanes: dict[Endpoint, str] = {}
        """Endpoints that are diverted, and by which mode; the kernel may have ended those with a time limit."""
        self._has_let = False
        """What lanes let through is counted."""
        self._let: set[Endpoint] = set()
        """Endpoints that were ever in a lane: what still goes through one is counted apart."""
        self._timed: Mapping[Endpoint, Timed] = {}
        """Those that were wanted last; the kernel may have ended them."""
        self._translated: dict[str, str] = {}
        self._met_seals = 0
        """New undecided calls that met a seal which has been changed since."""

    def create(self) -> None:
        """Make the table, with the best queue and log this kernel has, as one transaction per attempt; then put it in
        force."""
        attempts: tuple[tuple[str, QueueTo | None, bool], ...] = (
            ("native", while_alive(ex.queue_native, has_limit=True), True),
            ("xtables", while_alive(ex.queue_xtables, has_limit=True), True),
            ("native", while_alive(ex.queue_native, has_limit=False), True),
            ("xtables", while_alive(ex.queue_xtables, has_limit=False), True),
            ("none", None, True),
            ("none", None, False),
        )
        for queue, queue_to, has_log in attempts:
            content = table(queue_to, has_log=has_log, resolver_port=self._resolver_port, forwarded=self._forwarded)
            try:
                self._netfilter.batch(nft.SUBSYSTEM, content)
            except NetlinkError as error:
                if error.errno not in _MISSING or not has_log:
                    raise
                continue
            self.queue, self.logs = queue, has_log
            if queue_to is not None:
                self._queue_to = queue_to
                self._has(holding_open_calls(queue_to))
            break
        self._has(passing_known_flows())
        self._netfilter.batch(nft.SUBSYSTEM, hooks(self._resolver_port))
        self.hears_names = self.logs and self._has(ruleset_claims.sets())
        self.dice = next((dice for dice in flaky.DICE if self._has(flaky.probe(dice))), "")

    def hold_calls(self, *, keeps_up: bool) -> None:
        """Let calls be held for the next _HELD_S seconds only; to be said again before they are over.

        A reader that hangs would keep them for ever: calls that are open are nobody's to keep, and those that are cut
        are to fail as they should. One that lives and does not keep up holds none of those that are cut.
        """
        if self._queue_to is not None:
            content = elements.alive_messages("alive", _HELD_S)
            content += elements.alive_messages("keeps_up", _HELD_S if keeps_up else 0)
            self._netfilter.batch(nft.SUBSYSTEM, content)

    def hear(self, endpoints: Iterable[Endpoint], *, is_over: bool = False) -> None:
        """Log what new flows to these endpoints say first; or do so no more. Each is said once, and ended once."""
        content = ruleset_claims.element_messages(nft.DELSETELEM if is_over else nft.NEWSETELEM, endpoints)
        if content:
            if not self._hears:
                content = [*([] if self._has_fail else failing()), *ruleset_claims.rules(), *content]
            self._netfilter.batch(nft.SUBSYSTEM, content)
            self._hears = self._has_fail = True

    @property
    def lacks(self) -> tuple[Mode, ...]:
        """Modes that this kernel cannot do."""
        return () if self.dice else (Mode.FLAKY,)

    def change(
        self,
        remove: Iterable[Endpoint],
        add: Mapping[Endpoint, Verdict],
        seal: Verdict,
        *,
        seal_changes: bool,
        timed: Mapping[Endpoint, Timed] | None = None,
        counted: Iterable[Endpoint] = (),
    ) -> dict[Endpoint, Counts]:
        """One atomic batch: these elements out, these in, and the seal.

        Args:
            timed: every cut with a time limit, in place of those there are; None leaves those.
            counted: of the added, those whose failed calls are counted apart because a cut for a time lies over them.

        Returns:
            What the removed elements had counted, read as they were removed, so that no count is lost.
        """
        gone = list(remove)
        apart = {e for e, verdict in add.items() if fails_some(verdict) or verdict == Mode.HANG} | set(counted)
        lanes = self._lanes_after(add, self._timed if timed is None else timed)
        wanted = [*add.items(), *((e, each.verdict) for e, each in (timed or {}).items())]
        marked = [(verdict, endpoint.protocol) for endpoint, verdict in wanted]
        late = {endpoint for endpoint, verdict in wanted if verdict == DATAGRAM_CHAIN}
        let = (self._let | lanes.keys() | late) & add.keys()
        has_lanes = self._has_lanes or bool(lanes)
        has_let = self._has_let or has_lanes or bool(late)
        chains = self._missing_chains(verdict for _, verdict in wanted)
        has_fail = self._has_fail or (seal_changes and seal is not None) or any(modes.marks(*each) for each in marked)
        content = failing() if has_fail and not self._has_fail else []
        content += ruleset_lanes.counting_sets() if has_let and not self._has_let else []
        content += [message for made in chains.values() for message in made]
        if has_lanes and not self._has_lanes:
            content += self._lane_chains()
        for where in (*elements.LASTING, *(elements.LET if has_let else ())):
            before, after = (self._let, let) if where in elements.LET else (self._failed, apart)
            content += _lasting_messages(where, [e for e in gone if where.is_map or e in before], add, after)
        if seal_changes:
            content += elements.seal_messages(nft.DELSETELEM, None, ECHO)
            content += elements.seal_messages(nft.NEWSETELEM, seal)
        if timed is not None:
            content += _timed_messages(timed)
            if bool(timed) != bool(self._timed):
                content += asking_for_timed(asks=bool(timed))
        changing = {*gone, *add, *(self._timed if timed is not None else ()), *(timed or ())}
        content += ruleset_lanes.element_messages(self._lanes, lanes, changing) if has_lanes else []
        if not content:
            return {}
        echoes = self._netfilter.batch(nft.SUBSYSTEM, content)
        self._met_seals += elements.seal_calls_of_echoes(echoes)
        self._made |= chains.keys()
        self._failed = (self._failed - set(gone)) | apart
        self._has_lanes, self._has_let, self._has_fail = has_lanes, has_let, has_fail
        self._let = (self._let - set(gone)) | let
        self._timed = self._timed if timed is None else timed
        self._lanes = {e: mode for e, mode in self._lanes.items() if e not in changing}
        self._lanes |= {e: mode for e, (mode, _) in lanes.items() if e in changing}
        return elements.counts_of_echoes(echoes)

    def translate(self, virtual: str, real: str) -> None:
        """From now on calls to `virtual` reach `real`, and are judged as calls to `virtual`."""
        content: list[Message] = []
        if not self._translated:
            content += ruleset_virtual.messages(early_rules())
            content += ruleset_lanes.early_messages() if self._has_lanes else []
        self._netfilter.batch(nft.SUBSYSTEM, [*content, *ruleset_virtual.element_messages({virtual: real})])
        self._translated[virtual] = real

    @property
    def translated(self) -> Mapping[str, str]:
        """Virtual address -> real one, as it is to be."""
        return self._translated

    def read_translated(self) -> dict[str, str]:
        """The same as the kernel has it."""
        maps = ruleset_virtual.names() if self._translated else ()
        return dict(ruleset_virtual.translation_of(fields) for name in maps for fields in self._dump(name))

    def read(self) -> dict[Endpoint, tuple[Verdict, Counts]]:
        """Every lasting element as the kernel has it: its verdict and counters."""
        found: dict[Endpoint, tuple[Verdict, Counts]] = {}
        for where in (*elements.LASTING, *(elements.LET if self._has_let else ())):
            for fields in self._dump(where.name):
                endpoint = elements.endpoint_of(fields, where.v6)
                verdict, counts = found.get(endpoint, (None, Counts()))
                if where.counts == "packets":
                    verdict = elements.verdict_of(fields)
                counted = elements.counts_of(where, elements.count_of(fields))
                found[endpoint] = (verdict, counts.plus(counted))
        return found

    def read_timed(self) -> dict[Endpoint, str]:
        """Every cut with a time limit that the kernel still has, and the chain it leads to."""
        return {
            elements.endpoint_of(fields, where.v6): elements.verdict_of(fields) or ""
            for where in elements.TIMED
            if not where.is_watch
            for fields in self._dump(where.name)
        }

    def read_lanes(self) -> dict[Endpoint, str]:
        """Every endpoint that the kernel diverts, and by which mode."""
        return {
            elements.endpoint_of(fields, v6): mode
            for name, mode, v6 in (ruleset_lanes.names() if self._has_lanes else ())
            for fields in self._dump(name)
        }

    def read_seal(self) -> tuple[Verdict, int]:
        """The seal as the kernel has it, and how many new undecided calls have met it or one before it."""
        calls = self._met_seals + sum(elements.count_of(fields).packets for fields in self._dump("seal_watch"))
        targets = {elements.verdict_of(fields) for fields in self._dump("seal_verdict")}
        return (targets.pop() if targets else None), calls

    def _dump(self, name: str) -> Iterable[dict[int, memoryview]]:
        body = elements.dump_body(name)
        for payload in self._netfilter.dump(nft.kind(nft.GETSETELEM), nft.INET, body):
            yield from nft.list_elements(payload)

    def _missing_chains(self, verdicts: Iterable[Verdict]) -> dict[str, list[Message]]:
        wanted = {verdict for verdict in verdicts if verdict is not None and fails_some(verdict)}
        chains: dict[str, list[Message]] = {}
        for verdict in wanted:
            chains |= modes.chains_for(verdict, self.dice, self._queue_to)
        return {name: made for name, made in chains.items() if name not in self._made}

    def _lanes_after(
        self, add: Mapping[Endpoint, Verdict], timed: Mapping[Endpoint, Timed]
    ) -> dict[Endpoint, tuple[str, float | None]]:
        """Of what changes: the lane's mode, and for how many seconds (None: for good)."""
        lasting = {endpoint: (verdict, None) for endpoint, verdict in add.items()}
        over = {endpoint: (each.verdict, each.left_s) for endpoint, each in timed.items()}
        hows: dict[Endpoint, tuple[Verdict, float | None]] = {**lasting, **over}
        return {e: (how, left) for e, (how, left) in hows.items() if how in modes.LANES and e.protocol is Protocol.TCP}

    def _lane_chains(self) -> list[Message]:
        early = ruleset_lanes.early_messages() if self._translated else []
        return [*ruleset_lanes.messages(self._queue_to, has_log=self.logs, port=self._open_lanes()), *early]

    def _has(self, content: list[Message]) -> bool:
        """Whether this kernel takes `content`."""
        try:
            self._netfilter.batch(nft.SUBSYSTEM, content)
        except NetlinkError as error:
            if error.errno not in _MISSING:
                raise
            return False
        return True


def _lasting_messages(
    where: elements.Map, gone: Iterable[Endpoint], add: Mapping[Endpoint, Verdict], counted: Container[Endpoint]
) -> list[Message]:
    """These out of one of the lasting maps, and in what is added, or, where it only counts, what is `counted`."""
    leaving = [elements.key(e) for e in gone if elements.is_v6(e) == where.v6]
    coming = [e for e in add if elements.is_v6(e) == where.v6 and (where.is_map or e in counted)]
    packed = [elements.element(where, e, add[e]) for e in coming]
    return [
        *nft.element_messages(nft.DELSETELEM, where.name, leaving, ECHO),
        *nft.element_messages(nft.NEWSETELEM, where.name, packed, CREATE),
    ]


def _timed_messages(timed: Mapping[Endpoint, Timed]) -> list[Message]:
    """All of them anew: one that has just expired could not be taken out by name."""
    content: list[Message] = []
    for where in elements.TIMED:
        packed = [
            elements.timed_element(where, endpoint, each.verdict, each.left_s)
            for endpoint, each in timed.items()
            if elements.is_v6(endpoint) == where.v6
        ]
        content += [nft.flush(where.name), *nft.element_messages(nft.NEWSETELEM, where.name, packed, CREATE)]
    return content
