"""Which working set each service uses: the AND-OR closure.

A service can start when all of any one of its working sets is up. What can be up at all does not depend on what is
chosen (the closure is monotone); where there is a choice, the profile's own set is used unless that would close a
circle, and then as few services as can easily be found use another.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from belljar_tui.core.order.components import components

Sets = Sequence[Sequence[frozenset[int]]]
"""Per service its working sets, as numbers of services; the profile's own first."""

_PATIENT_ROUNDS = 20
"""After so many, all that could use another set do; each round costs a look at all that still wait."""


class Closure:
    """What can start, in an order that works, and with which set. Deterministic."""

    def __init__(self, sets: Sets) -> None:
        self._sets = sets
        self.chosen: dict[int, int] = {}
        """Service -> the index of its set, in an order in which they can start."""
        self._missing = [[len(one) for one in of] for of in sets]
        self._waiting: dict[int, list[tuple[int, int]]] = {}
        self._spare: dict[int, int] = {}
        """Services that wait for their own set, though another one is up."""
        for service, of in enumerate(sets):
            for index, needs in enumerate(of):
                for need in needs:
                    self._waiting.setdefault(need, []).append((service, index))
        self._close()

    @property
    def blocked(self) -> list[int]:
        """What can never start: whatever it chooses waits for itself in the end."""
        return [service for service in range(len(self._sets)) if service not in self.chosen]

    def _close(self) -> None:
        for service, missing in enumerate(self._missing):
            self._consider(service, [index for index, count in enumerate(missing) if not count])
        self._start([service for service, missing in enumerate(self._missing) if not missing[0]])
        rounds = 0
        while self._spare:
            rounds += 1
            self._start(self._yielding() if rounds <= _PATIENT_ROUNDS else sorted(self._spare))

    def _consider(self, service: int, ready: Iterable[int]) -> None:
        for index in ready:
            if index and service not in self.chosen:
                self._spare[service] = min(index, self._spare.get(service, index))

    def _start(self, services: Sequence[int]) -> None:
        """These, and all whose own set is up then."""
        queue = []
        for service in services:
            self.chosen[service] = 0 if not self._missing[service][0] else self._spare[service]
            self._spare.pop(service, None)
            queue.append(service)
        for up in queue:  # grows on the way
            for service, index in self._waiting.get(up, ()):
                self._missing[service][index] -= 1
                if self._missing[service][index] or service in self.chosen:
                    continue
                if index:
                    self._consider(service, [index])
                    continue
                self.chosen[service] = 0
                self._spare.pop(service, None)
                queue.append(service)

    def _yielding(self) -> list[int]:
        """Who uses another set now: one of each circle that waits for nothing else; all, where no such circle can."""
        needs = {service: self._sets[service][0] - self.chosen.keys() for service in self.blocked}
        first = []
        for circle in components(needs):
            able = [service for service in circle if service in self._spare]
            inside = set(circle)
            if able and all(needs[service] <= inside for service in circle):
                first.append(min(able))
        return sorted(first) or sorted(self._spare)


def waves_of(needs: Sequence[frozenset[int]], starts: Iterable[int]) -> list[int]:
    """The wave, from 0, of each service in `starts` (in an order that works): one after the last of its needs.
    -1 for the others."""
    waves = [-1] * len(needs)
    for service in starts:
        waves[service] = 1 + max((waves[need] for need in needs[service]), default=-1)
    return waves
