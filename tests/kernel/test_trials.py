"""Trials in real jars: the lab's ground truth, cold and steady, and nothing left whenever it ends."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
from namespaces import as_nobody
from test_lab_checkout import MARK, gone, kill_marked, marked
from worlds import ROOT

from belljar_tui.core import events as ev
from belljar_tui.core.model import NAME_SERVICE, Health, Mode, Settings, Wanted
from belljar_tui.core.search import Found, Phase, Question
from belljar_tui.core.search import Wanted as WantedTrial
from belljar_tui.core.trial import Outcome, Recovery, Trial, TrialVerdict
from belljar_tui.errors import AgentLost
from belljar_tui.headless.asked import Asked, asked_for_lab
from belljar_tui.headless.opening import jar_maker, jar_oracle, steady_oracle
from belljar_tui.labs import LABS
from belljar_tui.trials.oracle import Oracle
from belljar_tui.trials.pool import JarPool
from belljar_tui.trials.runner import SearchRunner
from belljar_tui.trials.trial_jar import TrialJar
from belljar_tui.wire.messages import Checks

pytestmark = pytest.mark.kernel

TRUTH = LABS["checkout"].truth
PAY_A, PAY_B = TRUTH.one_of[0]
AUTH, CACHE, RECS = "tcp://auth.lab:9000", "tcp://cache.lab:6379", "tcp://recs.lab:8081"
CLOCK = "udp://time.lab:123"
EVERYTHING = {NAME_SERVICE, *TRUTH.always, *TRUTH.cold_only, PAY_A, PAY_B, *TRUTH.tolerated}
NEEDED = {NAME_SERVICE, *TRUTH.always}
"""At every moment; a payment provider comes on top."""
TIMING = Checks(every_s=0.2, timeout_s=1.0)
COLD_DEADLINE_S = 3.5
DEADLINE_S = 30.0


def lab() -> Asked:
    return asked_for_lab("checkout", Wanted(), TIMING)


def in_the_lab(*command: str, check: str = "exec:true") -> Asked:
    """Another service in the lab's world."""
    return Asked(
        name="other",
        command=command,
        health=Checks((check,), every_s=0.1, timeout_s=1.0),
        environment=dict(os.environ),
        lab="checkout",
    )


def python(program: str, check: str = "exec:true") -> Asked:
    return in_the_lab(sys.executable, "-u", "-c", program, check=check)


@asynccontextmanager
async def started(oracle: Oracle, jobs: int = 1) -> AsyncIterator[Callable[[Trial], Coroutine[None, None, Outcome]]]:
    """A way to try things."""
    number = 0

    async def run(trial: Trial) -> Outcome:
        nonlocal number
        number += 1
        async with asyncio.timeout(DEADLINE_S):
            return await oracle.run(WantedTrial(trial, Phase.SWEEP), number)

    try:
        await oracle.start(jobs)
        yield run
    finally:
        await oracle.close()


def all_but(*cut: str, mode: Mode = Mode.REFUSE) -> Trial:
    return Trial(frozenset(EVERYTHING - set(cut)), mode)


class Search:
    """A search, and what it said."""

    def __init__(self, oracle: Oracle, question: Question, recovery: Recovery, jobs: int = 1) -> None:
        self.events: list[ev.AnyEvent] = []
        opening = ev.SearchStarted(at=0.0, question=question, recovery=recovery, jobs=jobs)
        self.runner = SearchRunner(oracle, opening, emit=self.events.append, now=time.monotonic)

    async def run(self) -> Found:
        async with asyncio.timeout(100):
            found = await self.runner.run()
        assert found is not None
        return found


# The lab's truth


async def test_cold_and_refused_the_exact_set_is_found_in_no_more_than_20_trials(tmp_path: Path) -> None:
    oracle = jar_oracle(lab(), tmp_path, deadline_s=COLD_DEADLINE_S, soak_s=0.3)
    search = Search(oracle, Question(), Recovery.COLD)
    found = await search.run()
    assert set(found.minimal) in ({*NEEDED, *TRUTH.cold_only, PAY_A}, {*NEEDED, *TRUTH.cold_only, PAY_B})
    assert (PAY_A, PAY_B) in found.cut_sets
    assert {cut[0] for cut in found.cut_sets if len(cut) == 1} == {*NEEDED, *TRUTH.cold_only}
    assert set(found.tolerated) == EVERYTHING - set(found.minimal)
    assert found.never_called == ()
    assert len(search.runner.outcomes) <= 20
    assert not [outcome for outcome in search.runner.outcomes if outcome.verdict is TrialVerdict.INCONCLUSIVE]


