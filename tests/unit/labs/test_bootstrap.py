"""The bootstrap lab: its circle, in its description, its hosts and the order of its services."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from belljar_tui.core.order.plan import Order, Source, order_of
from belljar_tui.labs import LABS
from belljar_tui.labs.bootstrap import hosts
from belljar_tui.labs.bootstrap.description import NEEDS, PORTS
from belljar_tui.labs.pool import hosts as pool_hosts

CIRCLE = {"identity", "storage", "vault"}


@pytest.fixture(autouse=True)
def _warm() -> Iterator[None]:
    yield
    hosts._cold.clear()


def order() -> Order:
    def working_set(name: str) -> tuple[str, ...]:
        return tuple(f"tcp://{need}.lab:{PORTS[need]}" for need in NEEDS[name])

    return order_of([Source(name, (working_set(name),)) for name in NEEDS])


def test_the_order_finds_the_circle_and_who_waits_for_it() -> None:
    found = order()
    assert [set(wave) for wave in found.waves] == [{"scheduler"}]
    assert set(found.blocked) == {*CIRCLE, "portal"}


def test_switched_on_together_the_three_wait_for_one_another() -> None:
    for name in CIRCLE:
        hosts.start_cold(f"{name}.lab")
    assert [hosts.waits_for(name) for name in ("identity", "storage", "vault")] == ["storage", "vault", "identity"]


def test_one_alone_comes_up_and_stays_up() -> None:
    hosts.start_cold("identity.lab")
    assert hosts.waits_for("identity") is None
    hosts.start_cold("storage.lab")
    assert hosts.waits_for("identity") is None


def test_every_host_of_a_lab_is_served() -> None:
    assert set(hosts.HOSTS) == set(LABS["bootstrap"].hosts)
    assert set(pool_hosts.HOSTS) == set(LABS["pool"].hosts)
