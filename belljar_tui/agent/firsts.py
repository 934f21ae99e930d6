"""Calls to endpoints that have no element yet: only the seal counts them, so nobody but who sees one can say what it
calls."""

from __future__ import annotations

from collections import deque

LATE_ROUNDS = 20
"""So many rounds of counting (each half a second, or more on a busy machine) a call may wait in a queue that is never
empty: thousands wait there after a burst, and a reader that gets a quarter of a processor sees a thousand a second."""


class Firsts:
    """Tells those that nobody will see any more from those that are only late."""

    def __init__(self) -> None:
        self.seen = 0
        self._lost = 0
        self._counted: deque[int] = deque([0] * LATE_ROUNDS, maxlen=LATE_ROUNDS)
        """How many the seal had counted, of each round; the oldest first."""

    def newly_lost(self, counted: int, *, is_empty: bool, is_last: bool) -> int:
        """One round: how many are lost beyond those told before.

        Args:
            counted: how many the seal had counted when the round began.
            is_empty: the queues were empty since. What was counted in the round before is then seen or lost; of the
                newest, one may just be on its way into a queue.
            is_last: there is no later round to tell it in.
        """
        before = self._counted[-1] if is_empty else self._counted[0]
        self._counted.append(counted)
        missing = max(0, (counted if is_last else before) - self.seen - self._lost)
        self._lost += missing
        return missing