async def test_steady_nobody_needs_the_settings_any_more_and_every_cut_recovers(tmp_path: Path) -> None:
    search = Search(steady_oracle(lab(), tmp_path, deadline_s=10, soak_s=1.0), Question(), Recovery.STEADY, jobs=2)
    found = await search.run()
    assert set(found.minimal) in ({*NEEDED, PAY_A}, {*NEEDED, PAY_B})
    assert (PAY_A, PAY_B) in found.cut_sets
    for outcome in search.runner.outcomes:
        assert not outcome.is_stuck
        assert (outcome.recovered_after_s is not None) == (outcome.verdict is TrialVerdict.BROKEN)


@pytest.mark.parametrize("recovery", Recovery)
async def test_a_cache_is_tolerated_when_refused_and_needed_when_it_hangs(tmp_path: Path, recovery: Recovery) -> None:
    make = jar_oracle if recovery is Recovery.COLD else steady_oracle
    async with started(make(lab(), tmp_path, deadline_s=5.0, soak_s=1.0), 3) as run:
        refused, hanging, other = await asyncio.gather(
            run(all_but(CACHE)), run(all_but(CACHE, mode=Mode.BLACKHOLE)), run(all_but(RECS, mode=Mode.BLACKHOLE))
        )
    verdicts = (refused.verdict, hanging.verdict, other.verdict)
    assert verdicts == (TrialVerdict.HEALTHY, TrialVerdict.BROKEN, TrialVerdict.HEALTHY)
    assert hanging.detail == "no answer within 1 s"
    assert [outcome.blocked for outcome in (refused, hanging, other)] == [
        frozenset({one}) for one in (CACHE, CACHE, RECS)
    ]


@pytest.mark.parametrize("recovery", Recovery)
async def test_a_cache_is_tolerated_without_its_name_and_needed_when_it_is_slow(
    tmp_path: Path, recovery: Recovery
) -> None:
    make = jar_oracle if recovery is Recovery.COLD else steady_oracle
    opened = frozenset(EVERYTHING - {CACHE})
    slow = Trial(opened, Mode.SLOW, alone=CACHE, settings=Settings(delay_s=3))
    unnamed = Trial(opened, Mode.DNS, alone=CACHE)
    never = Trial(opened, Mode.FLAKY, alone=CACHE, settings=Settings(fraction=1.0))
    clock = Trial(frozenset(EVERYTHING - {CLOCK}), Mode.SLOW, alone=CLOCK, settings=Settings(delay_s=3))
    async with started(make(lab(), tmp_path, deadline_s=5.0, soak_s=1.0), 4) as run:
        outcomes = await asyncio.gather(run(slow), run(unnamed), run(never), run(clock))
    broken, *healthy = outcomes
    assert (broken.verdict, broken.detail) == (TrialVerdict.BROKEN, "no answer within 1 s")
    assert [outcome.verdict for outcome in healthy] == [TrialVerdict.HEALTHY] * 3
    if recovery is Recovery.COLD:  # a running service keeps the flows it has
        assert healthy[1].blocked == frozenset({CACHE})


async def test_hanging_the_set_that_needs_the_cache_too_is_enough(tmp_path: Path) -> None:
    opened = frozenset({*NEEDED, *TRUTH.cold_only, PAY_B, *TRUTH.needed_when_hanging})
    async with started(jar_oracle(lab(), tmp_path, deadline_s=15.0)) as run:
        outcome = await run(Trial(opened, Mode.BLACKHOLE))
    assert outcome.verdict is TrialVerdict.HEALTHY


# One trial


async def test_a_jar_made_ahead_is_sealed_and_its_service_waits_for_its_trial() -> None:
    jar = jar_maker(lab())()
    try:
        await jar.start()
        assert jar.state.proof is not None
        assert jar.state.proof.ok
        assert jar.state.service_pid is None
        began = jar.now()
        await jar.begin(Trial(frozenset()).wanted, "", {})
        async with asyncio.timeout(DEADLINE_S):
            while jar.state.health is Health.UNKNOWN:
                await jar.moved()
        assert began <= jar.state.service_started_at <= jar.state.health_since
        assert jar.at_change.at <= jar.state.service_started_at, "the seal is in force from the first instruction on"
    finally:
        await jar.kill()


