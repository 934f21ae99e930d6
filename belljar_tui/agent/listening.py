"""Hears of every call: those that are held, those that are logged, and what flows to raw addresses say first."""

from __future__ import annotations

import time
from collections.abc import Callable

from belljar_tui.agent.claims import Claims
from belljar_tui.agent.flows import FlowLog
from belljar_tui.agent.lane_datagrams import DatagramLane
from belljar_tui.agent.netlink import NetlinkError
from belljar_tui.agent.nft import FIRST, FOLLOWERS, LANES, LOG_GROUP, OPENED, QUEUE
from belljar_tui.agent.observer import Observer
from belljar_tui.agent.packet_reader import PacketReader
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.queue import CallQueue, LetGo, WaitingRoom
from belljar_tui.agent.ruleset import Ruleset


class Listening:
    """The readers of the kernel's queues and log groups, and whether they keep up.

    Args:
        on_lost: told of a source (`queue`, `log`, `claims`) and how many of it could not be observed.
    """

    def __init__(
        self,
        ruleset: Ruleset,
        observer: Observer,
        claims: Claims,
        datagrams: DatagramLane,
        on_lost: Callable[[str, int], None],
    ) -> None:
        self._ruleset = ruleset
        self._observer = observer
        self._claims = claims
        self._datagrams = datagrams
        self._on_lost = on_lost
        self._readers: list[PacketReader] = []
        """Of calls that somebody has to have seen."""
        self._cut_calls: CallQueue | None = None
        self._is_behind = False
        """Whether more calls meet cuts than can be looked at."""

    def start(self) -> tuple[str, bool]:
        """Open the queues and the logs. Returns which kind of queue this kernel has (`none`), and whether it logs;
        without them the counts stay exact."""
        queue, log = self._ruleset.queue, self._ruleset.logs
        self._observer.read_waiting = self._read_waiting
        if queue != "none":
            try:
                self._open_queues()
            except NetlinkError:
                queue = "none"
        if log:
            try:
                flows = FlowLog(LOG_GROUP, self._observer.on_flow, lambda n: self._on_lost("log", n))
                flows.start()
                self._readers.append(flows)
                self._claims.start(lambda n: self._on_lost("claims", n))
                self._observer.on_nameless = self._claims.listen
            except NetlinkError:
                log = False
        return queue, log

    def _open_queues(self) -> None:
        """What passes a queue unheld is found by the counters, but for open calls, whose traffic is all that counts."""
        self._cut_calls = CallQueue(QUEUE, self._observer.on_held, lambda _: None)
        self._cut_calls.on_behind = self._fall_behind
        self._cut_calls.start()
        firsts = CallQueue(FIRST, lambda flow: self._observer.on_held(flow, is_first=True), lambda _: None)
        firsts.start()
        on_opened = lambda flow: self._observer.on_flow(flow, is_counted=True)  # noqa: E731
        opened = CallQueue(OPENED, on_opened, lambda n: self._on_lost("queue", n))
        opened.start()
        self._readers += [firsts, self._cut_calls, opened]
        CallQueue(FOLLOWERS, lambda _: None, lambda _: None, length=0).start()
        self._datagrams.start()
        self._observer.holds_calls = True

    def hold_for_lanes(self, on_waiting: Callable[[Flow, LetGo], None]) -> None:
        """Open the queue of calls that are to enter a lane. Raises NetlinkError."""

        def look(flow: Flow, let_go: LetGo) -> None:
            try:
                self._observer.on_held(flow)
            finally:  # whatever went wrong in looking, a call is never kept
                on_waiting(flow, let_go)

        if self._ruleset.queue != "none":
            WaitingRoom(LANES, look, lambda n: self._on_lost("queue", n)).start()

    def _read_waiting(self, at_most_s: float) -> bool:
        """See the calls that wait. Returns whether none does any more."""
        until = time.monotonic() + at_most_s
        unread = [reader for reader in self._readers if not reader.read_waiting(until)]
        return not unread

    def renew(self) -> None:
        """Let calls be held on; the kernel holds none for long if nobody says so."""
        self._ruleset.hold_calls(keeps_up=not self._is_behind)

    def catch_up(self) -> None:
        """Let calls that meet cuts be held again, once those that waited have been looked at."""
        if self._is_behind and self._cut_calls is not None and not self._cut_calls.is_behind:
            self._is_behind = False
            self.renew()

    def _fall_behind(self) -> None:
        """More calls meet cuts than can be looked at: those that come now are not to wait for it."""
        if not self._is_behind:
            self._is_behind = True
            self.renew()
