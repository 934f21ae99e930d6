"""Makes the kernel match the wanted state, and says what changed, what was counted, and whether it really holds."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from belljar_tui.agent.counts import Tally, Verdict
from belljar_tui.agent.directory import Directory
from belljar_tui.agent.lane_pace import Pace
from belljar_tui.agent.modes import FLOWS_END, LANES, chain_of
from belljar_tui.agent.ruleset import Ruleset, Timed
from belljar_tui.agent.unix.sockets import UnixSockets
from belljar_tui.core import events as ev
from belljar_tui.core.model import Answer, Dependency, Endpoint, Mode, Protocol, Seal, Settings, Wanted

ENDPOINTS_AT_MOST = 20_000
"""Beyond this many endpoints (a port scan, say) new ones fall under the seal unnamed; they are counted as lost."""

_EVERY_NAME = ""
"""The host of name service as a whole."""
_TICK_S = 0.1
"""By so much the kernel may take a cut away earlier than our clock says."""
Destroy = Callable[[list[Endpoint], Mode], int]
"""Ends established flows to these endpoints the way a mode does; returns how many."""

How = tuple[Verdict, Verdict]
"""How an endpoint stands in the kernel: for good, and with a time limit over it (None: nothing is)."""
_NEVER: How = ("", "")
"""How an endpoint stands that has no element: like no other."""

Said = tuple[Mode | None, str, Settings]


class Enforcer:
    """One change is one batch: the new elements are computed from the whole wanted state, compared with what was
    applied, and sent as a difference."""

    def __init__(
        self,
        ruleset: Ruleset,
        directory: Directory,
        destroy: Destroy,
        emit: Callable[[ev.AnyEvent], None],
        now: Callable[[], float],
        unix: UnixSockets | None = None,
    ) -> None:
        self._unix = unix
        self._ruleset = ruleset
        self._directory = directory
        self._destroy = destroy
        self._emit = emit
        self._now = now
        self.wanted = Wanted()
        self._applied: dict[Endpoint, How] = {}
        self._timed: dict[Endpoint, tuple[str, float]] = {}
        """The cuts with a time limit that lie in the kernel, and until when."""
        self._unresolved: dict[str, tuple[Dependency, ...]] = {}
        """Name -> the dependencies of it that are cut so that it does not resolve."""
        self._shown: dict[Dependency, Said] = {}
        """What was last said of each dependency: its mode, whether user or seal cut it, and the mode's parameters."""
        self._earlier: dict[Endpoint, Tally] = {}
        """Counts of elements since replaced."""

    def want(self, wanted: Wanted) -> None:
        """Apply the whole wanted state, read it back, and say what changed."""
        before = self.wanted
        wanted = wanted.at(self._now())
        self.wanted = wanted
        self._unresolved = _unresolved(wanted)
        seal_changes = (before.seal, before.seal_mode) != (wanted.seal, wanted.seal_mode)
        self._apply(self._endpoints(), seal_changes=seal_changes)
        if self._unix is not None:
            self._unix.want(wanted)
        self.audit()
        if seal_changes:
            self._emit(ev.SealChanged(at=self._now(), seal=wanted.seal, mode=wanted.seal_mode))
        self._say_changes()

    def is_due(self) -> bool:
        """Whether the time of a cut is up."""
        return self.wanted.at(self._now()) is not self.wanted

    def expire(self) -> None:
        """The time of a cut is up: the kernel has taken it away, or does so now; say it."""
        self.want(self.wanted)

    def note(self, endpoint: Endpoint, *, has_flows: bool = False) -> Dependency:
        """A call to `endpoint` was seen: give it an element of its own, so that it is counted by itself.

        `has_flows`: there are flows from before us. Else what is cut has had none, only calls that are held right now,
        and those are to fail as every call does.
        """
        dependency = self._directory.note(endpoint)
        if endpoint not in self._applied and len(self._applied) < ENDPOINTS_AT_MOST:
            self._apply({endpoint}, seal_changes=False, ends_flows=has_flows)
        self._say_changes([dependency])
        return dependency

    def note_unix(self, dependency: Dependency) -> None:
        """A call to a unix socket was seen."""
        self._say_changes([dependency])

    def learn(self, name: str, addresses: Iterable[str]) -> None:
        """A name resolved: its elements stand before the answer leaves."""
        self._directory.learn(name, addresses)
        named = {d for d in self._dependencies() if d.host == name}
        self._apply({e for d in named for e in self._directory.endpoints_of(d)}, seal_changes=False)

    def answer_of(self, name: str) -> Answer | None:
        """What a query for `name` is answered with because it is cut; None when it resolves.

        A query names no port, so that a name's dependencies share it: one that is cut by `dns` takes the others along.
        """
        cut = self.unresolved(name)
        return self.wanted.settings_of(str(cut[0])).answer if cut else None

    def unresolved(self, name: str) -> tuple[Dependency, ...]:
        """The dependencies whose cut is why `name` does not resolve."""
        return self._unresolved.get(_EVERY_NAME) or self._unresolved.get(name, ())

    def hint(self, names: Sequence[str], addresses: Sequence[str]) -> None:
        """The engine knows these addresses by these names, the likeliest first; elements follow the naming."""
        if self._directory.hint(names, addresses):
            self._apply(self._endpoints(), seal_changes=False)

    def mode_of(self, dependency: str) -> Mode | None:
        return self.wanted.mode_of(dependency)

    def pace_of(self, endpoint: Endpoint) -> tuple[str, Pace]:
        """The dependency behind an endpoint, and how fast its flows go now."""
        dependency = str(self._directory.dependency_of(endpoint))
        wanted = self.wanted.at(self._now())
        return dependency, Pace.of(wanted.mode_of(dependency), wanted.settings_of(dependency))

    def has_element(self, endpoint: Endpoint) -> bool:
        """Whether calls to `endpoint` are counted by themselves already."""
        return endpoint in self._applied

    def tallies(self) -> dict[Dependency, Tally]:
        """All that the kernel counted of each dependency since the start, replaced elements included."""
        totals: dict[Dependency, Tally] = {}
        kernel = self._ruleset.read()
        for endpoint in {*kernel, *self._earlier}:
            tally = self._earlier.get(endpoint, Tally())
            if endpoint in kernel:
                verdict, counts = kernel[endpoint]
                tally = tally.plus(verdict, counts)
            dependency = self._directory.dependency_of(endpoint)
            totals[dependency] = totals.get(dependency, Tally()).joined(tally)
        return totals

    def met_seals(self) -> int:
        """How many calls have met the seal, having no element of their own, since the start."""
        return self._ruleset.read_seal()[1]

    def audit(self) -> bool:
        """Read the elements back and compare; a difference is an event."""
        kernel = {endpoint: verdict for endpoint, (verdict, _) in self._ruleset.read().items()}
        timed, lanes = self._ruleset.read_timed(), self._ruleset.read_lanes()
        seal, _ = self._ruleset.read_seal()
        wrong = sorted(str(e) for e in kernel.keys() | self._applied.keys() if self._differs(kernel, timed, e))
        wrong += self._unix.differing() if self._unix is not None else []
        wrong += sorted(f"the lane of {e}" for e in lanes.keys() | self._applied.keys() if self._is_astray(lanes, e))
        translated = self._ruleset.read_translated()
        wrong += [
            f"the translation of {v}" for v, real in self._ruleset.translated.items() if translated.get(v) != real
        ]
        if seal != self._seal():
            wrong.insert(0, "the seal")
        if wrong:
            listed = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
            self._emit(ev.AuditFailed(at=self._now(), detail=f"the kernel differs from the wanted state at {listed}"))
        return not wrong

    def _differs(self, kernel: dict[Endpoint, Verdict], timed: dict[Endpoint, str], endpoint: Endpoint) -> bool:
        if endpoint not in kernel or endpoint not in self._applied:
            return True
        lasting, over = self._applied[endpoint]
        if kernel[endpoint] != lasting:
            return True
        if timed.get(endpoint) == over:
            return False
        ends = self._timed.get(endpoint, ("", 0.0))[1]
        return ends - self._now() > _TICK_S or timed.get(endpoint) is not None

    def _is_astray(self, lanes: dict[Endpoint, str], endpoint: Endpoint) -> bool:
        """Whether an endpoint is diverted and should not be, or the other way round."""
        lasting, over = self._applied.get(endpoint, (None, None))
        how = over or lasting
        wanted = how if how in LANES and endpoint.protocol is Protocol.TCP else None
        if lanes.get(endpoint) == wanted:
            return False
        ends = self._timed.get(endpoint, ("", math.inf))[1]
        return ends - self._now() > _TICK_S or lanes.get(endpoint) is not None

    def _seal(self) -> Verdict:
        return None if self.wanted.seal is Seal.OPEN else chain_of(self.wanted.seal_mode, Settings())

    def _dependencies(self) -> dict[Dependency, None]:
        """Everything seen or decided about, in that order."""
        decided = (Dependency.parse(text) for text in (*self.wanted.cuts, *sorted(self.wanted.opens)))
        if self._unix is None:  # nothing here could cut one, so nothing is said of it
            return dict.fromkeys([*self._directory.seen, *(d for d in decided if d.protocol is not Protocol.UNIX)])
        return dict.fromkeys([*self._directory.seen, *self._unix.seen, *decided])

    def _endpoints(self) -> set[Endpoint]:
        decided = {e for d in self._dependencies() for e in self._directory.endpoints_of(d)}
        return decided | set(self._applied)

    def _how(self, lasting: Wanted, dependency: str, protocol: Protocol) -> How:
        """How the endpoints of a dependency are to stand."""
        under = chain_of(lasting.mode_of(dependency), lasting.settings_of(dependency), protocol)
        if self.wanted.until(dependency) is None:
            return under, None
        return under, chain_of(self.wanted.mode_of(dependency), self.wanted.settings_of(dependency), protocol)

    def _apply(self, endpoints: Iterable[Endpoint], *, seal_changes: bool, ends_flows: bool = True) -> None:
        """Bring these endpoints to what the wanted state says of them."""
        add: dict[Endpoint, How] = {}
        timed = dict(self._timed)
        ended: dict[Mode, list[Endpoint]] = {}
        lasting = self.wanted.lasting
        for endpoint in endpoints:
            dependency = str(self._directory.dependency_of(endpoint))
            how, until = self._how(lasting, dependency, endpoint.protocol), self.wanted.until(dependency)
            timed.pop(endpoint, None)
            if how[1] is not None and until is not None:
                timed[endpoint] = (how[1], until)
            if self._applied.get(endpoint, _NEVER) != how:
                add[endpoint] = how
                mode = self.wanted.mode_of(dependency)
                if mode in FLOWS_END and mode == (how[1] or how[0]):
                    ended.setdefault(mode, []).append(endpoint)
        if add or seal_changes or timed != self._timed:
            self._change(add, timed, seal_changes=seal_changes)
        for mode, flows in ended.items() if ends_flows else ():
            # a connected datagram socket that is destroyed is good for nothing any more, also once it is restored
            self._destroy([e for e in flows if e.protocol is Protocol.TCP], mode)

    def _change(
        self, add: dict[Endpoint, How], timed: dict[Endpoint, tuple[str, float]], *, seal_changes: bool
    ) -> None:
        """One batch to the kernel; what the replaced elements had counted is kept."""
        now = self._now()
        removed = self._ruleset.change(
            [endpoint for endpoint in add if endpoint in self._applied],
            {endpoint: how[0] for endpoint, how in add.items()},
            self._seal(),
            seal_changes=seal_changes,
            timed={e: Timed(chain, until - now) for e, (chain, until) in timed.items() if until > now}
            if timed != self._timed
            else None,
            counted=[endpoint for endpoint, how in add.items() if how[1] is not None],
        )
        for endpoint, counts in removed.items():
            self._earlier[endpoint] = self._earlier.get(endpoint, Tally()).plus(self._applied[endpoint][0], counts)
        self._applied.update(add)
        self._timed = timed

    def _say_changes(self, of: Iterable[Dependency] | None = None) -> None:
        for dependency in of if of is not None else [*self._dependencies(), *list(self._shown)]:
            identity = str(dependency)
            mode, settings = self.wanted.mode_of(identity), self.wanted.settings_of(identity)
            said = (mode, "user" if identity in self.wanted.cuts else "seal", settings)
            before = self._shown.get(dependency, (None, "", Settings()))
            if mode is before[0] and (mode is None or before == said):
                continue
            self._shown[dependency] = said
            if mode is None:
                self._emit(ev.CutRestored(at=self._now(), dependency=identity))
            else:
                self._emit(ev.CutApplied(at=self._now(), dependency=identity, mode=mode, by=said[1], settings=settings))


def _unresolved(wanted: Wanted) -> dict[str, tuple[Dependency, ...]]:
    found: dict[str, tuple[Dependency, ...]] = {}
    for identity, mode in wanted.cuts.items():
        if mode is Mode.DNS:
            dependency = Dependency.parse(identity)
            found[dependency.host] = (*found.get(dependency.host, ()), dependency)
    return found