async def test_with_everything_open_what_is_called_now_and_then_is_seen_too(tmp_path: Path) -> None:
    async with started(jar_oracle(lab(), tmp_path)) as run:
        outcome = await run(Trial(None))
    assert outcome.verdict is TrialVerdict.HEALTHY
    assert outcome.called == frozenset(EVERYTHING)
    assert outcome.blocked == frozenset()
    assert outcome.healthy_after_s is not None
    assert 0 < outcome.healthy_after_s < outcome.spent_s


async def test_in_the_vacuum_only_name_service_is_met_and_opening_it_shows_the_rest(tmp_path: Path) -> None:
    async with started(jar_oracle(lab(), tmp_path, deadline_s=2.5), 2) as run:
        vacuum, named = await asyncio.gather(run(Trial(frozenset())), run(Trial(frozenset({NAME_SERVICE}))))
    assert vacuum.blocked == frozenset({NAME_SERVICE, "tcp://10.77.1.44:443"})
    assert named.blocked == frozenset(EVERYTHING - {NAME_SERVICE})
    assert {vacuum.verdict, named.verdict} == {TrialVerdict.BROKEN}


async def test_any_query_is_a_call_to_name_service(tmp_path: Path) -> None:
    program = (
        "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "s.sendto(b'\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4auth\\3lab\\0\\0\\20\\0\\1', ('10.9.9.9', 53))\n"
        "time.sleep(60)"
    )  # TXT, to a server that does not exist
    async with started(jar_oracle(python(program), tmp_path, soak_s=0.3)) as run:
        outcome = await run(Trial(frozenset({NAME_SERVICE})))
    assert outcome.verdict is TrialVerdict.HEALTHY
    assert outcome.called == frozenset({NAME_SERVICE})


async def test_a_service_that_ends_is_broken_at_once_with_its_last_words(tmp_path: Path) -> None:
    asked = in_the_lab("/bin/sh", "-c", "echo booting; echo no settings >&2; exit 3", check="tcp://localhost:1")
    async with started(jar_oracle(asked, tmp_path, deadline_s=60)) as run:
        outcome = await run(Trial(None))
    assert outcome.verdict is TrialVerdict.BROKEN
    assert outcome.detail == "the service ended with exit code 3: no settings"
    assert (tmp_path / "trial-1.log").read_text() == "booting\nno settings\n"
    assert outcome.spent_s < 5


async def test_services_at_once_know_which_job_they_are(tmp_path: Path) -> None:
    asked = in_the_lab("/bin/sh", "-c", 'echo "job $BELLJAR_JOB of trial $BELLJAR_TRIAL"; sleep 60')
    async with started(jar_oracle(asked, tmp_path), 2) as run:
        await asyncio.gather(run(Trial(frozenset())), run(Trial(frozenset())))
    said = {(tmp_path / f"trial-{number}.log").read_text() for number in (1, 2)}
    assert said == {"job 0 of trial 1\n", "job 1 of trial 2\n"}


async def test_a_kept_connection_that_hangs_has_met_its_cut_though_nobody_calls_anew(tmp_path: Path) -> None:
    program = (
        "import socket, time\n"
        "kept = socket.create_connection(('orders-db.lab', 5432))\n"
        "while True:\n"
        "    kept.sendall(b'SELECT 1\\n'); time.sleep(0.1)\n"
    )
    async with started(steady_oracle(python(program), tmp_path, deadline_s=5, soak_s=1.2)) as run:
        outcome = await run(Trial(frozenset({NAME_SERVICE}), Mode.BLACKHOLE))
        again = await run(Trial(frozenset({NAME_SERVICE, TRUTH.always[0]}), Mode.BLACKHOLE))
    assert outcome.verdict is TrialVerdict.HEALTHY
    assert outcome.blocked == frozenset({TRUTH.always[0]})
    assert again.blocked == frozenset()


async def test_a_service_that_stays_broken_after_the_restore_is_stuck_and_replaced(tmp_path: Path) -> None:
    flag = tmp_path / "broken"
    program = (
        "import pathlib, socket, time\n"
        f"flag = pathlib.Path({str(flag)!r}); flag.unlink(missing_ok=True)\n"
        "while True:\n"
        "    try: socket.create_connection(('auth.lab', 9000), 1).close()\n"
        "    except OSError: flag.touch()\n"
        "    time.sleep(0.1)\n"
    )
    asked = python(program, check=f"exec:test ! -e {flag}")
    async with started(steady_oracle(asked, tmp_path, deadline_s=1.5, soak_s=0.5)) as run:
        first = await run(Trial(frozenset({NAME_SERVICE})))
        second = await run(Trial(frozenset({NAME_SERVICE, AUTH})))
    assert (first.verdict, first.is_stuck, first.recovered_after_s) == (TrialVerdict.BROKEN, True, None)
    assert first.blocked == frozenset({AUTH})
    assert (second.verdict, second.is_stuck) == (TrialVerdict.HEALTHY, False)
    assert second.blocked == frozenset()


