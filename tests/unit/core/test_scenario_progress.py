from __future__ import annotations

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Health
from belljar_tui.core.scenario import Scenario, Step
from belljar_tui.core.scenario_progress import progress
from belljar_tui.core.state import State

SCRIPT = Scenario(
    belljar_scenario=1,
    name="outage",
    clock="healthy",
    steps=(Step(at=0, cut="tcp://a:1"), Step(at=5, restore="all"), Step(expect=Health.HEALTHY, by=9)),
)


def test_before_its_clock_has_begun_it_says_what_it_waits_for() -> None:
    assert "when the service is first healthy; then at 0 s cut tcp://a:1" in progress(SCRIPT, State(), 3)


def test_the_next_step_and_how_long_until_then() -> None:
    state = fold(
        [
            ev.ServiceStarted(at=10, pid=7, command=["x"]),
            ev.HealthChanged(at=12, health=Health.HEALTHY, check="", detail=""),
        ]
    )
    assert progress(SCRIPT, state, 14) == "step 2 of 3 in 3 s: restore all · 2 s into outage"
    assert progress(SCRIPT, state, 20) == "step 3 of 3 in 1 s: expect healthy by 9 s · 8 s into outage"
    assert progress(SCRIPT, state, 22) == "outage: all 3 steps are done"
