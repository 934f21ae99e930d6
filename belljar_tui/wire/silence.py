"""How either side of a jar knows that the other is still there: empty lines, which say nothing else.

Ours sends one at an interval and the agent answers each with one. When we end, the kernel ends the agent's stdin; but a
network that breaks off between us and an engine elsewhere ends nothing, and only silence tells.
"""

from __future__ import annotations

BEAT = b"\n"
LOOK_S = 1.0
"""Between two looks at the clock; of more than twice as long, the rest does not count."""
UNHEARD = 75
"""Exit code of an agent that let go because it had heard nothing for too long."""


class Silence:
    """How long the other side has said nothing, in seconds in which we could have heard it.

    Who was stopped (a debugger, a suspended machine) finds what came meanwhile unread, and a clock far ahead.

    Args:
        limit_s: how much of it is too much; 0: no silence is.
    """

    def __init__(self, limit_s: float = 0.0) -> None:
        self.limit_s = limit_s
        self.silent_s = 0.0

    def heard(self) -> None:
        self.silent_s = 0.0

    def passed(self, seconds: float) -> None:
        """So much more, by the clock."""
        self.silent_s += min(seconds, 2 * LOOK_S)

    @property
    def is_too_long(self) -> bool:
        return 0.0 < self.limit_s < self.silent_s
