"""Kill anything at any moment: the target is as it was, and runs on."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path

import docker
import psutil
import pytest
from as_it_was import as_it_was, has_table, wait_until_open
from docker.models.containers import Container
from jarred import Headless, all_gone, family_of
from left import nothing_left
from target import READY, attached, checkout

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
EITHER_WAY = pytest.mark.parametrize("via", ["host", "sidecar"])
ENDINGS = ("quit", "SIGTERM", "SIGHUP", "SIGINT", "kill app", "kill agent", "kill both", "freeze agent, kill app")


def agent_of(engine: docker.DockerClient, running: Headless, via: str) -> psutil.Process:
    """The agent itself, wherever it lives: ours, and nobody else's on this machine."""
    if via == "host":
        family = family_of(running.process.pid)
        return next(p for p in reversed(family) if "belljar_tui.agent.entering" in p.cmdline() and p.children() == [])
    (sidecar,) = engine.containers.list(filters={"label": "belljar.session"})
    return psutil.Process(sidecar.attrs["State"]["Pid"])


@EITHER_WAY
@pytest.mark.parametrize("ending", ENDINGS)
def test_the_target_is_as_it_was(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, via: str, ending: str
) -> None:
    with checkout(engine) as target, nothing_left(engine), as_it_was(target):
        with attached(tmp_path, "checkout", "--via", via, "--seal", "vacuum") as running:
            running.wait_for_health("unhealthy")
            assert has_table(target)
            family = family_of(running.process.pid)
            end(engine, running, via, ending)
            assert all_gone(family)
        wait_until_open(target)


def end(engine: docker.DockerClient, running: Headless, via: str, ending: str) -> None:
    """Let it end in this way."""
    app = psutil.Process(running.process.pid)
    match ending:
        case "quit":
            assert running.quit() == 0
        case "SIGTERM" | "SIGHUP" | "SIGINT":
            app.send_signal(signal.Signals[ending])
            assert running.process.wait(20) == 130
        case "kill app":
            app.kill()
        case "kill agent":
            agent_of(engine, running, via).kill()
            assert running.process.wait(20) == 4
            assert "runs on without the seal" in running.words()
        case "kill both":
            agent = agent_of(engine, running, via)
            app.suspend()
            agent.kill()
            app.kill()
        case "freeze agent, kill app" if via == "host":
            agent_of(engine, running, via).suspend()
            app.kill()
        case _:
            agent = agent_of(engine, running, via)
            app.kill()
            agent.resume()


@pytest.mark.parametrize("deed", ["kill", "remove", "restart"])
def test_a_sidecar_that_is_ended_by_others_is_told_and_the_target_runs_on(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path, deed: str
) -> None:
    options = ("--via", "sidecar", "--seal", "vacuum")
    with checkout(engine) as target, nothing_left(engine), as_it_was(target):  # noqa: SIM117  # an order that matters
        with attached(tmp_path, "checkout", *options) as running:
            running.wait_for_health("unhealthy")
            (sidecar,) = engine.containers.list(filters={"label": "belljar.session"})
            match deed:
                case "kill":
                    sidecar.kill()
                case "remove":
                    sidecar.remove(force=True)
                case _:
                    sidecar.restart(timeout=1)
            assert running.process.wait(20) == 4
            assert "runs on without the seal" in running.words()


def test_leaving_the_explorer_leaves_the_target_as_it_was(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    pexpect = pytest.importorskip("pexpect")
    with checkout(engine) as target, as_it_was(target):
        words = ["-m", "belljar_tui", "attach", "checkout", "--seal", "vacuum", "--health", READY]
        environment = {"XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"}
        with contextlib.closing(
            pexpect.spawn(sys.executable, words, dimensions=(40, 140), env={**os.environ, **environment})
        ) as screen:
            screen.expect("attached via host", timeout=20)
            screen.expect("front", timeout=20)
            assert has_table(target)
            screen.send("q")
            screen.expect(pexpect.EOF, timeout=20)
        assert not has_table(target)
