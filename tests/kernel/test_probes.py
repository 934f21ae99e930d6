"""Health checks behind the seal: they measure the service, not its dependencies, so the seal lets them through."""

from __future__ import annotations

import asyncio

import pytest
from namespaces import EITHER_WAY, run_in_namespaces
from worlds import NEIGHBOUR4, NEIGHBOUR6, with_neighbour

from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.nft import AGENT_MARK, QUEUES
from belljar_tui.agent.probes import HealthLoop, probe_tcp
from belljar_tui.agent.queue import CallQueue
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.core.model import Health, Mode
from belljar_tui.wire.messages import Checks

pytestmark = pytest.mark.kernel

DEADLINE_S = 10.0


def sealed(mode: Mode) -> Ruleset:
    """A vacuum with readers on its queues, and a neighbour behind it. It holds for as long as the result is kept."""
    with_neighbour()
    ruleset = Ruleset(Netfilter(), 5300, [])
    ruleset.create()
    for queue in QUEUES:
        CallQueue(queue, lambda _: None, lambda _: None).start()
    ruleset.change([], {}, mode, seal_changes=True)
    return ruleset


async def _refused() -> None:
    ruleset = sealed(Mode.REFUSE)
    for address in (NEIGHBOUR4, NEIGHBOUR6):
        assert await probe_tcp(address, 7000, 0, DEADLINE_S) == "connection refused"
        assert await probe_tcp(address, 7000, AGENT_MARK, DEADLINE_S) == ""
    assert ruleset.read_seal()[1] == 2, "ours are not counted"


async def _dropped() -> None:
    ruleset = sealed(Mode.BLACKHOLE)
    assert await probe_tcp(NEIGHBOUR4, 7000, 0, 0.2) == "no answer within 0.2 s"
    assert await probe_tcp(NEIGHBOUR4, 7000, AGENT_MARK, DEADLINE_S) == ""
    assert ruleset.read_seal()[1] == 1


async def _healthy() -> None:
    ruleset = sealed(Mode.REFUSE)
    told: asyncio.Queue[tuple[Health, str, str]] = asyncio.Queue()

    async def run(_: str) -> tuple[int, str]:
        return 0, ""

    check = f"tcp://{NEIGHBOUR4}:7000"
    loop = HealthLoop(Checks((check,), every_s=0.01), AGENT_MARK, lambda *words: told.put_nowait(words), run)
    watching = asyncio.create_task(loop.run())
    assert await asyncio.wait_for(told.get(), DEADLINE_S) == (Health.HEALTHY, check, "connected")
    watching.cancel()
    assert await probe_tcp(NEIGHBOUR4, 7000, 0, DEADLINE_S) == "connection refused", "the seal was there all the time"
    assert ruleset.read_seal() == (Mode.REFUSE, 1)


@EITHER_WAY
def test_a_probe_with_our_mark_passes_a_refusing_seal_and_another_does_not(unprivileged: bool) -> None:
    run_in_namespaces(_refused, unprivileged=unprivileged)


@EITHER_WAY
def test_a_probe_without_our_mark_waits_in_vain_behind_a_silent_seal(unprivileged: bool) -> None:
    run_in_namespaces(_dropped, unprivileged=unprivileged)


@EITHER_WAY
def test_a_health_check_passes_the_seal(unprivileged: bool) -> None:
    run_in_namespaces(_healthy, unprivileged=unprivileged)
