"""How far a scenario has come. Pure: the moment is given."""

from __future__ import annotations

from belljar_tui.core.scenario import Scenario, words_of, zero_of
from belljar_tui.core.state import State


def progress(scenario: Scenario, state: State, now: float) -> str:
    """The step that is next, and in how many seconds. `now`: on the session's clock."""
    zero = zero_of(scenario, state)
    if zero is None:
        first = words_of(scenario.steps[0])
        return f"{scenario.name}: 0 s is when the service is {_beginning(scenario)}; then {first}"
    at = now - zero
    steps = enumerate(scenario.steps, 1)
    coming = next(((number, step) for number, step in steps if step.moment > at), None)
    if coming is None:
        return f"{scenario.name}: all {len(scenario.steps)} steps are done"
    number, step = coming
    what = words_of(step).removeprefix(f"at {step.moment:g} s ")
    count = len(scenario.steps)
    return f"step {number} of {count} in {step.moment - at:.0f} s: {what} · {at:.0f} s into {scenario.name}"


def _beginning(scenario: Scenario) -> str:
    return "started" if scenario.clock == "start" else "first healthy"
