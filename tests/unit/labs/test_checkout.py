"""The checkout lab's description, its hosts' trades, and how its service behaves towards them, over loopback."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from belljar_tui.core.model import Dependency
from belljar_tui.labs import LABS
from belljar_tui.labs.checkout import hosts
from belljar_tui.labs.checkout.service import Pool, Unavailable, connect, http_get

LAB = LABS["checkout"]
TRUTH = LAB.truth
EVERYTHING = (*TRUTH.always, *TRUTH.cold_only, *(half for pair in TRUTH.one_of for half in pair), *TRUTH.tolerated)
LOOPBACK = "127.0.0.1"


class LineHost:
    """Answers every line with the number of the connection it came on; can close them all."""

    def __init__(self) -> None:
        self._server = socket.create_server((LOOPBACK, 0))
        self.port: int = self._server.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection = self._server.accept()[0]
            except OSError:
                return
            self._connections.append(connection)
            threading.Thread(target=self._talk, args=(connection, len(self._connections))).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        try:
            while connection.recv(100):
                connection.sendall(f"{number}\n".encode())
        except OSError:
            return
        finally:
            connection.close()

    def hang_up(self) -> None:
        for connection in self._connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def close(self) -> None:
        self._server.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._server.close()
        self.hang_up()


@pytest.fixture
def line_host() -> Iterator[LineHost]:
    host = LineHost()
    yield host
    host.close()


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port whose host takes connections and never says a word."""
    with socket.create_server((LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


@pytest.fixture
def closed_port() -> Iterator[int]:
    """A port where nobody listens, and nobody else can meanwhile."""
    with socket.socket() as taken:
        taken.bind((LOOPBACK, 0))
        yield taken.getsockname()[1]


def test_every_dependency_of_the_truth_is_an_id_and_stands_there_once() -> None:
    assert [str(Dependency.parse(text)) for text in EVERYTHING] == list(EVERYTHING)
    assert len(set(EVERYTHING)) == len(EVERYTHING)


def test_the_truth_is_the_one_the_issue_gives() -> None:
    assert TRUTH.always == ("tcp://orders-db.lab:5432", "tcp://auth.lab:9000")
    assert TRUTH.cold_only == ("tcp://config.lab:8500",)
    assert TRUTH.one_of == (("tcp://pay-a.lab:7000", "tcp://pay-b.lab:7000"),)
    assert TRUTH.needed_when_hanging == ("tcp://cache.lab:6379",)
    assert set(TRUTH.needed_when_hanging) <= set(TRUTH.tolerated)


def test_every_dependency_of_the_truth_is_a_host_that_somebody_serves() -> None:
    named = {dependency.host for dependency in map(Dependency.parse, EVERYTHING)}
    unnamed = {f"10.77.1.{number}" for host, number in LAB.hosts.items() if not host.endswith(".lab")}
    assert named == {host for host in LAB.hosts if host.endswith(".lab")} | unnamed
    assert set(hosts.HOSTS) == set(LAB.hosts)


def test_no_two_hosts_share_an_address() -> None:
    numbers = [*LAB.hosts.values(), *(server.rpartition(".")[2] for server in LAB.nameservers)]
    assert len(set(numbers)) == len(numbers)


def test_the_description_loads_neither_the_world_nor_the_service() -> None:
    program = "import sys, belljar_tui.labs; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"pyroute2", "dns", "asyncio", "belljar_tui.labs.checkout.hosts", "http.server"} & set(loaded)


@pytest.mark.parametrize(
    ("line", "answer"), [("SELECT 1", "1 row"), ("INSERT INTO orders VALUES (1)", "INSERT 0 1"), ("", "ERROR syntax")]
)
def test_the_database_answers_as_one_would(line: str, answer: str) -> None:
    assert hosts.orders_db(line) == answer


def test_the_cache_finds_what_was_stored_and_nothing_else() -> None:
    cache = hosts.Cache()
    said = [cache.answer(line) for line in ("GET basket", "SET basket two apples", "GET basket", "DROP all")]
    assert said == ["MISS", "STORED", "VALUE two apples", "ERROR unknown command"]


def test_the_time_host_sends_back_the_callers_own_time() -> None:
    sent = b"\x1b" + bytes(39) + struct.pack(">Q", 12345)
    said = hosts.ntp(sent)
    assert len(said) == 48
    assert said[24:32] == sent[40:48]
    assert hosts.ntp(b"too short") == b""


def test_a_pool_keeps_its_connection_for_the_next_call(line_host: LineHost) -> None:
    pool = Pool(LOOPBACK, line_host.port, 5.0)
    assert [pool.ask("a"), pool.ask("b")] == ["1", "1"]


def test_a_pool_whose_idle_connection_died_opens_another(line_host: LineHost) -> None:
    pool = Pool(LOOPBACK, line_host.port, 5.0)
    assert pool.ask("a") == "1"
    line_host.hang_up()
    assert pool.ask("b") == "2"


def test_a_pool_names_the_host_that_refused(closed_port: int) -> None:
    with pytest.raises(Unavailable, match=r"^127\.0\.0\.1: connection refused$"):
        Pool(LOOPBACK, closed_port, 5.0).ask("a")


def test_a_pool_with_a_timeout_says_that_it_ran_out(silent_port: int) -> None:
    with pytest.raises(Unavailable, match=r"^127\.0\.0\.1: timed out$"):
        Pool(LOOPBACK, silent_port, 0.05).ask("a")


def test_a_request_says_that_its_time_ran_out(silent_port: int) -> None:
    with pytest.raises(Unavailable, match=r"^127\.0\.0\.1: timed out$"):
        http_get(LOOPBACK, silent_port, "/", 0.05)


def test_a_connection_keeps_the_whole_timeout_for_the_talk(silent_port: int) -> None:
    with connect(LOOPBACK, silent_port, 7.0) as connection:
        assert connection.gettimeout() == 7.0
