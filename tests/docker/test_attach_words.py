"""What cannot be attached to is said in one message, with the right exit code, and is not touched."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import docker
import pytest
from as_it_was import as_it_was
from docker.models.containers import Container
from images import WORLD
from jarred import BELLJAR
from left import nothing_left
from project import NETWORK
from target import attached, checkout, labels, seen

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]


def said(tmp_path: Path, *arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code and stderr of a `belljar attach` that is to fail."""
    done = subprocess.run(
        [*BELLJAR, "attach", *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
        check=False, env={**os.environ, "XDG_STATE_HOME": str(tmp_path), **environment},
    )  # fmt: skip
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr


@contextmanager
def sleeper(engine: docker.DockerClient, name: str, **options: Any) -> Iterator[Container]:
    made = engine.containers.run(WORLD, ["sleep", "600"], name=name, detach=True, init=True, **options)
    try:
        yield made
    finally:
        made.remove(force=True)


def test_a_name_that_nobody_has(engine: docker.DockerClient, tmp_path: Path) -> None:
    code, words = said(tmp_path, "nonsuch", "--headless")
    assert (code, "no container or Compose service nonsuch" in words) == (4, True), words


def test_a_name_that_matches_two_is_told_with_both(engine: docker.DockerClient, tmp_path: Path) -> None:
    one, two = labels("twin", "one"), labels("twin", "two")
    with sleeper(engine, "one-twin-1", labels=one), sleeper(engine, "two-twin-1", labels=two):
        code, words = said(tmp_path, "twin", "--headless")
        assert code == 2
        assert "one-twin-1" in words
        assert "two-twin-1" in words
        with attached(tmp_path, "two/twin", health="") as running:
            assert running.wait_for("target_entered")["target"] == "two-twin-1"


def test_what_has_no_network_of_its_own(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    with sleeper(engine, "hostly", network_mode="host"), sleeper(engine, "alone", network_mode="none"):
        code, words = said(tmp_path, "hostly", "--headless")
        assert (code, "host's own network" in words) == (2, True), words
        code, words = said(tmp_path, "alone", "--headless")
        assert (code, "no network" in words) == (2, True), words


def test_a_network_that_is_gone(engine: docker.DockerClient, tmp_path: Path) -> None:
    gone = engine.networks.create("soon-gone")
    with sleeper(engine, "stranded", network="soon-gone"):
        gone.disconnect("stranded", force=True)
        gone.remove()
        code, words = said(tmp_path, "stranded", "--headless")
        assert (code, "on no network any more" in words) == (4, True), words


def test_one_that_does_not_run_is_paused_or_ends_at_once(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    with checkout(engine) as target:
        target.pause()
        code, words = said(tmp_path, "checkout", "--headless")
        assert (code, "is paused" in words) == (4, True), words
        target.unpause()
        target.stop(timeout=1)
        code, words = said(tmp_path, "checkout", "--headless")
        assert (code, "does not run" in words) == (4, True), words


@pytest.mark.parametrize("via", ["host", "sidecar"])
def test_one_that_stops_while_it_is_attached_to(engine: docker.DockerClient, tmp_path: Path, via: str) -> None:
    """It ends at some moment between the look and the seal: told as that, or followed, but never a crash."""
    for wait_s in ("0.4", "0.6", "0.8"):
        made = engine.containers.run(WORLD, ["sleep", wait_s], name="brief", detach=True, network_mode="bridge")
        try:
            with nothing_left(engine), attached(tmp_path, "brief", "--via", via, health="") as running:
                end = time.monotonic() + 20
                while running.process.poll() is None and not seen(running, "target_lost"):
                    assert time.monotonic() < end, running.events[-5:]
                    time.sleep(0.02)
                running.process.send_signal(signal.SIGTERM)
                code, words = running.process.wait(20), running.words()
            assert "Traceback" not in words
            assert "should not have happened" not in words
            if not seen(running, "target_entered"):
                assert code == 4, words
                assert "stopped while" in words or "does not run" in words, words
        finally:
            made.remove(force=True)


def test_no_engine_an_old_one_and_one_that_is_closed_to_us(tmp_path: Path) -> None:
    code, words = said(tmp_path, "checkout", "--headless", DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert (code, "No Docker engine answers" in words) == (4, True), words

    class Old(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = b'{"ApiVersion": "1.30"}'
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Old) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        code, words = said(tmp_path, "x", "--headless", DOCKER_HOST=f"tcp://127.0.0.1:{server.server_port}")
        server.shutdown()
    assert (code, "1.30" in words, "1.40" in words) == (4, True, True), words


def test_host_is_not_for_those_who_are_not_root_and_says_so(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    with checkout(engine) as target, as_it_was(target):
        words = ["setpriv", "--reuid=65534", "--clear-groups", *BELLJAR, "attach", "checkout", "--headless"]
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
        )  # fmt: skip
        assert "Traceback" not in done.stderr
        assert done.returncode == 4, done.stderr
        assert "may not speak to the Docker engine" in done.stderr or "No Docker engine" in done.stderr


def test_without_a_name_headless_lists_those_there_are(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    code, words = said(tmp_path, "--headless")
    assert (code, "shop-db-1" in words, "belljar attach NAME" in words) == (2, True, True), words


def test_the_shell_completes_names_and_is_silent_without_an_engine(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    asked = {"_BELLJAR_COMPLETE": "bash_complete", "COMP_WORDS": "belljar attach shop-d", "COMP_CWORD": "2"}

    def completed(**environment: str) -> subprocess.CompletedProcess[str]:
        words = [str(Path(BELLJAR[0]).parent / "belljar")]
        return subprocess.run(
            words, capture_output=True, text=True, check=True, env={**os.environ, **asked, **environment}
        )

    assert completed().stdout.split() == ["plain,shop-db-1"]
    without = completed(DOCKER_HOST=f"unix://{tmp_path}/none.sock")
    assert (without.stdout.strip(), without.stderr) == ("", "")


def test_a_numbered_list_serves_a_terminal_that_can_do_no_more(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    pexpect = pytest.importorskip("pexpect")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb"}
    screen = pexpect.spawn(BELLJAR[0], [*BELLJAR[1:], "attach"], env=environment, dimensions=(40, 140))
    try:
        screen.expect(r"1  shop-audit-1 .*shop/audit .*" + NETWORK, timeout=20)
        screen.expect("Attach to which", timeout=20)
        screen.sendline("")
        screen.expect("nothing was touched", timeout=20)
    finally:
        screen.close(force=True)


def test_the_list_is_chosen_from_with_arrows_and_enter(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    pexpect = pytest.importorskip("pexpect")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "xterm-256color"}
    screen = pexpect.spawn(BELLJAR[0], [*BELLJAR[1:], "attach"], env=environment, dimensions=(40, 140))
    try:
        screen.expect("shop-mail-1", timeout=20)
        screen.send("\x1b[B\r")
        screen.expect("attached via host", timeout=20)
        screen.expect("nothing called yet", timeout=20)
        screen.send("q")
        screen.expect(pexpect.EOF, timeout=20)
    finally:
        screen.close(force=True)
