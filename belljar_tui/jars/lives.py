"""One story out of many agents': each life of the target has one of its own, which counts from nothing.

To whoever reads the events there is one session: totals go on from where they were, and nobody lives twice.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from belljar_tui.core import events as ev


class Lives:
    def __init__(self) -> None:
        self._before: dict[str, ev.TrafficCounted] = {}
        """By dependency, the totals when the last life ended."""
        self._now: dict[str, ev.TrafficCounted] = {}
        self._living: set[int] = set()

    def told(self, event: ev.AnyEvent) -> ev.AnyEvent:
        """The event as the session has it."""
        match event:
            case ev.ProcessSeen(pid=pid):
                self._living.add(pid)
            case ev.ProcessGone(pid=pid):
                self._living.discard(pid)
            case ev.TrafficCounted():
                before = self._before.get(event.dependency)
                if before is not None:
                    event = msgspec.structs.replace(
                        event,
                        calls=before.calls + event.calls,
                        packets=before.packets + event.packets,
                        bytes=before.bytes + event.bytes,
                    )
                self._now[event.dependency] = event
            case _:
                pass
        return event

    def ended(self, at: float) -> Iterator[ev.ProcessGone]:
        """A life is over: what is to be said of those it took along."""
        self._before = dict(self._now)
        gone, self._living = sorted(self._living), set()
        yield from (ev.ProcessGone(at=at, pid=pid) for pid in gone)
