"""The search's screen while much comes in: `python tests/bench/trial_grid.py [--json]`.

grid        200 trials × 100 dependencies from a SearchView: afresh, and after one more trial
frame       all a frame does when a trial has ended: fold, grid, panels, and every visible line painted, at 200 × 60
key         from a key press to the repainted row

Processor time of this process: what else the machine does stays out of it.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[1] / "tui"), str(HERE.parents[2])]

from fake import FakeAgent, beginning  # noqa: E402
from stage import Stage, until  # noqa: E402

from belljar_tui.core import events as ev  # noqa: E402
from belljar_tui.core.fold import fold  # noqa: E402
from belljar_tui.core.grid import grid  # noqa: E402
from belljar_tui.core.search import Phase, Question  # noqa: E402
from belljar_tui.core.state import State  # noqa: E402
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict  # noqa: E402

TRIALS, DEPENDENCIES = 200, 100
SIZE = (200, 60)
IDS = tuple(f"tcp://service-{n:03}.test:80" for n in range(DEPENDENCIES))
FRAME_MS = 33.0


def search() -> list[ev.AnyEvent]:
    """A search whose trials each leave two thirds open."""
    events: list[ev.AnyEvent] = [ev.SearchStarted(at=0, question=Question(candidates=IDS), jobs=4)]
    for number in range(1, TRIALS + 1):
        opened = frozenset(one for n, one in enumerate(IDS) if (n * 7 + number) % 3)
        verdict = TrialVerdict.BROKEN if number % 3 else TrialVerdict.HEALTHY
        trial = Trial(opened)
        called = frozenset(IDS[:80])
        outcome = Outcome(trial=trial, verdict=verdict, called=called, blocked=called - opened, detail="503 names")
        events += [
            ev.TrialStarted(at=number, number=number, trial=trial, phase=Phase.SWEEP),
            ev.TrialEnded(at=number + 0.5, number=number, outcome=outcome),
            ev.SearchProgressed(at=number + 0.5, expected=TRIALS - number, set_so_far=sorted(opened)),
        ]
    return events


def spent_ms(start: float) -> float:
    return (time.process_time() - start) * 1e3


def grids(events: list[ev.AnyEvent]) -> dict[str, float]:
    state = fold(events[:-3], State())
    before, after = state.search, fold(events[-3:], state).search
    assert before is not None
    assert after is not None
    earlier = grid(before)
    afresh, again = [], []
    for _ in range(30):
        start = time.process_time()
        grid(after)
        afresh.append(spent_ms(start))
        start = time.process_time()
        grid(after, earlier)
        again.append(spent_ms(start))
    return {"afresh": statistics.median(afresh), "one more trial": statistics.median(again)}


async def frames(events: list[ev.AnyEvent]) -> tuple[list[float], list[float]]:
    """Milliseconds of every frame as the trials come in one by one, and of a key press at the end."""
    app = Stage(FakeAgent(beginning()))
    async with app.run_test(size=SIZE) as pilot:
        await until(pilot, lambda: app.session.state.health_detail == "200 ready")
        app.session._take(events[0])
        await until(pilot, lambda: app.screen is app.search_screen)
        gc.freeze()  # as the app does on a terminal
        spent, keys = [], []
        for first in range(1, len(events), 3):
            start = time.process_time()
            for event in events[first : first + 3]:
                app.session._take(event)
            app._frame()
            app.screen._compositor.render_strips()
            spent.append(spent_ms(start))
            await pilot.pause()
        for _ in range(50):
            start = time.process_time()
            app.search_screen.action_move_row(1)
            app.search_screen.action_move_trial(-1)
            app.screen._compositor.render_strips()
            keys.append(spent_ms(start))
            await pilot.pause()
        app._leave()
    return spent, keys


def main() -> None:
    events = search()
    spent, keys = asyncio.run(frames(events))
    figures = {
        f"grid_{TRIALS}x{DEPENDENCIES}_ms": grids(events),
        "frame_ms": {"median": statistics.median(spent), "worst": max(spent), "budget": FRAME_MS},
        "key_ms": {"median": statistics.median(keys), "worst": max(keys), "budget": 50.0},
    }
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    for name, row in figures.items():
        print(f"{name:<24}" + "   ".join(f"{who} {value:.3g}" for who, value in row.items()))


if __name__ == "__main__":
    main()
