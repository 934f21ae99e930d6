"""`belljar attach PID`: a process in a network namespace of its own, and no engine anywhere."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from as_it_was import network_of
from jarred import all_gone, family_of, headless
from namespaces import as_nobody

pytestmark = pytest.mark.kernel
ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root may enter another's namespaces")
DEADLINE_S = 20.0
NEIGHBOUR = "10.66.0.2"
SERVER = """
import worlds, os, socket, threading, time
open("/proc/sys/net/ipv6/conf/default/accept_dad", "w").write("0")  # or addresses change for a second
worlds.with_neighbour()
pool = socket.create_connection(("10.66.0.2", 7003))
def call():
    while True:
        try:
            with socket.create_connection(("10.66.0.2", 7000), 1) as made:
                made.sendall(b"x"); made.recv(1)
        except OSError: pass
        time.sleep(0.2)
threading.Thread(target=call, daemon=True).start()
socket.create_server(("", 8080))
listening = socket.create_server(("", 8081))
print("ready", os.getpid(), flush=True)
while True: listening.accept()[0].close()
"""
"""Calls the neighbour five times a second, keeps a connection to it, and listens."""


@contextmanager
def service(*namespaces: str) -> Iterator[psutil.Process]:
    """It runs in fresh namespaces; gone afterwards."""
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    command = ["unshare", "--net", *namespaces, sys.executable, "-c", SERVER]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    family: list[psutil.Process] = []
    try:
        assert started.stdout is not None
        assert started.stdout.readline().startswith("ready")
        family = family_of(started.pid)  # by now: the neighbour outlives a service that ends
        yield next(p for p in family if "-c" in p.cmdline() and "unshare" not in p.name())
    finally:
        for process in family or family_of(started.pid):
            with suppress(psutil.NoSuchProcess):
                process.kill()
        started.wait(DEADLINE_S)
        assert started.stdout is not None
        started.stdout.close()


def assert_tracked(pid: int, port: int) -> None:
    """The kernel has a silent connection as the service's own call, though it has seen no packet of it: else it would
    take whoever speaks first for the caller, and the service's answers would pass every cut."""
    table = Path(f"/proc/{pid}/net/nf_conntrack")
    if not table.exists():
        return
    (line,) = (line for line in table.read_text().splitlines() if f"dport={port}" in line)
    assert f"ESTABLISHED src=10.66.0.1 dst={NEIGHBOUR}" in line


@ROOT_ONLY
@pytest.mark.parametrize("namespaces", [(), ("--pid", "--fork", "--kill-child")], ids=["shared-pids", "own-pids"])
def test_a_process_is_sealed_cut_and_let_go(tmp_path: Path, namespaces: tuple[str, ...]) -> None:
    with service(*namespaces) as process:
        before = network_of(process.pid)
        check = "tcp://localhost:8081"
        with headless(tmp_path, "attach", str(process.pid), "--headless", "--health", check) as running:
            entered = running.wait_for("target_entered")
            assert (entered["target"], entered["via"]) == (f"process {process.pid}", "host")
            inside = 1 if namespaces else process.pid
            assert running.wait_for("service_started")["pid"] == inside
            called = running.wait_for("dependency_seen", lambda e: e["dependency"] == f"tcp://{NEIGHBOUR}:7000")
            assert (called["pid"], called["process"]) == (inside, process.name())
            pooled = [e for e in running.events if e.get("dependency") == f"tcp://{NEIGHBOUR}:7003"]
            assert pooled or running.wait_for("dependency_seen", lambda e: e["dependency"].endswith(":7003"))
            assert_tracked(process.pid, 7003)
            running.wait_for_health("healthy")
            running.say(command="cut", dependency=f"tcp://{NEIGHBOUR}:7000", mode="blackhole")
            assert running.wait_for("call_blocked")["process"] == process.name()
            assert {e["pid"] for e in running.events if e["event"] == "process_seen"} == {inside}
            assert running.quit() == 0
        assert network_of(process.pid) == before
        assert process.is_running()


@ROOT_ONLY
def test_a_command_check_runs_where_the_process_is(tmp_path: Path) -> None:
    check = "exec:grep -q 1F91 /proc/self/net/tcp && echo listens"
    with (
        service("--pid", "--fork", "--kill-child", "--mount-proc") as process,
        headless(tmp_path, "attach", str(process.pid), "--headless", "--health", check) as running,
    ):
        assert running.wait_for_health("healthy")["detail"] == "listens"
        assert {e["name"] for e in running.events if e["event"] == "process_seen"} == {process.name()}


