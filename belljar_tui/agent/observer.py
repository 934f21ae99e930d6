"""Turns held and logged calls into events: who called what, and how often a cut was met.

Counts are the kernel's. What was held says *who*; what the counters show beyond that is said too, without a process.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import msgspec

from belljar_tui.agent.budget import Budget
from belljar_tui.agent.counts import Count, Counts, Tally
from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.agent.firsts import Firsts
from belljar_tui.agent.modes import FLOWS_HANG, LETS_CALLS_THROUGH, NEVER_BLOCKS
from belljar_tui.agent.names import Peer
from belljar_tui.agent.network import broadcasts
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.processes import Process, ProcessTable
from belljar_tui.agent.sockets import Connection, SocketTable
from belljar_tui.core import events as ev
from belljar_tui.core.model import NAME_SERVICE, Dependency, Endpoint, Mode, Protocol, Reach, reach_of

_NAMES = Dependency.parse(NAME_SERVICE)
_NO_MORE = Count(1 << 63)
"""More packets than will ever be."""
_RESOLVER = "127.0.0.53"
"""Whom a service of a native jar believes to ask; in a container it is whoever the engine wrote down."""
_NAMES_PORT = 53
_LATE_ROUNDS = 3
_UNSURE_ROUNDS = 20
"""So long a call may have waited that is held on a busy machine: each round is half a second."""
_READ_S, _LAST_READ_S = 0.02, 1.0
"""So long a round goes on reading calls that wait; the last one has no other behind it."""
_QUERIES_NAMED = 8
"""Open queries whose caller is looked for: services ask often, and are few."""


class Caller(msgspec.Struct, frozen=True):
    """Who made a call; pid None when nobody could say."""

    pid: int | None
    process: str | None


NOBODY = Caller(None, None)


class Observer:
    def __init__(
        self,
        enforcer: Enforcer,
        sockets: SocketTable,
        processes: ProcessTable,
        forwarded: frozenset[int],
        emit: Callable[[ev.AnyEvent], None],
        now: Callable[[], float],
        real_of: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`real_of`: the address behind a virtual one."""
        self._enforcer = enforcer
        self._real_of = real_of
        self._sockets = sockets
        self._processes = processes
        self._forwarded = forwarded
        self._emit = emit
        self._now = now
        self._held: Counter[tuple[Dependency, Mode, Caller]] = Counter()
        """Held since the last flush."""
        self.on_unsaid: Callable[[], None] = lambda: None
        """Told of the first that is held after a flush."""
        self._blocked_said: Counter[Dependency] = Counter()
        """Blocked calls said of each dependency since the start."""
        self._met_seal: Counter[tuple[Dependency, bool]] = Counter()
        """Calls that came before their element, by whether they were cut: counted by the seal's own counter."""
        self._counted: dict[Dependency, int] = {}
        """Blocked calls as the kernel had them one round ago. What is unsaid of *those* by now was never held; of
        the newest, some may still be waiting in the queue."""
        self._last_mode: dict[Dependency, Mode] = {}
        """How each was cut last so that calls are blocked."""
        self._accepted: Counter[Dependency] = Counter()
        """Those that are cut so that calls are accepted and their flows reset later, which holds nobody; and for how
        many rounds more such flows may be counted."""
        self._unsure: Counter[Dependency] = Counter()
        """Those of which calls were said to be nobody's that may yet come out of the queue; and for how many rounds."""
        self._silent: dict[Dependency, Counts] = {}
        """Of what is cut so that it hangs, what had been counted when the cut was first seen."""
        self._said: dict[Dependency, ev.TrafficCounted] = {}
        self._queries = Count()
        """Queries that came while name service was open."""
        self._unix_calls: Counter[Dependency] = Counter()
        """Calls to unix sockets that were open."""
        self._known: set[tuple[Dependency, Endpoint | None, int | None]] = set()
        self.on_nameless: Callable[[Endpoint], None] = lambda _: None
        """Told of each endpoint that is called by its raw address; where calls are held, before the first goes on."""
        self._budget = Budget()
        self.holds_calls = False
        """Whether calls are held at all; where they are, one that was not is lost to us."""
        self.read_waiting: Callable[[float], bool] = lambda _: True
        """Reads the calls that wait in the queues, for so many seconds at most; returns whether they are empty."""
        self._firsts = Firsts()
        self._open_lost = 0
        """Open calls since the last round that nobody had the time to ask the caller of."""
        self.recent: list[Flow] = []
        """Flows held since last asked; the proof of the seal looks here."""

    def on_held(self, flow: Flow, *, is_first: bool = False) -> None:
        """A call waits in the kernel: find its process, give its endpoint an element.

        `is_first`: it found none there, so that only the seal has counted it. (Others may have been as early.)
        """
        caller = self._caller_in_time(flow)
        if caller is None and not is_first:
            return  # the kernel has counted it: `count` says so
        dependency = self._enforcer.note(flow.endpoint)
        self._see(dependency, flow.endpoint, caller or NOBODY)
        mode = self._enforcer.mode_of(str(dependency))
        if is_first and mode in LETS_CALLS_THROUGH:
            mode = None  # it came before its dice, and passes
        if mode in NEVER_BLOCKS:
            mode = None
        if is_first:
            self._firsts.seen += 1
            self._met_seal[dependency, mode is not None] += 1
        if mode is not None:
            self._last_mode[dependency] = mode
        if mode is not None and caller is not None:
            self._hold(dependency, mode, caller)

    def on_flow(self, flow: Flow, *, is_counted: bool = False) -> None:
        """A new open flow. A call to a port of our own is internal, not a dependency.

        `is_counted`: its endpoint's element has counted it; else it is looked whether there is one.
        """
        if self._is_internal(flow.endpoint):
            return
        is_counted = is_counted or self._enforcer.has_element(flow.endpoint)
        dependency = self._enforcer.note(flow.endpoint)
        if not is_counted:
            self._firsts.seen += 1
            self._met_seal[dependency, False] += 1
        caller = self._caller_in_time(flow)
        if caller is None:
            self._open_lost += 1
        self._see(dependency, flow.endpoint, caller or NOBODY)

    def on_standing(self, connection: Connection) -> None:
        """A connection from before us: what it calls is a dependency, whether or not it says anything now."""
        endpoint = connection.endpoint
        if not connection.is_call or endpoint.port == _NAMES_PORT or _is_loopback(endpoint.address):
            return
        self._see(self._enforcer.note(endpoint, has_flows=True), endpoint, self._named(connection.inode))

    def on_unix_call(self, dependency: Dependency, mode: Mode | None, caller: Process | None) -> None:
        """A call to a unix socket was held; `mode` is how it fails."""
        who = Caller(caller.pid, caller.name) if caller is not None else NOBODY
        self._enforcer.note_unix(dependency)
        self._see(dependency, None, who)
        if mode is None:
            self._unix_calls[dependency] += 1
        else:
            self._hold(dependency, mode, who)

    def on_unix_hole(self, path: str, caller: Process | None) -> None:
        """A cut's mount does not reach a process: only its held calls fail."""
        who = f"{caller.name} ({caller.pid})" if caller is not None else "a process that is gone"
        remedy = "a cut that is there before the service starts"
        self._emit(ev.HoleFound(at=self._now(), path=path, source=who, kind="mounts", remedy=remedy))

    def on_query(self, size: int, peer: Peer) -> None:
        """A query of `size` bytes came, and name service is open."""
        self._queries = self._queries.plus(Count(1, size))
        if self._queries.packets <= _QUERIES_NAMED:
            self._see(_NAMES, None, self._asker(peer))

    def on_query_blocked(self, mode: Mode, peer: Peer) -> None:
        """Name service is cut and a query came."""
        caller = self._asker(peer)
        self._see(_NAMES, None, caller)
        self._hold(_NAMES, mode, caller)

    def on_name_failed(self, name: str, peer: Peer) -> None:
        """A query came for a name that is cut."""
        caller = self._asker(peer)
        for dependency in self._enforcer.unresolved(name):
            self._see(dependency, None, caller)
            self._hold(dependency, Mode.DNS, caller)

    def _hold(self, dependency: Dependency, mode: Mode, caller: Caller) -> None:
        """A blocked call, to be said by the next flush."""
        if not self._held:
            self.on_unsaid()
        self._held[dependency, mode, caller] += 1

    def flush(self) -> bool:
        """Say what was held since the last flush. Returns whether anything was."""
        if not self._held:
            return False
        held, self._held = self._held, Counter()
        tallies = self._enforcer.tallies() if any(self._unsure[dependency] for dependency, _, _ in held) else {}
        for (dependency, mode, caller), count in held.items():
            if mode is Mode.DNS:  # queries are no packets to it: the kernel's counter does not know them
                self._say_blocked(dependency, mode, caller, count)
                continue
            fresh = count
            if self._unsure[dependency] and dependency in tallies:
                unsaid = self._met(dependency, tallies[dependency]).calls.packets - self._blocked_said[dependency]
                fresh = min(count, max(0, unsaid))  # the others waited so long that they were said already
            self._blocked_said[dependency] += fresh
            if fresh:
                self._say_blocked(dependency, mode, caller, fresh)
        return True

    def count(self, *, is_last: bool = False) -> None:
        """Read the kernel's counters: traffic of what is open, and blocked calls that nobody was named for.

        `is_last`: what waits in the queues is all seen first, so the newest count is final.
        """
        met_seal = self._enforcer.met_seals()
        is_empty = self.read_waiting(_LAST_READ_S if is_last else _READ_S)
        for dependency, cut in self._read().items():
            blocked = cut.calls.packets
            final = blocked if is_last else self._counted.get(dependency, 0)
            self._counted[dependency] = blocked
            self._say_unnamed(dependency, final - self._blocked_said[dependency])
            self._accepted[dependency] = max(0, self._accepted[dependency] - 1)
            self._unsure[dependency] = max(0, self._unsure[dependency] - 1)
        self._say_firsts_lost(self._firsts.newly_lost(met_seal, is_empty=is_empty, is_last=is_last))
        if self._open_lost:
            self._emit(ev.EventsLost(at=self._now(), source="callers", count=self._open_lost))
            self._open_lost = 0

    def change(self, apply: Callable[[], None]) -> None:
        """Do what changes the wanted state: what is counted before is said before, and what comes after has a start.

        No round of its own: calls may wait in the queue, and they are not to be called unnamed for that.
        """
        self._read()
        apply()
        for dependency, tally in self._enforcer.tallies().items():
            self._say_silent(dependency, self._met(dependency, tally))

    def _read(self) -> dict[Dependency, Counts]:
        """Say the traffic of what is open; what met a cut, by dependency."""
        self.flush()
        self._say_traffic(_NAMES, self._queries.packets, self._queries.packets, self._queries.bytes)
        for dependency, calls in self._unix_calls.items():
            self._say_traffic(dependency, calls, 0, 0)
        met: dict[Dependency, Counts] = {}
        for dependency, tally in self._enforcer.tallies().items():
            opened = tally.is_open
            calls = opened.calls.packets + self._met_seal[dependency, False]
            self._say_traffic(dependency, calls, opened.packets.packets, opened.packets.bytes)
            mode = self._enforcer.mode_of(str(dependency))
            if mode is not None and mode not in NEVER_BLOCKS:
                self._last_mode[dependency] = mode
            if self._enforcer.wanted.settings_of(str(dependency)).after_bytes is not None:
                self._accepted[dependency] = _LATE_ROUNDS
            met[dependency] = self._met(dependency, tally)
            self._say_silent(dependency, met[dependency])
        return met

    def _met(self, dependency: Dependency, tally: Tally) -> Counts:
        """Calls and packets that met a cut."""
        return Counts(Count(tally.is_cut.calls.packets + self._met_seal[dependency, True]), tally.is_cut.packets)

    def _say_silent(self, dependency: Dependency, cut: Counts) -> None:
        """A flow from before the cut that sends into the void makes no new call; once a cut it is said as one."""
        mode = self._enforcer.mode_of(str(dependency))
        if mode not in FLOWS_HANG:
            self._silent.pop(dependency, None)
            return
        before = self._silent.setdefault(dependency, cut)
        if cut.packets.packets > before.packets.packets:
            self._silent[dependency] = Counts(cut.calls, _NO_MORE)
            if cut.calls == before.calls:
                self._say_blocked(dependency, mode, NOBODY, 1)

    def _say_unnamed(self, dependency: Dependency, missing: int) -> None:
        """Blocked calls that the kernel counted and nobody held."""
        if missing <= 0:
            return
        mode = self._enforcer.mode_of(str(dependency))
        if mode is None or mode in NEVER_BLOCKS:
            mode = self._last_mode.get(dependency, Mode.REFUSE)
        self._blocked_said[dependency] += missing
        self._unsure[dependency] = _UNSURE_ROUNDS
        self._say_blocked(dependency, mode, NOBODY, missing)
        if self.holds_calls and not self._accepted[dependency]:
            self._emit(ev.EventsLost(at=self._now(), source="callers", count=missing))

    def _say_firsts_lost(self, lost: int) -> None:
        """Calls that the seal counted, and that nobody saw: nobody can say what they called."""
        if lost and self.holds_calls:
            self._emit(ev.EventsLost(at=self._now(), source="queue", count=lost))

    def _say_traffic(self, dependency: Dependency, calls: int, packets: int, size: int) -> None:
        said = self._said.get(dependency)
        if said is None and not (calls or packets):
            return
        if said is not None and (said.calls, said.packets) == (calls, packets):
            if said.at < 0:
                return
            # one event at rest, so that a rate falls back to nothing
            self._said[dependency] = msgspec.structs.replace(said, at=-1.0)
        event = ev.TrafficCounted(at=self._now(), dependency=str(dependency), calls=calls, packets=packets, bytes=size)
        if said is None or (said.calls, said.packets) != (calls, packets):
            self._said[dependency] = event
        self._emit(event)

    def _say_blocked(self, dependency: Dependency, mode: Mode, caller: Caller, count: int) -> None:
        self._emit(
            ev.CallBlocked(
                at=self._now(),
                dependency=str(dependency),
                mode=mode,
                pid=caller.pid,
                process=caller.process,
                count=count,
            )
        )

    def _see(self, dependency: Dependency, endpoint: Endpoint | None, caller: Caller) -> None:
        key = (dependency, endpoint, caller.pid)
        if key in self._known or (caller.pid is None and (dependency, endpoint, None) in self._known):
            return
        is_new = (dependency, endpoint, None) not in self._known
        self._known |= {key, (dependency, endpoint, None)}
        if endpoint is not None and dependency.host == endpoint.address:
            self.on_nameless(endpoint)
        real = self._real_of(endpoint.address) if endpoint is not None else None
        virtual = endpoint.address if endpoint is not None and real is not None else ""
        if endpoint is not None and real is not None:
            endpoint = msgspec.structs.replace(endpoint, address=real)
        self._emit(
            ev.DependencySeen(
                at=self._now(),
                dependency=str(dependency),
                endpoint=str(endpoint) if endpoint is not None else "",
                pid=caller.pid,
                process=caller.process,
                virtual=virtual,
            )
        )

        reach = self._reach(endpoint) if endpoint is not None and is_new else Reach.HOST
        if reach is not Reach.HOST:
            self._emit(ev.GroupCalled(at=self._now(), dependency=str(dependency), reach=reach))

    def _reach(self, endpoint: Endpoint) -> Reach:
        return reach_of(endpoint.address, broadcasts() if endpoint.protocol is not Protocol.TCP else ())

    def _caller_in_time(self, flow: Flow) -> Caller | None:
        """Who calls; None when too much time went into asking that already. An endpoint's very first call is always
        asked about."""
        if self._budget.is_spent() and self._enforcer.has_element(flow.endpoint):
            return None
        began = self._budget.now()
        caller = self._caller(flow)
        self._budget.spend_since(began)
        return caller

    def _caller(self, flow: Flow) -> Caller:
        target = flow.endpoint
        near, far = (flow.source, flow.source_port), (target.address, target.port)
        owner = self._sockets.find(target.protocol, near, far, flow.device)
        return self._named(owner.inode) if owner is not None else NOBODY

    def _asker(self, peer: Peer) -> Caller:
        """Whose a query is. Over TCP its socket is known by the port it believes to speak to: a datagram socket on the
        same number is another's."""
        owner = (
            self._sockets.find(Protocol.UDP, peer, (_RESOLVER, _NAMES_PORT))
            or self._sockets.find_from(Protocol.TCP, peer, _NAMES_PORT)
            or self._sockets.find_from(Protocol.UDP, peer)
        )
        return self._named(owner.inode) if owner is not None else NOBODY

    def _named(self, inode: int) -> Caller:
        process = self._processes.owner(inode)
        return Caller(process.pid, process.name) if process is not None else NOBODY

    def _is_internal(self, endpoint: Endpoint) -> bool:
        if not _is_loopback(endpoint.address):
            return False
        if endpoint.protocol is Protocol.TCP and endpoint.port in self._forwarded:
            return False
        return (endpoint.protocol, endpoint.port) in self._sockets.listeners()


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"
