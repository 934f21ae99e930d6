"""`belljar run --image`, headless, beside a project of real servers."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import docker
import pytest
from docker.models.containers import Container
from engine import LABEL
from images import CHECKOUT, WORLD
from jarred import BELLJAR, Headless, headless
from left import nothing_left
from project import NETWORK

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
EXPECTED = {"dns:", "tcp://cache:6379", "tcp://audit:9000", "tcp://front:80", "tcp://db:5432"}
CALL = "import socket; socket.create_connection(('{host}', {port}), 2)"


@contextmanager
def checkout(tmp_path: Path, *options: str, command: tuple[str, ...] = ()) -> Iterator[Headless]:
    words = ("run", "--headless", "--image", CHECKOUT, "--network", NETWORK, *options)
    with headless(tmp_path, *words, *(("--", *command) if command else ())) as running:
        yield running


def parts_of(engine: docker.DockerClient) -> dict[str, Container]:
    """The containers of the one session there is."""
    return {each.labels["belljar.part"]: each for each in engine.containers.list(filters={"label": "belljar.session"})}


def seen(running: Headless, name: str) -> list[dict[str, Any]]:
    return [event for event in running.events if event["event"] == name]


def calls_of(running: Headless, dependency: str, above: int = 0) -> int:
    """Its open calls, as soon as they are told to be more than `above`."""
    where = running.wait_for("traffic_counted", lambda e: e["dependency"] == dependency and e["calls"] > above)
    return int(where["calls"])


def test_dependencies_are_seen_named_cut_and_restored(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with nothing_left(engine), checkout(tmp_path) as running:
        assert running.wait_for("seal_proven")["ok"]
        assert running.wait_for("service_started")["command"] == ["python3", "/checkout.py"]
        running.wait_for_health("healthy")
        assert {event["dependency"] for event in seen(running, "dependency_seen")} == EXPECTED
        running.say(command="cut", dependency="tcp://db:5432", mode="refuse")
        blocked = running.wait_for("call_blocked")
        assert (blocked["dependency"], blocked["mode"], blocked["process"]) == ("tcp://db:5432", "refuse", "python3")
        assert "Connection refused" in running.wait_for_health("unhealthy")["detail"]
        running.say(command="restore", dependency="tcp://db:5432")
        running.wait_for_health("healthy")
        assert running.quit() == 0
    assert seen(running, "service_exited")
    journal = next((tmp_path / "belljar" / "sessions").iterdir())
    assert "checkout starts" in (journal / "service.log").read_text()


def test_a_vacuum_holds_from_the_first_packet(shop: Shop, tmp_path: Path) -> None:
    with checkout(
        tmp_path, "--seal", "vacuum", command=("python3", "-c", "import checkout; checkout.ready()")
    ) as running:
        running.wait_for("service_exited", lambda e: e["code"] != 0)
        assert {e["dependency"] for e in seen(running, "call_blocked")} >= {"tcp://cache:6379", "tcp://front:80"}
        assert not [e for e in seen(running, "traffic_counted") if e["dependency"] != "dns:" and e["calls"]]


def test_embedded_name_service_is_cut_like_any_other(shop: Shop, tmp_path: Path) -> None:
    with checkout(tmp_path) as running:
        running.wait_for_health("healthy")
        assert seen(running, "dependency_seen")[0]["process"] == "python3"
        running.say(command="cut", dependency="dns:", mode="refuse")
        assert running.wait_for("call_blocked")["dependency"] == "dns:"
        assert "name resolution" in running.wait_for_health("unhealthy")["detail"]


def test_an_outside_name_is_asked_once_though_the_engine_asks_from_inside(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    """The engine's resolver forwards from the jar's own network, and its query comes to us again."""
    answer = "import dns_server; dns_server.serve()"
    server = Path(__file__).parent / "shop"
    outside = engine.containers.run(
        WORLD, ["python3", "-c", answer], network=NETWORK, detach=True, working_dir="/shop",
        volumes={str(server): {"bind": "/shop", "mode": "ro"}},
    )  # fmt: skip
    try:
        outside.reload()
        address = outside.attrs["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
        look = "import socket, time; print(socket.gethostbyname('price.lab')); time.sleep(60)"
        with checkout(tmp_path, "--dns", address, command=("python3", "-c", look)) as running:
            resolved = running.wait_for("name_resolved", lambda e: e["name"] == "price.lab")
            assert resolved["addresses"] == ["10.99.0.7"]
    finally:
        outside.remove(force=True)


def test_a_container_called_by_address_is_known_by_name(shop: Shop, tmp_path: Path) -> None:
    shop["mail"].reload()
    address = shop["mail"].attrs["NetworkSettings"]["Networks"][NETWORK]["IPAddress"]
    call = f"{CALL.format(host=address, port=25)}; import time; time.sleep(60)"
    with checkout(tmp_path, command=("python3", "-c", call)) as running:
        found = running.wait_for("dependency_seen")
        assert (found["dependency"], found["endpoint"]) == ("tcp://mail:25", f"tcp {address}:25")
        known = {e["name"]: e for e in seen(running, "neighbour_changed")}
        assert set(known) >= set(shop)
        assert known["mail"]["names"] == ["mail", "shop-mail-1"]


def test_a_dependency_that_stops_is_down_and_not_cut(shop: Shop, tmp_path: Path) -> None:
    with checkout(tmp_path) as running:
        running.wait_for_health("healthy")
        shop["audit"].stop(timeout=1)
        try:
            down = running.wait_for("neighbour_changed", lambda e: not e["is_up"])
            assert down["name"] == "audit"
            assert down["addresses"]
        finally:
            shop["audit"].start()
        assert running.wait_for("neighbour_changed", lambda e: e["name"] == "audit")["is_up"]
        assert not seen(running, "cut_applied")


def test_the_agent_may_do_no_more_than_it_needs_and_the_service_nothing_to_the_seal(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    with checkout(tmp_path) as running:
        running.wait_for("service_started")
        parts = parts_of(engine)
        agent, service = (parts[name].attrs["HostConfig"] for name in ("agent", "service"))
        assert (agent["CapAdd"], agent["CapDrop"]) == (["NET_ADMIN", "SYS_PTRACE"], ["ALL"])
        assert not agent["Privileged"]
        assert agent["SecurityOpt"] == ["no-new-privileges"]
        assert not parts["agent"].attrs["Mounts"]
        assert not service["Privileged"]
        assert not service["CapAdd"]
        assert set(service["CapDrop"]) == {"NET_ADMIN", "NET_RAW"}
        assert service["PidMode"] == service["NetworkMode"] == f"container:{parts['agent'].id}"


def test_a_root_service_cannot_break_the_seal(shop: Shop, tmp_path: Path) -> None:
    attack = (
        "import os, signal, socket, time\n"
        "for number in (9, 15, 19, 2, 1):\n    os.kill(1, number)\n"
        "for kind in (socket.SOCK_RAW,):\n"
        "    try: socket.socket(socket.AF_INET, kind, 1); print('raw socket made')\n"
        "    except PermissionError: pass\n"
        "try: os.listdir('/proc/1/root'); print('root of the agent read')\n"
        "except PermissionError: pass\n"
        "try: socket.create_connection(('front', 80), 2); print('went through')\n"
        "except OSError: print('blocked', flush=True)\n"
        "time.sleep(60)"
    )
    with checkout(tmp_path, "--seal", "vacuum", command=("python3", "-c", attack)) as running:
        running.wait_for("call_blocked", lambda e: e["dependency"] == "tcp://front:80")
        assert running.quit() == 0
    log = next((tmp_path / "belljar" / "sessions").iterdir()) / "service.log"
    assert log.read_text() == "blocked\n"


def test_options_read_as_docker_run_reads_them(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "conf").mkdir()
    with checkout(
        tmp_path, "-e", "SHOP_NAME=corner", "-v", f"{tmp_path}/conf:/conf:ro", "-p", "127.0.0.1:18080:8080",
        "--user", "www-data", "--memory", "256m", "--cpus", "0.5", "--workdir", "/tmp",
    ) as running:  # fmt: skip
        running.wait_for_health("healthy")
        parts = parts_of(engine)
        config, host = parts["service"].attrs["Config"], parts["service"].attrs["HostConfig"]
        assert "SHOP_NAME=corner" in config["Env"]
        assert (config["User"], config["WorkingDir"]) == ("www-data", "/tmp")
        assert (host["Memory"], host["NanoCpus"]) == (256 << 20, 500_000_000)
        published = parts["agent"].attrs["NetworkSettings"]["Ports"]["8080/tcp"]
        assert {"HostIp": "127.0.0.1", "HostPort": "18080"} in published
        assert {e["process"] for e in seen(running, "dependency_seen")} == {"python3"}  # another user's process


def test_what_is_mounted_from_the_host_is_a_hole_in_the_seal(shop: Shop, tmp_path: Path) -> None:
    mounts = ("-v", "/etc/hostname:/etc/name:ro", "-v", "/run/docker.sock:/var/run/docker.sock")
    with checkout(tmp_path, *mounts, "--without-mount", "/var/run/docker.sock") as running:
        hole = running.wait_for("hole_found", lambda e: e["kind"] != "family")
        assert (hole["path"], hole["kind"], hole["is_writable"]) == ("/etc/name", "files", False)
        running.wait_for("service_started")
        assert len([e for e in seen(running, "hole_found") if e["kind"] != "family"]) == 1


def test_a_way_past_every_ruleset_that_the_engine_leaves_open_is_a_hole(shop: Shop, tmp_path: Path) -> None:
    """Whether it does is the engine's: the service tries, and what we say of it is so."""
    attempt = (
        "import errno, socket, time\n"
        "try:\n"
        "    way = socket.socket(40, socket.SOCK_STREAM)\n"
        "    way.setblocking(False)\n"
        "    print('way', way.connect_ex((2, 1)) not in (errno.ENODEV, errno.ENETUNREACH, errno.EADDRNOTAVAIL))\n"
        "except OSError:\n    print('way', False)"
    )
    with checkout(tmp_path, command=("python3", "-c", attempt)) as running:
        running.wait_for("service_exited")
        found = [e for e in seen(running, "hole_found") if e["kind"] == "family"]
        running.quit()
    log = next(tmp_path.rglob("service.log")).read_text()
    assert f"way {bool(found)}" in log


