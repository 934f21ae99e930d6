"""The agent's container begun without the engine's SDK, against a socket that answers as an engine does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from belljar_tui.jars.early import EarlyAgent
from belljar_tui.jars.plan import Plan

PLAN = Plan(image="shop/checkout:1.4", networks=("front", "back"), aliases=("checkout",))
MADE = b'HTTP/1.0 201 Created\r\nContent-Type: application/json\r\n\r\n{"Id":"abc"}'
DONE = b"HTTP/1.0 204 No Content\r\n\r\n"
JOINED = b"HTTP/1.0 200 OK\r\n\r\n"
ATTACHED = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\n\r\nsaid at once"
NONE = b'HTTP/1.0 404 Not Found\r\n\r\n{"message":"no such image"}'


class FakeEngine:
    """Gives each of these answers to one connection after the other, and hangs up after it."""

    def __init__(self, path: Path, answers: list[bytes]) -> None:
        self.asked: list[str] = []
        self._answers = answers
        self._listener = socket.create_server(str(path), family=socket.AF_UNIX)
        self._thread = threading.Thread(target=self._serve)

    def _serve(self) -> None:
        for answer in self._answers:
            connection, _ = self._listener.accept()
            with connection:
                self.asked.append(connection.recv(1 << 16).partition(b" HTTP/")[0].decode())
                connection.sendall(answer)

    @contextmanager
    def serving(self) -> Iterator[None]:
        with self._listener:
            self._thread.start()
            yield
            self._thread.join()


def begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *answers: bytes) -> tuple[EarlyAgent | None, FakeEngine]:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine")
    engine = FakeEngine(tmp_path / "engine", list(answers))
    with engine.serving():
        early = EarlyAgent.begin(PLAN, "5e55")
    return early, engine


def test_it_is_made_joined_attached_and_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early, engine = begun(tmp_path, monkeypatch, MADE, JOINED, ATTACHED, DONE)
    assert engine.asked == [
        "POST /containers/create",
        "POST /networks/back/connect",
        "POST /containers/abc/attach?stdin=1&stdout=1&stderr=1&stream=1",
        "POST /containers/abc/start",
    ]
    assert early is not None
    assert early.container == "abc"
    with early.streams as streams:
        assert streams.recv(100) == b"said at once", "the container's words are left to whoever reads them"
    assert early.has_started()


def test_one_that_does_not_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early, _ = begun(tmp_path, monkeypatch, MADE, JOINED, ATTACHED, NONE)
    assert early is not None
    early.streams.close()
    assert not early.has_started()


def test_what_was_made_is_removed_when_it_cannot_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    early, engine = begun(tmp_path, monkeypatch, MADE, NONE, DONE)
    assert early is None
    assert engine.asked[-1] == "DELETE /containers/abc?force=1&v=1"


def test_what_was_made_is_removed_when_a_person_interrupts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/engine")
    engine = FakeEngine(tmp_path / "engine", [MADE, JOINED, DONE])
    looked_at: list[bytes] = []

    def look(head: bytes) -> None:
        looked_at.append(head)
        if len(looked_at) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr("belljar_tui.jars.early._status", look)
    with engine.serving(), pytest.raises(KeyboardInterrupt):
        EarlyAgent.begin(PLAN, "5e55")
    assert engine.asked[-1] == "DELETE /containers/abc?force=1&v=1"


@pytest.mark.parametrize("answer", [NONE, b"", b"what?\r\n\r\n", b"HTTP/1.0 201 Created\r\n\r\nwhat?"])
def test_an_engine_that_says_no_is_asked_in_the_usual_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    early, _ = begun(tmp_path, monkeypatch, answer)
    assert early is None


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "ssh://nobody@127.0.0.1", "unix:///nowhere/at/all"])
def test_an_engine_that_is_not_here_is_asked_in_the_usual_way(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    assert EarlyAgent.begin(PLAN, "5e55") is None


def test_a_context_that_cannot_be_read_is_told_in_the_usual_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "config.json").write_text("{")
    assert EarlyAgent.begin(PLAN, "5e55") is None
