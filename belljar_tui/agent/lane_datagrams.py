"""The lane of datagrams and pings: the kernel holds each that goes to what is slow, until we let it go.

The delay falls on what is sent, and so on each round trip; answers pass as ever. Without jitter datagrams arrive in
their order. With jitter each waits for a time of its own, so one overtakes another that was sent less than twice the
jitter before it, as on roads of several lengths. Those of one bandwidth go one after another; what would wait more than
_BUFFERED_S for its turn is dropped, as a router's full buffer does, and so is what is too much for us.

What waits when its dependency is restored goes at once; when it is cut in a mode that lets nothing through, it is lost.
While we are stopped the kernel holds on to what waits; when we die, it drops it.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from itertools import count

from belljar_tui.agent.lane_pace import Pace, Wire
from belljar_tui.agent.nft import DATAGRAMS
from belljar_tui.agent.queue import DatagramRoom, LetGo
from belljar_tui.core.model import Endpoint

_AT_MOST, _BYTES_AT_MOST = 8192, 8 << 20
_BUFFERED_S = 2.0
_EARLY_S = 0.0005
"""The loop's clock is not finer."""
_Waiting = tuple[float, int, Endpoint, int, LetGo]
"""When it is due, in which order it came, where it goes, its bytes, and what lets it go."""


class _Road:
    """To an endpoint: how it goes now, the wire of the dependency behind it, and when the last of it is there."""

    def __init__(self, pace: Pace, wire: Wire) -> None:
        self.pace, self.wire = pace, wire
        self._last = 0.0

    @property
    def is_slow(self) -> bool:
        return self.pace.delay_s > 0 or self.pace.bytes_per_s is not None

    def is_full(self, now: float) -> bool:
        return self.pace.bytes_per_s is not None and self.wire.wait_s(now) > _BUFFERED_S

    def due(self, now: float, size: int) -> float:
        """When a datagram that comes now is to go on."""
        due = self.wire.sent_at(now, size, self.pace.bytes_per_s) + self.pace.wait_s()
        if not self.pace.jitter_s:
            due = self._last = max(self._last, due)
        return due


class DatagramLane:
    """All of a jar's.

    Args:
        pace_of: the dependency (an id) behind an endpoint, and how it goes now.
        on_lost: how many datagrams were dropped because too many waited.
    """

    def __init__(self, pace_of: Callable[[Endpoint], tuple[str, Pace]], on_lost: Callable[[int], None]) -> None:
        self._pace_of, self._on_lost = pace_of, on_lost
        self._room = DatagramRoom(DATAGRAMS, self._take, self._count)
        self._waiting: list[_Waiting] = []
        """A heap: who is due first comes first."""
        self._numbers = count()
        self._size = 0
        self._roads: dict[Endpoint, _Road] = {}
        self._wires: dict[str, Wire] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._dropped = 0
        """Since the last sweep."""
        self._is_over = False

    def start(self) -> None:
        """Read the queue from now on. Raises NetlinkError where this kernel has none."""
        self._room.start()

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def waiting_bytes(self) -> int:
        return self._size

    def refresh(self) -> None:
        """The wanted state has changed: what waits goes as it is to go now, never later than it was to."""
        changed = {endpoint for endpoint, road in self._roads.items() if self._pace_of(endpoint)[1] != road.pace}
        for endpoint in changed:
            del self._roads[endpoint]
            self._wires.pop(self._pace_of(endpoint)[0], None)
        if not changed:
            return
        anew = sorted((each for each in self._waiting if each[2] in changed), key=lambda each: each[:2])
        self._waiting = [each for each in self._waiting if each[2] not in changed]
        heapq.heapify(self._waiting)
        self._size -= sum(each[3] for each in anew)
        now = asyncio.get_running_loop().time()
        for due, number, endpoint, size, let_go in anew:
            road = self._road(endpoint)
            if road.is_slow:
                self._keep((min(due, road.due(now, size)), number, endpoint, size, let_go))
            else:
                let_go(None if road.pace.is_closed else 0)
        self._go_on()

    def sweep(self) -> None:
        """Say what was dropped. Now and then."""
        lost, self._dropped = self._dropped, 0
        if lost:
            self._on_lost(lost)

    def close(self) -> None:
        """Let everything go, and hold nothing more."""
        self._is_over = True
        for _, _, _, _, let_go in sorted(self._waiting, key=lambda each: each[1]):
            let_go(0)
        self._waiting, self._size = [], 0
        self._go_on()

    def _take(self, endpoint: Endpoint, size: int, let_go: LetGo) -> None:
        """A datagram is held: say now or later what becomes of it."""
        now = asyncio.get_running_loop().time()
        try:
            due = self._due(endpoint, size, now)
        except BaseException:  # whatever went wrong, none is kept, and none let past us
            let_go(None)
            raise
        if due is None:
            let_go(None)
        elif self._is_over or due <= now + _EARLY_S:
            let_go(0)
        else:
            self._keep((due, next(self._numbers), endpoint, size, let_go))
            self._go_on()

    def _due(self, endpoint: Endpoint, size: int, now: float) -> float | None:
        """When it is to go on; None: never."""
        road = self._road(endpoint)
        if road.pace.is_closed:
            return None
        if len(self._waiting) >= _AT_MOST or self._size + size > _BYTES_AT_MOST or road.is_full(now):
            self._count(1)
            return None
        return road.due(now, size)

    def _keep(self, waiting: _Waiting) -> None:
        heapq.heappush(self._waiting, waiting)
        self._size += waiting[3]

    def _go_on(self) -> None:
        """Let go of what is due; come back for the next when it is."""
        loop = asyncio.get_running_loop()
        now = loop.time() + _EARLY_S
        while self._waiting and self._waiting[0][0] <= now:
            _, _, _, size, let_go = heapq.heappop(self._waiting)
            self._size -= size
            let_go(0)
        first = self._waiting[0][0] if self._waiting else None
        if self._timer is not None:
            if self._timer.when() == first:
                return
            self._timer.cancel()
        self._timer = loop.call_at(first, self._on_time) if first is not None else None

    def _on_time(self) -> None:
        self._timer = None
        self._go_on()

    def _count(self, dropped: int) -> None:
        self._dropped += dropped

    def _road(self, endpoint: Endpoint) -> _Road:
        road = self._roads.get(endpoint)
        if road is None:
            dependency, pace = self._pace_of(endpoint)
            road = self._roads[endpoint] = _Road(pace, self._wires.setdefault(dependency, Wire()))
        return road