def test_with_a_pid_namespace_of_its_own_the_service_is_its_first(shop: Shop, tmp_path: Path) -> None:
    first = "import os, socket, time; print(os.getpid(), flush=True); " + CALL.format(host="front", port=80)
    with checkout(tmp_path, "--own-pid", command=("python3", "-c", f"{first}; time.sleep(60)")) as running:
        running.wait_for("dependency_seen", lambda e: e["dependency"] == "tcp://front:80" and e["pid"] is None)
        running.say(command="cut", dependency="tcp://front:80", mode="refuse")
        running.wait_for("cut_applied")
        assert running.quit() == 0
    log = next((tmp_path / "belljar" / "sessions").iterdir()) / "service.log"
    assert log.read_text() == "1\n"


def test_a_command_check_runs_in_the_services_container(shop: Shop, tmp_path: Path) -> None:
    with checkout(tmp_path, "--health", "exec:test -f /checkout.py && echo here") as running:
        assert running.wait_for_health("healthy")["detail"] == "here"
        assert {e["name"] for e in seen(running, "process_seen")} == {"python3"}


def test_a_container_is_cut_by_any_of_its_names(shop: Shop, tmp_path: Path) -> None:
    with checkout(tmp_path) as running:
        running.wait_for_health("healthy")
        running.say(command="cut", dependency="tcp://shop-db-1:5432", mode="refuse")
        assert running.wait_for("call_blocked")["dependency"] == "tcp://db:5432"
        running.say(command="restore", dependency="tcp://shop-db-1:5432")
        running.wait_for_health("unhealthy")
        running.wait_for_health("healthy")


