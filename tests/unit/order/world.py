"""A small company: a cycle, a service that waits for it, one saved by its other working set, and a steady profile."""

from __future__ import annotations

import os
from pathlib import Path

from belljar_tui.core.order.plan import Order, order_of, source_of
from belljar_tui.core.profile import Evidence, Healthy, Profile, Recovery, Service

GOLDENS = Path(__file__).parent / "goldens"


def cold(name: str, *allow: str, other: tuple[str, ...] = (), deadline_s: float = 30) -> Profile:
    return Profile(
        belljar=2,
        name=name,
        service=Service(command=(f"./{name}", "--port", "8080"), environment=("PORT",) if name == "auth" else ()),
        recovery=Recovery(deadline_s=deadline_s),
        healthy=Healthy(checks=("http://localhost:8080/ready",)),
        allow=allow,
        evidence=Evidence(working_sets=(other,) if other else ()),
    )


CONFIG, AUTH, DB = "tcp://config.lab:8500", "tcp://auth.lab:9000", "tcp://orders-db.lab:5432"
COMPANY = [
    cold("orders-db", deadline_s=60),
    cold("config", "dns:", AUTH),
    cold("auth", "dns:", CONFIG, DB),
    cold("cache"),
    cold("checkout", "dns:", AUTH, DB, "tcp://pay-a.lab:7000"),
    cold("pay-a", "tcp://checkout.lab:8080", other=("tcp://cache.lab:6379",)),
    cold("pay-b", "tcp://10.9.0.44:443"),
]


def planned(profiles: list[Profile]) -> Order:
    return order_of(source_of(profile) for profile in profiles)


def looks_like(name: str, text: str) -> None:
    """Compare with the golden of this name, or write it where BELLJAR_UPDATE_SNAPSHOTS is set."""
    path = GOLDENS / name
    if os.environ.get("BELLJAR_UPDATE_SNAPSHOTS"):
        path.write_text(text)
    assert text == path.read_text()