@ROOT_ONLY
@pytest.mark.parametrize("victim", ["app", "agent", "both"])
def test_whatever_is_killed_the_process_runs_on_unsealed(tmp_path: Path, victim: str) -> None:
    with service() as process:
        before = network_of(process.pid)
        with headless(tmp_path, "attach", f"pid:{process.pid}", "--headless", "--seal", "vacuum") as running:
            running.wait_for("call_blocked")
            family = family_of(running.process.pid)
            agent = next(p for p in family[1:] if "belljar_tui.agent.entering" in p.cmdline())
            for each in {"app": family[:1], "agent": [agent], "both": [agent, family[0]]}[victim]:
                each.kill()
            assert all_gone(family)
        assert network_of(process.pid) == before
        assert process.is_running()


@ROOT_ONLY
def test_a_process_that_ends_ends_the_session(tmp_path: Path) -> None:
    with service() as process, headless(tmp_path, "attach", str(process.pid), "--headless") as running:
        running.wait_for("target_entered")
        process.send_signal(signal.SIGTERM)
        lost = running.wait_for("target_lost")
        assert (lost["how"], lost["is_for_good"]) == ("exited", True)
        assert "is gone" in running.wait_for("session_ended")["reason"]
        assert running.process.wait(DEADLINE_S) == 0


@ROOT_ONLY
def test_a_connection_from_before_is_cut_in_silence_too(tmp_path: Path) -> None:
    echo = (
        "import worlds, socket, time\n"
        "worlds.with_neighbour()\n"
        "pool = socket.create_connection(('10.66.0.2', 7003)); pool.settimeout(1.0)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    time.sleep(0.1)\n"
        "    try:\n        pool.sendall(b'x'); pool.recv(1); said = 'echo'\n"
        "    except OSError as error: said = type(error).__name__\n"
        "    print(said, flush=True)\n"
    )
    started = subprocess.Popen(
        ["unshare", "--net", sys.executable, "-c", echo], stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )  # fmt: skip
    try:
        assert started.stdout is not None
        assert started.stdout.readline() == "ready\n"
        assert started.stdout.readline() == "echo\n"
        with headless(tmp_path, "attach", str(started.pid), "--headless") as running:
            running.wait_for("dependency_seen")
            running.say(command="cut", dependency=f"tcp://{NEIGHBOUR}:7003", mode="blackhole")
            running.wait_for("cut_applied")
            end = time.monotonic() + DEADLINE_S
            while started.stdout.readline() != "TimeoutError\n":
                assert time.monotonic() < end
            assert running.wait_for("call_blocked")["mode"] == "blackhole"
    finally:
        for process in family_of(started.pid):
            process.kill()
        started.wait(DEADLINE_S)
        if started.stdout is not None:
            started.stdout.close()


def test_the_hosts_own_network_is_refused(tmp_path: Path) -> None:
    with headless(tmp_path, "attach", f"pid:{os.getpid()}", "--headless") as running:
        assert running.process.wait(DEADLINE_S) == 2
        assert "host's own network namespace" in running.words()


def test_a_process_that_is_none_is_said(tmp_path: Path) -> None:
    with headless(tmp_path, "attach", "pid:4194303999", "--headless") as running:
        assert running.process.wait(DEADLINE_S) == 2
        assert "no process 4194303999" in running.words()


def test_a_namespace_without_loopback_is_not_changed(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may enter another's namespaces")
    started = subprocess.Popen(["unshare", "--net", "sleep", "60"])
    try:
        time.sleep(0.2)
        before = network_of(started.pid)
        with headless(tmp_path, "attach", str(started.pid), "--headless") as running:
            assert running.process.wait(DEADLINE_S) == 4
            assert "loopback is down" in running.words()
        assert network_of(started.pid) == before
    finally:
        started.kill()
        started.wait(DEADLINE_S)


def test_a_process_in_a_user_namespace_of_ones_own_needs_no_root() -> None:
    """As a user without rights, who made the namespaces."""
    script = (
        'unshare --user --map-root-user --net sh -c "ip link set lo up; exec sleep 60" & sleep 1\n'
        '{ sleep 3; echo \'{"command":"quit"}\'; } | "$0" -m belljar_tui attach "pid:$!" --headless; kill $!\n'
    )
    with tempfile.TemporaryDirectory() as state:
        Path(state).chmod(0o777)
        done = subprocess.run(
            [*as_nobody(), "sh", "-c", script, sys.executable], capture_output=True, text=True, check=False,
            cwd=Path(__file__).parents[2], env={**os.environ, "XDG_STATE_HOME": state}, timeout=60,
        )  # fmt: skip
    assert '"event":"target_entered"' in done.stdout, done.stdout + done.stderr
    assert '"ok":true' in done.stdout


def test_another_ones_process_is_for_root() -> None:
    words = [*as_nobody(), sys.executable, "-m", "belljar_tui", "attach", "pid:1", "--headless"]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=Path(__file__).parents[2])
    assert done.returncode in (2, 4)
    assert "Traceback" not in done.stderr
