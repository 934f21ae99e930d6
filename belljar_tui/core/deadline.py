"""How long a service may take to be healthy."""

from __future__ import annotations

from collections.abc import Iterable

from belljar_tui.core.trial import Outcome

FIRST_S = 60.0
"""Before it is known how long the service takes."""
_TIMES = 5
_LEAST_S = 10.0


class Deadline:
    """As asked for; 0: five times what it took with everything open, at least 10 s."""

    def __init__(self, asked_s: float, recalled: Iterable[Outcome] = ()) -> None:
        self._asked_s = asked_s
        self._measured_s: float | None = None
        for outcome in recalled:
            self.learn(outcome)

    @property
    def seconds(self) -> float:
        """As far as is known now."""
        if self._asked_s:
            return self._asked_s
        return FIRST_S if self._measured_s is None else max(_LEAST_S, _TIMES * self._measured_s)

    def learn(self, outcome: Outcome) -> None:
        """A trial ended: with everything open, it says how long the service takes."""
        if outcome.trial.open is None and outcome.healthy_after_s is not None:
            self.measured(outcome.healthy_after_s)

    def measured(self, healthy_after_s: float) -> None:
        """With everything open the service took this long."""
        self._measured_s = max(self._measured_s or 0.0, healthy_after_s)
