"""What a lane does to the bytes of a dependency: how long they wait, how many go at once, and whether any go at all."""

from __future__ import annotations

import random

import msgspec

from belljar_tui.core.failures import SEALING
from belljar_tui.core.model import Mode, Settings

_AT_ONCE_S = 0.02
"""So much of a bandwidth goes out in one piece, so that flows that share it take turns."""
_LEAST = 512
_MOST = 1 << 17
STALLS = (Mode.HANG, Mode.BLACKHOLE, Mode.UNREACHABLE)
"""Under these nothing moves, also in a flow that came into its lane before."""


class Pace(msgspec.Struct, frozen=True):
    """How fast, and whether."""

    is_stalled: bool = False
    is_closed: bool = False
    """No datagram that waits gets there any more."""
    delay_s: float = 0.0
    jitter_s: float = 0.0
    bytes_per_s: int | None = None

    @classmethod
    def of(cls, mode: Mode | None, settings: Settings) -> Pace:
        """What a dependency's cut asks for; one that is open, or fails in no lane, goes at full speed."""
        if mode is Mode.SLOW:
            return cls(False, False, settings.slow_by_s, settings.jitter_s, settings.bytes_per_s)
        return cls(is_stalled=mode in STALLS, is_closed=mode in SEALING)

    def wait_s(self) -> float:
        """Of one round trip."""
        return self.delay_s + random.uniform(-self.jitter_s, self.jitter_s) if self.jitter_s else self.delay_s

    @property
    def piece(self) -> int:
        """The most bytes to take at once."""
        if self.bytes_per_s is None:
            return _MOST
        return max(_LEAST, min(_MOST, int(self.bytes_per_s * _AT_ONCE_S)))


class Wire:
    """One direction of a dependency's bandwidth, shared by all its flows: one byte goes after another."""

    def __init__(self) -> None:
        self._free_at = 0.0

    def wait_s(self, now: float) -> float:
        """Seconds until it takes more; 0: now."""
        return max(0.0, self._free_at - now)

    def sent_at(self, now: float, size: int, bytes_per_s: int | None) -> float:
        """When the last of `size` bytes that are given to it now is out."""
        if bytes_per_s is None:
            return now
        self._free_at = max(self._free_at, now) + size / bytes_per_s
        return self._free_at