async def test_a_service_that_is_never_healthy_is_broken_with_everything_open_and_else_no_trial(tmp_path: Path) -> None:
    asked = in_the_lab("/bin/sleep", "60", check="tcp://localhost:1")
    async with started(steady_oracle(asked, tmp_path, deadline_s=2.0)) as run:  # a check must have answered by then
        outcomes = [await run(Trial(None)), await run(Trial(frozenset()))]
    assert [outcome.verdict for outcome in outcomes] == [TrialVerdict.BROKEN, TrialVerdict.INCONCLUSIVE]
    assert outcomes[0].detail == "connection refused"
    assert outcomes[1].detail == "not healthy with everything open: connection refused"


# Ends


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """Every process that the test starts carries it."""
    value = uuid.uuid4().hex
    monkeypatch.setenv(MARK, value)
    return value


async def test_a_jar_that_dies_while_it_waits_is_noticed_and_another_takes_its_place(mark: str) -> None:
    made: list[TrialJar] = []
    make = jar_maker(lab())

    def remembered() -> TrialJar:
        made.append(make())
        return made[-1]

    pool = JarPool(remembered, ahead=1)
    try:
        await pool.start(1)
        kill_marked(mark)
        async with asyncio.timeout(DEADLINE_S):
            while not made[0].is_over:
                await made[0].moved()
            jar = await pool.take()
        assert jar.state.proof is not None
        (said,) = pool.died()
        assert "ended while it waited" in said
        kill_marked(mark)
        async with asyncio.timeout(DEADLINE_S):
            while not jar.is_over:
                await jar.moved()
        with pytest.raises(AgentLost):
            await jar.begin(Wanted(), "", {})
        pool.give_back(jar)
    finally:
        await pool.close()
    assert gone(mark)


async def test_a_jar_lost_in_the_middle_teaches_nothing(tmp_path: Path, mark: str) -> None:
    async with started(jar_oracle(lab(), tmp_path)) as run:
        trial = asyncio.create_task(run(all_but(AUTH)))
        async with asyncio.timeout(DEADLINE_S):
            while not [p for p in marked(mark) if p.name() == "web"]:  # noqa: ASYNC110  # the service calls itself so
                await asyncio.sleep(0.05)
        kill_marked(mark)
        outcome = await trial
    assert outcome.verdict is TrialVerdict.INCONCLUSIVE
    assert "agent ended" in outcome.detail
    assert gone(mark)


@pytest.mark.parametrize("after_s", [0.0, 0.4, 1.2])
@pytest.mark.parametrize("recovery", Recovery)
async def test_a_search_cancelled_at_any_moment_leaves_no_process(
    tmp_path: Path, mark: str, after_s: float, recovery: Recovery
) -> None:
    make = jar_oracle if recovery is Recovery.COLD else steady_oracle
    task = asyncio.create_task(Search(make(lab(), tmp_path), Question(), recovery, jobs=2).run())
    await asyncio.wait([task], timeout=after_s)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled(), str(task.exception())
    assert not [process for process in marked(mark) if process.status() != psutil.STATUS_ZOMBIE]


PROGRAM = """
import asyncio, sys, time
from pathlib import Path
import test_trials as t
oracle = t.jar_oracle(t.lab(), Path(sys.argv[1]), deadline_s=t.DEADLINE_S)
async def main():
    async with t.started(oracle, 2) as run:
        outcome = await run(t.Trial(None))
        print(outcome.verdict, len(outcome.called), flush=True)
        if len(sys.argv) > 2:
            await asyncio.gather(run(t.Trial(frozenset())), run(t.Trial(frozenset())))
asyncio.run(main())
"""


def environment(**more: str) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "kernel")]), **more}


def test_a_search_that_is_killed_leaves_no_process(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), "on"]
    with subprocess.Popen(command, env=environment(**{MARK: mark}), stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "healthy 11\n"
            assert len(marked(mark)) > 4
        finally:
            process.kill()
    assert gone(mark)


def test_an_unprivileged_user_has_trials_too(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    for folder in tmp_path.parents[:2]:
        folder.chmod(0o755)
    command = [*as_nobody(), sys.executable, "-c", PROGRAM, str(tmp_path)]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.stdout == "healthy 11\n", done.stderr