def test_two_names_of_one_container_are_cut_apart_on_a_network_without_a_way_out(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    network = engine.networks.create("belljar-test-inner", internal=True, labels={LABEL: "1"})
    calls = "import socket, time\nwhile True:\n for host in ('front', 'prices'):\n  try: "
    calls += "socket.create_connection((host, 80), 2).close()\n  except OSError: pass\n  time.sleep(0.1)"
    try:
        network.connect(shop["front"], aliases=["front", "prices"])
        words = ("run", "--headless", "--image", CHECKOUT, "--network", "belljar-test-inner")
        with headless(tmp_path, *words, "--", "python3", "-c", calls) as running:
            virtual = running.wait_for("dependency_seen", lambda e: e["dependency"] == "tcp://prices:80")["virtual"]
            assert virtual.startswith("198.18.")
            for cut, other in (("tcp://prices:80", "tcp://front:80"), ("tcp://front:80", "tcp://prices:80")):
                running.say(command="cut", dependency=cut, mode="refuse")
                assert running.wait_for("call_blocked")["dependency"] == cut
                calls_of(running, other, above=calls_of(running, other))
                running.say(command="restore", dependency=cut)
                running.wait_for("cut_restored")
            assert running.quit() == 0
        assert {e["dependency"] for e in seen(running, "call_blocked")} == {"tcp://front:80", "tcp://prices:80"}
    finally:
        network.disconnect(shop["front"])
        network.remove()


def test_leaving_does_not_wait_for_a_check_that_runs(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with nothing_left(engine), checkout(tmp_path, "--health", "exec:sleep 600") as running:
        running.wait_for_health("unhealthy")
        assert running.quit() == 0


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (("--image", "nonsuch:1"), 4, "no image nonsuch:1"),
        (("--image", CHECKOUT, "--network", "nonsuch"), 4, "no network nonsuch"),
        (("--image", CHECKOUT, "--network", "host"), 2, "cannot be sealed"),
        (("--image", CHECKOUT, "--network", "container:web"), 2, "cannot be sealed"),
        (("--image", CHECKOUT, "-p", "no:port"), 2, "-p"),
        (("--image", CHECKOUT, "-v", "nowhere"), 2, "is no mount"),
        (("--image", CHECKOUT, "--without-mount", "/x"), 2, "nothing is mounted there"),
        (("--image", CHECKOUT, "--forward", "5432"), 2, "--network"),
        (("--network", "backend"), 2, "--image"),
        (("--image", CHECKOUT, "--", "/no/such/program"), 4, "cannot be started"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    engine: docker.DockerClient, tmp_path: Path, options: tuple[str, ...], code: int, words: str
) -> None:
    with nothing_left(engine):
        done = subprocess.run(
            [*BELLJAR, "run", "--headless", *options], stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60, check=False, env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        )  # fmt: skip
    assert (done.returncode, "Traceback" in done.stderr) == (code, False), done.stderr
    assert words in done.stderr


def test_without_an_engine_it_says_so(tmp_path: Path) -> None:
    environment = {**os.environ, "DOCKER_HOST": f"unix://{tmp_path}/none.sock"}
    done = subprocess.run(
        [*BELLJAR, "run", "--headless", "--image", "any"], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 4
    assert "No Docker engine answers" in done.stderr
    assert "Traceback" not in done.stderr


def test_events_read_as_the_journal_has_them(shop: Shop, tmp_path: Path) -> None:
    with checkout(tmp_path) as running:
        running.wait_for("service_started")
        assert running.quit() == 0
    journal = next((tmp_path / "belljar" / "sessions").iterdir()) / "journal.belljar.jsonl"
    assert [json.loads(line)["event"] for line in journal.read_text().splitlines()[1:]] == [
        event["event"] for event in running.events
    ]
