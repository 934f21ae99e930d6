"""How much of its time the agent may spend on asking who calls."""

from __future__ import annotations

import time
from collections.abc import Callable

_SHARE = 0.75
_AT_ONCE_S = 0.5


class Budget:
    """Time to spend: three quarters of each second, and what was left over of that, at most half a second.

    Who called is looked up while the call is held. That takes 0.1 ms, or some ms where the caller has thousands of
    descriptors open, and each call behind it waits so long: under a flood it is better to let go, and say that one has.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._left_s = _AT_ONCE_S
        self._at = clock()

    def is_spent(self) -> bool:
        now = self._clock()
        self._left_s = min(_AT_ONCE_S, self._left_s + (now - self._at) * _SHARE)
        self._at = now
        return self._left_s <= 0

    def spend_since(self, began: float) -> None:
        """What was begun at `began`, by the same clock, is done."""
        self._left_s -= self._clock() - began

    def now(self) -> float:
        return self._clock()
