"""The parts of an attach that need no engine: what is fit for it, one story of many lives, the engine's clock."""

from __future__ import annotations

import asyncio
import os
import subprocess
from typing import Any

import pytest

from belljar_tui.core import events as ev
from belljar_tui.errors import BellJarError, TargetUnfit, UsageError
from belljar_tui.headless.picking import row_of
from belljar_tui.jars.attach import AttachJar
from belljar_tui.jars.engine import seconds_of
from belljar_tui.jars.lives import Lives
from belljar_tui.jars.target import Target, process_target, require_fit
from belljar_tui.jars.waiting_agent import HOST
from belljar_tui.wire.messages import Prepare

COMPOSE = "com.docker.compose"


def container(mode: str = "backend", networks: tuple[str, ...] = ("backend",), **state: Any) -> dict[str, Any]:
    return {
        "Name": "/web",
        "State": {"Running": True, "Restarting": False, "Paused": False, **state},
        "HostConfig": {"NetworkMode": mode},
        "NetworkSettings": {"Networks": {name: {} for name in networks}},
    }


@pytest.mark.parametrize(
    ("given", "kind", "words"),
    [
        (container(Running=False), TargetUnfit, "docker start web"),
        (container(Paused=True), TargetUnfit, "docker unpause web"),
        (container(Restarting=True, ExitCode=3), TargetUnfit, "code 3"),
        (container("host", ("host",)), UsageError, "host's own network"),
        (container("none", ("none",)), UsageError, "nothing to cut"),
        (container("backend", ()), TargetUnfit, "docker network connect"),
    ],
)
def test_what_is_not_fit_says_why(given: dict[str, Any], kind: type[BellJarError], words: str) -> None:
    with pytest.raises(kind, match=words):
        require_fit(given)


def test_a_lodger_in_another_ones_network_is_fit() -> None:
    require_fit(container("container:abc", ()))


def test_our_own_network_namespace_is_refused() -> None:
    with pytest.raises(UsageError, match="host's own network namespace"):
        process_target(str(os.getpid()))


def test_who_takes_a_targets_place_has_its_compose_labels_or_its_name() -> None:
    labels = {f"{COMPOSE}.project": "shop", f"{COMPOSE}.service": "web", f"{COMPOSE}.container-number": "1"}
    target = Target(name="shop-web-1", container="a", labels=labels)
    assert target.is_same("anything", labels)
    assert target.is_same("shop-web-1", {})
    assert not target.is_same("shop-web-2", {**labels, f"{COMPOSE}.container-number": "2"})
    assert not Target(name="web", container="a").is_same("other", {})


def test_totals_go_on_and_processes_end_with_their_life() -> None:
    lives = Lives()
    traffic = ev.TrafficCounted(at=1.0, dependency="tcp://db:1", calls=3, packets=9, bytes=90)
    assert lives.told(traffic) == traffic
    lives.told(ev.ProcessSeen(at=1.0, pid=1, parent=0, name="web", command="web"))
    lives.told(ev.ProcessSeen(at=1.0, pid=7, parent=1, name="web", command="web"))
    lives.told(ev.ProcessGone(at=2.0, pid=7))
    assert [event.pid for event in lives.ended(3.0)] == [1]
    again = lives.told(ev.TrafficCounted(at=4.0, dependency="tcp://db:1", calls=1, packets=2, bytes=20))
    assert isinstance(again, ev.TrafficCounted)
    assert (again.calls, again.packets, again.bytes) == (4, 11, 110)
    assert list(lives.ended(5.0)) == []


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:01.5Z", 1.5),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T01:00:01.123456789+01:00", 1.123456789),
    ],
)
def test_the_engines_clock_is_read_to_the_nanosecond(text: str, seconds: float) -> None:
    assert seconds_of(text) == pytest.approx(seconds, abs=1e-9)


def test_a_row_shows_name_image_service_networks_and_health() -> None:
    listed = {
        "Id": "abc",
        "Names": ["/other/web", "/shop-web-1"],
        "Image": "shop:1",
        "Labels": {f"{COMPOSE}.project": "shop", f"{COMPOSE}.service": "web"},
        "NetworkSettings": {"Networks": {"backend": {}, "front": {}}},
        "Status": "Up 3 minutes (health: starting)",
    }
    assert row_of(listed) == ("abc", ("shop-web-1", "shop:1", "shop/web", "backend, front", "starting"))


def test_a_process_that_ends_before_its_namespaces_are_held_is_told_as_that() -> None:
    with subprocess.Popen(["true"]) as ended:
        os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)  # a zombie: its pid is there, its namespaces are not
        jar = AttachJar(Target(name="brief", pid=ended.pid), Prepare(("true",)), via=HOST, clock_zero=0.0)
        with pytest.raises(TargetUnfit, match="brief stopped while BellJar attached to it"):
            asyncio.run(jar.start())
