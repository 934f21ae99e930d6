"""Hears what flows to raw addresses say first, and tells the names in it. Nothing waits for it, nothing rests on it.

The packets are copies. Bounded by construction: a few packets of a flow, a few flows of an endpoint between two sweeps,
a few names of a dependency; what is beyond that is not looked at, and nothing is said of it.
"""

from __future__ import annotations

from collections.abc import Callable

from belljar_tui.agent.claimed_name import MOST_BYTES, Claimed, Unsaid, claimed_name
from belljar_tui.agent.flows import PacketLog
from belljar_tui.agent.nft import CLAIM_GROUP, CLAIM_LENGTH
from belljar_tui.agent.packets import Flow, Segment, segment
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.core import events as ev
from belljar_tui.core.host_name import CLAIMS_KEPT
from belljar_tui.core.model import Dependency, Endpoint, Protocol

_ENDPOINTS_AT_MOST = 1000
_FLOWS_KEPT = 256
"""Flows that are followed at one time, 16 KiB each at most."""
_FLOWS_AT_ONCE = 10
"""New flows of one endpoint that are looked at between two sweeps: the others leave room for other endpoints."""
_HALF = 1 << 31


class _Said:
    """What a flow has said so far, in order."""

    def __init__(self, begin: int) -> None:
        self._next = begin
        """The sequence number of the byte that comes next."""
        self._data = bytearray()
        self.is_over = False

    def take(self, part: Segment) -> Claimed | Unsaid:
        """What the flow says with this segment, too. A gap ends it: something was not copied."""
        seen_before = (self._next - part.sequence) % (1 << 32)
        if seen_before >= _HALF:
            self.is_over = True
        if self.is_over or seen_before >= len(part.data):
            return Unsaid.MORE
        fresh = part.data[seen_before:]
        self._data += fresh[: MOST_BYTES - len(self._data)]
        self._next = (self._next + len(fresh)) % (1 << 32)
        found = claimed_name(bytes(self._data))
        self.is_over = found is not Unsaid.MORE or not part.is_whole
        if self.is_over:
            self._data.clear()
        return found


class Claims:
    def __init__(
        self,
        ruleset: Ruleset,
        dependency_of: Callable[[Endpoint], Dependency],
        emit: Callable[[ev.AnyEvent], None],
        now: Callable[[], float],
    ) -> None:
        self._ruleset = ruleset
        self._dependency_of = dependency_of
        self._emit = emit
        self._now = now
        self._flows: dict[Flow, _Said] = {}
        self._looked: dict[Endpoint, int] = {}
        """Endpoints that are listened to, and their flows since the last sweep."""
        self._paused: set[Endpoint] = set()
        self._names: dict[Dependency, list[str]] = {}

    def start(self, on_lost: Callable[[int], None]) -> None:
        """Take packets, in the running event loop. Raises NetlinkError when this kernel has no log."""
        PacketLog(CLAIM_GROUP, CLAIM_LENGTH, self.on_packet, on_lost).start()

    def listen(self, endpoint: Endpoint) -> None:
        """An endpoint is called by its raw address."""
        is_known = endpoint in self._looked or endpoint in self._paused
        if is_known or endpoint.protocol is not Protocol.TCP or not self._ruleset.hears_names:
            return
        if len(self._looked) + len(self._paused) < _ENDPOINTS_AT_MOST:
            self._looked[endpoint] = 0
            self._ruleset.hear([endpoint])

    def on_packet(self, packet: memoryview, _device: int) -> None:
        """The copy of a packet that left."""
        part = segment(packet)
        if part is None:
            return
        if part.begins or part.flow not in self._flows:
            self._begin(part)
        said = self._flows[part.flow]
        found = said.take(part)
        if isinstance(found, Claimed):
            self._say(part.flow.endpoint, found)

    def sweep(self) -> None:
        """A new count of flows; those endpoints that had too many are listened to again."""
        self._looked = dict.fromkeys((*self._looked, *self._paused), 0)
        self._ruleset.hear(self._paused)
        self._paused = set()

    def _begin(self, part: Segment) -> None:
        self._flows.pop(part.flow, None)
        if len(self._flows) >= _FLOWS_KEPT:
            del self._flows[next(iter(self._flows))]
        self._flows[part.flow] = _Said(part.sequence)
        endpoint = part.flow.endpoint
        if endpoint not in self._looked:
            return
        self._looked[endpoint] += 1
        if self._looked[endpoint] >= _FLOWS_AT_ONCE:
            self._forget(endpoint)
            self._paused.add(endpoint)

    def _say(self, endpoint: Endpoint, claimed: Claimed) -> None:
        dependency = self._dependency_of(endpoint)
        names = self._names.setdefault(dependency, [])
        if dependency.host != endpoint.address or len(names) >= CLAIMS_KEPT:  # it has a name by now, or enough of them
            self._forget(endpoint)
        elif claimed.name not in names:
            names.append(claimed.name)
            event = ev.NameClaimed(
                at=self._now(), dependency=str(dependency), name=claimed.name, source=str(claimed.source)
            )
            self._emit(event)

    def _forget(self, endpoint: Endpoint) -> None:
        if self._looked.pop(endpoint, None) is not None:
            self._ruleset.hear([endpoint], is_over=True)
