"""Kill anything at any moment: nothing is left in the engine, and the service never outlives its seal."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from jarred import BELLJAR, Headless, all_gone, family_of
from left import everything, nothing_left
from test_run import Shop, checkout, parts_of, seen

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Deed = Callable[[Headless, dict[str, Container]], None]
DEEDS: dict[str, Deed] = {
    "SIGKILL of the app": lambda app, parts: app.process.send_signal(signal.SIGKILL),
    "SIGTERM of the app": lambda app, parts: app.process.send_signal(signal.SIGTERM),
    "docker kill of the agent": lambda app, parts: parts["agent"].kill(),
    "docker stop of the agent": lambda app, parts: parts["agent"].stop(),
    "docker restart of the service": lambda app, parts: parts["service"].restart(timeout=1),
    "docker rm -f of the agent": lambda app, parts: parts["agent"].remove(force=True),
    "docker rm -f of the service": lambda app, parts: parts["service"].remove(force=True),
}


CASES = [(deed, options) for deed in DEEDS for options in ((), ("--own-pid",))]
CASES.remove(("SIGKILL of the app", ("--own-pid",)))  # the one case that `belljar clean` is for: tested by itself


@pytest.mark.parametrize(("deed", "options"), CASES)
def test_nothing_is_left_after(
    deed: str, options: tuple[str, ...], engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    with nothing_left(engine), checkout(tmp_path, *options) as running:
        running.wait_for("service_started")
        running.say(command="seal", seal="vacuum")
        running.wait_for("seal_changed")
        family = family_of(running.process.pid)
        DEEDS[deed](running, parts_of(engine))
        if deed.endswith("of the service"):
            running.wait_for("service_exited")
            assert running.quit() == 0
        assert all_gone(family)


def test_an_agent_that_dies_is_said_and_its_service_dies_with_it(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    with nothing_left(engine), checkout(tmp_path) as running:
        running.wait_for_health("healthy")
        parts = parts_of(engine)
        parts["agent"].kill()
        assert running.process.wait(20) == 4
        assert "agent ended" in running.words()


def test_a_service_that_is_killed_is_said_and_the_session_goes_on(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    with checkout(tmp_path) as running:
        running.wait_for_health("healthy")
        parts_of(engine)["service"].kill()
        assert running.wait_for("service_exited")["code"] == -9
        running.say(command="note", text="it is gone")
        running.wait_for("note_added")
        assert running.quit() == 0


@pytest.mark.parametrize("options", [(), ("--own-pid",)])
def test_a_service_that_somebody_restarts_is_followed_within_its_seal(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, options: tuple[str, ...]
) -> None:
    with nothing_left(engine), checkout(tmp_path, *options, "--health", "exec:test -f /checkout.py") as running:
        running.wait_for_health("healthy")
        running.say(command="cut", dependency="tcp://front:80", mode="refuse")
        running.wait_for("cut_applied")
        service, lives = parts_of(engine)["service"], 1
        for _ in range(2):
            is_back = _restart(service)
            running.wait_for("service_exited")
            if not is_back:
                break
            running.wait_for("service_started")
            call = "import urllib.request as u\nu.urlopen('http://front/')"
            code, said = service.exec_run(["python3", "-c", call])
            assert (code, b"Connection refused" in said) == (1, True)
            running.wait_for("call_blocked")
            lives += 1
        (log,) = tmp_path.glob("belljar/sessions/*/service.log")
        end = time.monotonic() + 20
        while (starts := log.read_text().count("checkout starts")) < lives and time.monotonic() < end:
            time.sleep(0.05)
        assert starts == lives  # each life's first line, once
        running.process.send_signal(signal.SIGTERM)
        assert all_gone(family_of(running.process.pid)) or running.process.poll() is not None


def _restart(service: Container) -> bool:
    """False when the engine removed it instead, as containers with `--rm` are when they end: it may do either."""
    try:
        service.restart(timeout=1)
    except docker.errors.APIError as error:
        if "No such container" in str(error):
            return False
        raise
    return True


def test_killed_while_it_is_made_it_leaves_nothing(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    for after_s in (0.6, 0.8, 1.0, 1.2):
        with nothing_left(engine), checkout(tmp_path) as running:
            running.wait_for("session_started")
            time.sleep(after_s - 0.6)
            running.process.send_signal(signal.SIGTERM)
            assert all_gone(family_of(running.process.pid)) or running.process.poll() is not None


def test_what_a_killed_session_of_an_own_pid_left_is_said_and_cleaned(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    before = everything(engine)
    with checkout(tmp_path, "--own-pid") as running:
        running.wait_for_health("healthy")
        left = parts_of(engine)["service"]
        running.process.kill()
        end = time.monotonic() + 20
        while "agent" in parts_of(engine) and time.monotonic() < end:
            time.sleep(0.1)
    said = subprocess.run([*BELLJAR, "doctor"], capture_output=True, text=True, check=False).stdout
    assert "belljar clean" in said
    done = subprocess.run([*BELLJAR, "clean"], capture_output=True, text=True, check=True).stdout
    assert f"removed {left.name}" in done
    assert everything(engine)["containers"] <= before["containers"]


def test_a_living_session_is_not_cleaned_away(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with checkout(tmp_path) as running:
        running.wait_for_health("healthy")
        assert subprocess.run([*BELLJAR, "clean"], capture_output=True, text=True, check=True).stdout == ""
        assert set(parts_of(engine)) == {"agent", "service"}
        assert not seen(running, "service_exited")
