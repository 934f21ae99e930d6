"""Jars made ahead: how many there are, what becomes of those that fail or die, and that none is left."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from fake_jars import FakeJar, Maker

from belljar_tui.core.events import SealProven
from belljar_tui.errors import JarError, Unsealed
from belljar_tui.trials.pool import JarPool

DEADLINE_S = 10.0


@asynccontextmanager
async def pool_of(make: Maker, ahead: int = 0, jobs: int = 1) -> AsyncIterator[JarPool]:
    pool = JarPool(make, ahead)
    try:
        async with asyncio.timeout(DEADLINE_S):
            await pool.start(jobs)
            yield pool
    finally:
        await pool.close()
    assert make.alive == 0, "no jar outlives its pool"


async def settled() -> None:
    """Let everything that can go on without us go on."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_taken_jar_is_sealed_and_its_place_is_filled_at_once() -> None:
    make = Maker()
    async with pool_of(make) as pool:
        jar = await pool.take()
        assert jar.state.proof is not None
        await make.th(1)
        pool.give_back(jar)


@pytest.mark.parametrize(("jobs", "ahead"), [(1, 1), (3, 3), (9, 4)])
async def test_the_number_ahead_is_bounded(jobs: int, ahead: int) -> None:
    make = Maker()
    async with pool_of(make, jobs=jobs) as pool:
        await settled()
        assert len(make.made) == ahead
        for _ in range(jobs):
            await pool.take()
        await settled()
        assert make.alive == jobs + ahead


async def test_a_jar_that_is_ready_is_taken_before_one_in_the_making() -> None:
    slow = FakeJar()
    async with pool_of(Maker(FakeJar(), slow), ahead=2) as pool:
        slow.may_start.clear()
        first = await pool.take()
        second = await pool.take()
        assert first is not second


async def test_an_unproven_seal_is_an_error_with_its_words() -> None:
    jar = FakeJar()
    jar.proof = SealProven(at=0.0, ok=False, detail="a call that must be blocked went through")
    make = Maker(jar)
    with pytest.raises(Unsealed, match="not proven"):
        async with pool_of(make):
            raise AssertionError("never ready")
    assert make.alive == 0


async def test_a_jar_that_cannot_be_made_is_tried_again_and_then_told() -> None:
    jars = [FakeJar() for _ in range(5)]
    for jar in jars[1:4]:
        jar.refusal = JarError("No memory for a jar.")
    async with pool_of(Maker(*jars)) as pool:
        await pool.take()
        with pytest.raises(JarError, match="No memory"):
            await pool.take()
        assert (await pool.take()).state.proof is not None


async def test_a_jar_that_died_while_it_waited_is_passed_over_and_said_once() -> None:
    make = Maker()
    async with pool_of(make) as pool:
        make.made[0].die()
        await settled()
        jar = await pool.take()
        assert not jar.is_over
        (said,) = pool.died()
        assert "ended by signal 9" in said
        assert pool.died() == []


async def test_a_cancelled_wait_leaves_the_jar_to_the_next() -> None:
    slow = FakeJar()
    slow.may_start.clear()
    make = Maker(FakeJar(), slow)
    async with pool_of(make) as pool:
        await pool.take()
        waiting = asyncio.create_task(pool.take())
        await make.th(1)
        await settled()
        waiting.cancel()
        await asyncio.wait([waiting])
        slow.may_start.set()
        await pool.take()


async def test_closing_ends_jars_in_the_making_too_and_may_be_done_twice() -> None:
    slow = FakeJar()
    slow.may_start.clear()
    make = Maker(FakeJar(), slow)
    pool = JarPool(make, ahead=2)
    await pool.start(1)
    await settled()
    await pool.close()
    await pool.close()
    assert [jar.is_killed for jar in make.made] == [True, True]
