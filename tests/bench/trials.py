"""What a trial costs beside the service it tries: `python tests/bench/trials.py [--json] [--searches]`.

trial      one cold trial in a warm pool, verdict and all, beside the same service started without any jar
jar        a jar made ahead, ready for its service
search     (with --searches) the lab's minimal set, one job beside four; the cores there are, beside it
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from asyncio.subprocess import DEVNULL
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2])]

from belljar_tui.agent.probes import HealthLoop  # noqa: E402
from belljar_tui.core.events import SearchStarted  # noqa: E402
from belljar_tui.core.model import Health, Wanted  # noqa: E402
from belljar_tui.core.search import Phase, Question  # noqa: E402
from belljar_tui.core.search import Wanted as WantedTrial  # noqa: E402
from belljar_tui.core.trial import Trial, TrialVerdict  # noqa: E402
from belljar_tui.headless.asked import Asked, asked_for_lab  # noqa: E402
from belljar_tui.headless.opening import jar_maker, jar_oracle  # noqa: E402
from belljar_tui.trials.runner import SearchRunner  # noqa: E402
from belljar_tui.trials.trial_jar import TrialJar  # noqa: E402
from belljar_tui.wire.messages import Checks  # noqa: E402

PORT = 18943
STARTUP_S = 0.5
SERVICE = f"import http.server as h, time; time.sleep({STARTUP_S}); h.test(h.SimpleHTTPRequestHandler, port={PORT})"
HEALTH = Checks((f"http://localhost:{PORT}/",), every_s=0.1, timeout_s=1.0)
TIMES = 15
Figures = dict[str, dict[str, float]]


def service() -> Asked:
    command = (sys.executable, "-c", SERVICE)
    return Asked(name="bench", command=command, health=HEALTH, environment=dict(os.environ))


async def bare_s() -> float:
    """The service's own start, to healthy by the same checks, without any jar."""
    healthy = asyncio.Event()

    async def no_exec(_: str) -> tuple[int, str]:
        raise NotImplementedError

    def on_health(health: Health, _: str, __: str) -> None:
        if health is Health.HEALTHY:
            healthy.set()

    start = time.perf_counter()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVICE, stdout=DEVNULL, stderr=DEVNULL)
    loop = asyncio.create_task(HealthLoop(HEALTH, 0, on_health, no_exec).run())
    try:
        await healthy.wait()
        return time.perf_counter() - start
    finally:
        loop.cancel()
        process.kill()
        await process.wait()


async def trials(folder: Path) -> Figures:
    """Alternating, so that noise falls on both; the pool makes its next jar meanwhile, as in a search."""
    oracle = jar_oracle(service(), folder, deadline_s=30)
    await oracle.start(1)
    spent: dict[str, list[float]] = {"in a jar": [], "without": []}
    try:
        for number in range(TIMES):
            outcome = await oracle.run(WantedTrial(Trial(frozenset()), Phase.SWEEP), number)
            assert outcome.verdict is TrialVerdict.HEALTHY, outcome.detail
            spent["in a jar"].append(outcome.spent_s)
            spent["without"].append(await bare_s())
    finally:
        await oracle.close()
    medians = {which: statistics.median(each) for which, each in spent.items()}
    return {"trial_s": medians, "trial_ratio": {"belljar": medians["in a jar"] / medians["without"]}}


async def jars(make: Callable[[], TrialJar]) -> float:
    """Seconds until a jar is ready."""
    spent = []
    for _ in range(5):
        jar = make()
        start = time.perf_counter()
        try:
            await jar.start()
            spent.append(time.perf_counter() - start)
        finally:
            await jar.kill()
    return statistics.median(spent)


async def search(folder: Path, jobs: int) -> tuple[float, int]:
    """Seconds and trials to the lab's minimal set."""
    asked = asked_for_lab("checkout", Wanted(), Checks(every_s=0.2, timeout_s=1.0))
    oracle = jar_oracle(asked, folder, deadline_s=4, soak_s=0.5)
    opening = SearchStarted(at=0.0, question=Question(), jobs=jobs)
    runner = SearchRunner(oracle, opening, emit=lambda _: None, now=time.monotonic)
    start = time.perf_counter()
    found = await runner.run()
    assert found is not None
    assert len(found.minimal) == 5, found
    return time.perf_counter() - start, len(runner.outcomes)


async def measured(folder: Path, *, with_searches: bool) -> Figures:
    figures = await trials(folder)
    lab = asked_for_lab("checkout", Wanted())
    figures["jar_s"] = {"belljar": await jars(jar_maker(service())), "in a lab": await jars(jar_maker(lab))}
    if with_searches:
        found = {jobs: await search(folder, jobs) for jobs in (1, 4)}
        figures["search_s"] = {f"{jobs} jobs": seconds for jobs, (seconds, _) in found.items()}
        figures["search_trials"] = {f"{jobs} jobs": float(count) for jobs, (_, count) in found.items()}
        figures["search_ratio"] = {"4 jobs": found[4][0] / found[1][0], "cores": float(os.cpu_count() or 0)}
    return figures


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        figures = asyncio.run(measured(Path(folder), with_searches="--searches" in sys.argv))
    if "--json" in sys.argv:
        print(json.dumps(figures, indent=2))
        return
    for name, values in figures.items():
        print(f"{name:15}" + "   ".join(f"{which} {value:.3g}" for which, value in values.items()))


if __name__ == "__main__":
    main()
