"""How a jar's events are judged, cold and steady, without a kernel."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from fake_jars import FakeJar, Maker

from belljar_tui.core import events as ev
from belljar_tui.core.deadline import Deadline
from belljar_tui.core.model import Health, Mode, Seal, Wanted
from belljar_tui.core.search import Phase
from belljar_tui.core.search import Wanted as WantedTrial
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.errors import BadDependencyId
from belljar_tui.trials.jar_oracle import JarOracle
from belljar_tui.trials.oracle import Oracle
from belljar_tui.trials.steady import SteadyOracle

DB, AUTH = "tcp://db:5432", "tcp://auth:9000"
SOME = Trial(frozenset({"dns:", DB}))
DEADLINE_S = 10.0
HEALTHY, BROKEN, INCONCLUSIVE = TrialVerdict.HEALTHY, TrialVerdict.BROKEN, TrialVerdict.INCONCLUSIVE


class World:
    """An oracle over fake jars, and a trial under way."""

    def __init__(self, oracle: Oracle, make: Maker) -> None:
        self.make = make
        self.oracle = oracle
        self.trials = 0

    def begin(self, trial: Trial = SOME) -> asyncio.Task[Outcome]:
        self.trials += 1
        return asyncio.create_task(self.oracle.run(WantedTrial(trial, Phase.SWEEP), self.trials))

    async def jar(self, number: int = 0) -> FakeJar:
        """The `number`th jar, once its service was started."""
        jar = await self.make.th(number)
        await jar.has_begun.wait()
        return jar


@asynccontextmanager
async def cold(folder: Path, deadline_s: float = 5.0, soak_s: float = 0.0) -> AsyncIterator[World]:
    make = Maker()
    async with running(World(JarOracle(make, folder, deadline_s=deadline_s, soak_s=soak_s), make)) as world:
        yield world


@asynccontextmanager
async def steady(folder: Path, deadline_s: float = 5.0, soak_s: float = 0.05) -> AsyncIterator[World]:
    make = Maker()
    async with running(World(SteadyOracle(make, folder, deadline_s=deadline_s, soak_s=soak_s), make)) as world:
        yield world


@asynccontextmanager
async def running(world: World) -> AsyncIterator[World]:
    try:
        async with asyncio.timeout(DEADLINE_S):
            await world.oracle.start(1)
            yield world
    finally:
        await world.oracle.close()
    assert world.make.alive == 0


# What a trial asks of a jar


def test_a_trial_seals_all_but_what_it_leaves_open_and_cuts_name_service_by_itself() -> None:
    assert Trial(None, Mode.BLACKHOLE).wanted == Wanted()
    assert Trial(frozenset({"dns:", DB})).wanted == Wanted(Seal.VACUUM, Mode.REFUSE, {}, frozenset({DB}))
    without = Trial(frozenset({DB}), Mode.BLACKHOLE).wanted
    assert without == Wanted(Seal.VACUUM, Mode.BLACKHOLE, {"dns:": Mode.BLACKHOLE}, frozenset({DB}))


# Cold


async def test_healthy_at_once_where_health_need_not_hold(tmp_path: Path) -> None:
    async with cold(tmp_path) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.calls(DB)
        jar.healthy()
        outcome = await trial
    assert (outcome.verdict, outcome.detail, outcome.called) == (HEALTHY, "200 ok", frozenset({DB}))
    assert outcome.healthy_after_s is not None
    assert jar.began == (SOME.wanted, str(tmp_path / "trial-1.log"), {"BELLJAR_JOB": "0", "BELLJAR_TRIAL": "1"})


async def test_health_that_does_not_hold_is_no_health(tmp_path: Path) -> None:
    async with cold(tmp_path, deadline_s=0.3, soak_s=60.0) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.healthy()
        jar.unhealthy("503 db: connection refused")
        outcome = await trial
    assert (outcome.verdict, outcome.detail) == (BROKEN, "503 db: connection refused")
    assert outcome.healthy_after_s is None


async def test_broken_at_the_deadline(tmp_path: Path) -> None:
    async with cold(tmp_path, deadline_s=0.1) as world:
        outcome = await world.begin()
    assert (outcome.verdict, outcome.detail) == (BROKEN, "the service never answered its check")
    assert outcome.spent_s >= 0.1


async def test_an_exit_is_broken_at_once_with_its_last_words(tmp_path: Path) -> None:
    async with cold(tmp_path, deadline_s=60) as world:
        trial = world.begin()
        jar = await world.jar()
        (tmp_path / "trial-1.log").write_text("starting\nno database\n\n")
        jar.say(ev.ServiceExited(at=jar.now(), code=3))
        outcome = await trial
    assert (outcome.verdict, outcome.detail) == (BROKEN, "the service ended with exit code 3: no database")


async def test_the_last_counts_count(tmp_path: Path) -> None:
    async with cold(tmp_path) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.last = [
            ev.TrafficCounted(at=1.0, dependency=DB, calls=1, packets=9, bytes=99),
            ev.CallBlocked(at=1.0, dependency=AUTH, mode=Mode.REFUSE, pid=None, process=None, count=2),
            ev.TrafficCounted(at=1.0, dependency="dns:", calls=4, packets=4, bytes=99),
        ]
        jar.healthy()
        outcome = await trial
    assert outcome.called == frozenset({DB, AUTH, "dns:"})
    assert outcome.blocked == frozenset({AUTH})


LOST = [
    (ev.EventsLost(at=0.1, source="queue", count=3), "events of queue were lost"),
    (ev.EventsLost(at=0.1, source="output", count=3), "events of output were lost"),
    (ev.AuditFailed(at=0.1, detail="the kernel differs"), "the kernel differs"),
]


@pytest.mark.parametrize(("event", "words"), LOST)
async def test_where_calls_may_have_gone_unseen_nothing_is_learned(
    tmp_path: Path, event: ev.AnyEvent, words: str
) -> None:
    async with cold(tmp_path) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.say(event)
        jar.healthy()
        outcome = await trial
    assert outcome.verdict is INCONCLUSIVE
    assert words in outcome.detail
    assert outcome.called is None
    assert outcome.blocked is None


@pytest.mark.parametrize("source", ["log", "lane"])
async def test_a_lost_log_line_or_datagram_hides_nothing_where_first_calls_are_held(
    tmp_path: Path, source: str
) -> None:
    async with cold(tmp_path) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.say(ev.EventsLost(at=0.1, source=source, count=3))
        jar.healthy()
        assert (await trial).verdict is HEALTHY


async def test_a_lost_agent_teaches_nothing_and_the_next_trial_has_another(tmp_path: Path) -> None:
    async with cold(tmp_path) as world:
        trial = world.begin()
        (await world.jar()).die()
        outcome = await trial
        again = world.begin()
        (await world.jar(1)).healthy()
        assert (await again).verdict is HEALTHY
    assert outcome.verdict is INCONCLUSIVE
    assert "ended by signal 9" in outcome.detail


async def test_what_is_no_dependency_id_is_told(tmp_path: Path) -> None:
    async with cold(tmp_path) as world:
        with pytest.raises(BadDependencyId):
            await world.begin(Trial(frozenset({"db"})))


def test_a_deadline_is_as_asked_or_five_times_the_baseline_but_at_least_ten_seconds() -> None:
    def baseline(after_s: float) -> Outcome:
        return Outcome(trial=Trial(None), verdict=HEALTHY, healthy_after_s=after_s)

    assert Deadline(7.0, [baseline(3.0)]).seconds == 7.0
    assert Deadline(0.0).seconds == 60.0
    assert Deadline(0.0, [baseline(0.4)]).seconds == 10.0
    assert Deadline(0.0, [baseline(4.0)]).seconds == 20.0


# Steady


async def test_a_cut_that_is_survived_is_restored_and_the_service_lives_on(tmp_path: Path) -> None:
    async with steady(tmp_path) as world:
        first = world.begin()
        jar = await world.jar()
        jar.calls(AUTH, 5)
        jar.on_want = [[ev.TrafficCounted(at=0.0, dependency=DB, calls=1, packets=1, bytes=1)]]
        jar.healthy()
        outcome = await first
        assert jar.wanted == [SOME.wanted, Wanted()]
        assert (await world.begin()).verdict is HEALTHY
        assert len(jar.wanted) == 4, "the same service"
    assert (outcome.verdict, outcome.is_stuck, outcome.recovered_after_s) == (HEALTHY, False, None)
    assert outcome.called == frozenset({DB}), "and not what was called before"


async def test_recovery_counts_from_the_restore(tmp_path: Path) -> None:
    async with steady(tmp_path) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.on_want = [
            [
                ev.CallBlocked(at=0.0, dependency=AUTH, mode=Mode.REFUSE, pid=2, process="web", count=1),
                ev.HealthChanged(at=0.0, health=Health.UNHEALTHY, check="c", detail="503 auth: connection refused"),
            ],
            [ev.HealthChanged(at=100.0, health=Health.HEALTHY, check="c", detail="200")],
        ]
        jar.healthy()
        outcome = await trial
    assert (outcome.verdict, outcome.detail) == (BROKEN, "503 auth: connection refused")
    assert outcome.blocked == frozenset({AUTH})
    assert not outcome.is_stuck
    assert outcome.recovered_after_s is not None
    assert outcome.recovered_after_s > 90


async def test_a_service_that_stays_unhealthy_is_stuck_and_replaced(tmp_path: Path) -> None:
    async with steady(tmp_path, deadline_s=0.2) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.on_want = [[ev.HealthChanged(at=0.0, health=Health.UNHEALTHY, check="c", detail="503")]]
        jar.healthy()
        outcome = await trial
        again = world.begin()
        (await world.jar(1)).healthy()
        assert (await again).verdict is HEALTHY
    assert (outcome.verdict, outcome.is_stuck, outcome.recovered_after_s) == (BROKEN, True, None)


async def test_a_service_that_ends_in_a_cut_is_broken_at_once(tmp_path: Path) -> None:
    async with steady(tmp_path, soak_s=60.0) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.on_want = [[ev.ServiceExited(at=0.0, code=1)]]
        jar.healthy()
        outcome = await trial
    assert (outcome.verdict, outcome.is_stuck) == (BROKEN, True)
    assert outcome.detail == "the service ended with exit code 1"


async def test_an_abandoned_trial_opens_everything_again_and_keeps_the_service(tmp_path: Path) -> None:
    async with steady(tmp_path, soak_s=0.2) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.healthy()
        await jar.has_been_cut.wait()
        trial.cancel()
        await asyncio.wait([trial])
        assert trial.cancelled()
        assert jar.wanted == [SOME.wanted, Wanted()]
        assert (await world.begin()).verdict is HEALTHY
        assert len(jar.wanted) == 4


async def test_what_an_abandoned_trial_did_to_a_service_is_not_the_next_ones(tmp_path: Path) -> None:
    async with steady(tmp_path, deadline_s=0.2, soak_s=0.2) as world:
        trial = world.begin()
        jar = await world.jar()
        jar.on_want = [[ev.HealthChanged(at=0.0, health=Health.UNHEALTHY, check="c", detail="503")]]
        jar.healthy()
        await jar.has_been_cut.wait()
        trial.cancel()
        await asyncio.wait([trial])
        again = world.begin()
        (await world.jar(1)).healthy()
        assert (await again).verdict is HEALTHY
        assert jar.is_killed
