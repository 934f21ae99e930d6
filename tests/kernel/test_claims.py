"""What a call to a raw address says of whom it calls, in real TLS and HTTP, is heard, and nothing waits for it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from namespaces import EITHER_WAY, run_in_namespaces
from test_lanes import Jar
from worlds import NEIGHBOUR4, NEIGHBOUR6, _ip, keep_holding, met, with_neighbour

from belljar_tui.agent.claims import Claims
from belljar_tui.agent.directory import Directory
from belljar_tui.agent.nft import OPENED
from belljar_tui.agent.queue import CallQueue
from belljar_tui.core import events as ev
from belljar_tui.core.host_name import CLAIMS_KEPT
from belljar_tui.core.model import Mode, Settings

pytestmark = pytest.mark.kernel

BOTH = (NEIGHBOUR4, NEIGHBOUR6)
DEADLINE_S = 10.0
TLS, HTTP, ECHO = 8443, 8080, 7000
SERVERS = f"""
import http.server, socket, ssl, sys, threading

class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6

class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")
    def log_message(self, *_):
        pass

context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
plain, secure = Server(("::", {HTTP}), Answers), Server(("::", {TLS}), Answers)
secure.socket = context.wrap_socket(secure.socket, server_side=True)
for server in (plain, secure):
    threading.Thread(target=server.serve_forever).start()
print("ready", flush=True)
"""


class World:
    """A jar's parts, a neighbour with a TLS and an HTTP server, and what was claimed. Calls are made in threads."""

    def __init__(self) -> None:
        neighbour = with_neighbour()
        with tempfile.TemporaryDirectory() as folder:
            key, certificate = Path(folder) / "key", Path(folder) / "certificate"
            making = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
            making += ["-subj", "/CN=any", "-keyout", str(key), "-out", str(certificate)]
            subprocess.run(making, check=True, capture_output=True)
            entering = ["nsenter", f"--net=/proc/{neighbour}/ns/net", sys.executable, "-c", SERVERS]
            servers = subprocess.Popen([*entering, str(certificate), str(key)], stdout=subprocess.PIPE)
            assert servers.stdout is not None
            assert servers.stdout.readline() == b"ready\n"
        self.jar = Jar(with_world=False)
        self.directory: Directory = self.jar.enforcer._directory
        self.claims = Claims(self.jar.ruleset, self.directory.dependency_of, self.jar.events.append, time.monotonic)
        self.claims.start(lambda _: None)
        self.jar.observer.on_nameless = self.claims.listen
        CallQueue(OPENED, lambda flow: self.jar.observer.on_flow(flow, is_counted=True), lambda _: None).start()
        self.living = keep_holding(self.jar.ruleset)

    def claimed(self) -> list[tuple[str, str, str]]:
        found = [each for each in self.jar.events if isinstance(each, ev.NameClaimed)]
        return [(each.dependency, each.name, each.source) for each in found]

    async def until(self, is_true: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + DEADLINE_S
        while not is_true():
            assert time.monotonic() < end, f"not in time: {what}; {self.claimed()}"
            await asyncio.sleep(0.01)


def identity(address: str, port: int) -> str:
    return f"tcp://[{address}]:{port}" if ":" in address else f"tcp://{address}:{port}"


def tls(address: str, name: str | None, port: int = TLS) -> bytes:
    """A request over TLS, and its answer."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with (
        socket.create_connection((address, port), 5) as plain,
        context.wrap_socket(plain, server_hostname=name) as call,
    ):
        call.sendall(b"GET / HTTP/1.1\r\nHost: inside.example\r\nConnection: close\r\n\r\n")
        return call.recv(15)


def hello(name: str) -> bytes:
    out, context = ssl.MemoryBIO(), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with contextlib.suppress(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


def in_pieces(address: str, data: bytes, pieces: int, port: int = TLS) -> bytes:
    """The answer's beginning to data that is written piece by piece, each a segment of its own."""
    size = -(-len(data) // pieces)
    with socket.create_connection((address, port), 5) as call:
        call.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for at in range(0, len(data), size):
            call.sendall(data[at : at + size])
        return call.recv(5)


def request(address: str, host: str) -> bytes:
    call = http.client.HTTPConnection(address, HTTP, timeout=5)
    call.request("GET", "/", headers={"Host": host})
    answer = call.getresponse().read()
    call.close()
    return answer


async def _heard() -> None:
    """The first call of all, and those after it; only calls by address; each name once."""
    world = World()
    expected: list[tuple[str, str, str]] = []
    for address in BOTH:
        for name in ("Updates.Example", "other.example"):
            assert await asyncio.to_thread(tls, address, name) == b"HTTP/1.1 200 OK"
            assert await asyncio.to_thread(tls, address, name) == b"HTTP/1.1 200 OK"
            expected.append((identity(address, TLS), name.lower(), "tls"))
            await world.until(lambda: len(world.claimed()) >= len(expected), f"{name} at {address}")
        assert await asyncio.to_thread(request, address, "shop.example:8080") == b"ok"
        expected.append((identity(address, HTTP), "shop.example", "http"))
        assert await asyncio.to_thread(tls, address, None) == b"HTTP/1.1 200 OK"
        answer = await asyncio.to_thread(in_pieces, address, hello("pieces.example"), 3)
        assert answer[:3] == b"\x16\x03\x03", "the server was told all of it"
        expected.append((identity(address, TLS), "pieces.example", "tls"))
        await world.until(lambda: len(world.claimed()) >= len(expected), f"http and pieces at {address}")
    assert world.claimed() == expected
    assert {str(each) for each in world.directory.seen} == {identity(a, p) for a in BOTH for p in (TLS, HTTP)}


async def _large_hello() -> None:
    """As with the key shares of today: longer than a packet on the wire, in one write; and a body after a head."""
    world = World()
    _ip("link set here gso_max_segs 1")
    first = hello("large.example")
    added = (0x5A5A).to_bytes(2, "big") + (1400).to_bytes(2, "big") + bytes(1400)
    body = first[9:]
    at = 34 + 1 + body[34]
    at += 2 + int.from_bytes(body[at : at + 2], "big") + 2
    rest = added + body[at + 2 :]
    body = body[:at] + len(rest).to_bytes(2, "big") + rest
    large = b"\x16\x03\x01" + (len(body) + 4).to_bytes(2, "big") + b"\1" + len(body).to_bytes(3, "big") + body
    assert (await asyncio.to_thread(in_pieces, NEIGHBOUR4, large, 1))[:3] == b"\x16\x03\x03"
    post = b"POST / HTTP/1.1\r\nHost: body.example\r\nContent-Length: 60000\r\n\r\n" + b"x" * 60_000
    assert await asyncio.to_thread(in_pieces, NEIGHBOUR6, post, 1, HTTP) == b"HTTP/"
    expected = {
        (identity(NEIGHBOUR4, TLS), "large.example", "tls"),
        (identity(NEIGHBOUR6, HTTP), "body.example", "http"),
    }
    await world.until(lambda: set(world.claimed()) == expected, "a large hello and a large body")


async def _not_heard() -> None:
    """A name that was resolved needs no evidence; a crowd is bounded; noise says nothing."""
    world = World()
    world.jar.enforcer.learn("known.example", [NEIGHBOUR6])
    assert await asyncio.to_thread(tls, NEIGHBOUR6, "other.example") == b"HTTP/1.1 200 OK"
    assert await met(NEIGHBOUR4, ECHO) == "echo"
    for number in range(CLAIMS_KEPT + 8):
        assert await asyncio.to_thread(request, NEIGHBOUR4, f"shop-{number}.example") == b"ok"
        world.claims.sweep()
    await world.until(lambda: len(world.claimed()) == CLAIMS_KEPT, "as many as are kept")
    assert {(dependency, source) for dependency, _, source in world.claimed()} == {(identity(NEIGHBOUR4, HTTP), "http")}


async def _busy() -> None:
    """Many calls to one address: some are looked at, all get through, and the next sweep looks again."""
    world = World()
    answers = await asyncio.gather(*(asyncio.to_thread(request, NEIGHBOUR4, "crowd.example") for _ in range(40)))
    assert answers == [b"ok"] * 40
    await world.until(lambda: bool(world.claimed()), "some")
    assert await asyncio.to_thread(request, NEIGHBOUR4, "unheard.example") == b"ok", "too many since the last sweep"
    world.claims.sweep()
    assert await asyncio.to_thread(request, NEIGHBOUR4, "later.example") == b"ok"
    await world.until(lambda: len(world.claimed()) == 2, "heard again")
    assert [name for _, name, _ in world.claimed()] == ["crowd.example", "later.example"]


async def _cut_and_slow() -> None:
    """A cut refuses, a lane delays and carries every byte, a reset by bytes counts no byte from before it."""
    world = World()
    jar = world.jar
    assert await asyncio.to_thread(request, NEIGHBOUR4, "shop.example") == b"ok"
    call = http.client.HTTPConnection(NEIGHBOUR4, HTTP, timeout=5)
    await asyncio.to_thread(call.connect)
    for _ in range(20):
        call.request("GET", "/", headers={"Host": "shop.example", "X": "x" * 1000})
        assert (await asyncio.to_thread(call.getresponse)).read() == b"ok"
    dependency = identity(NEIGHBOUR4, HTTP)
    jar.want(Mode.RESET, dependency, settings=Settings(after_bytes=8000))
    call.request("GET", "/", headers={"Host": "shop.example"})
    assert (await asyncio.to_thread(call.getresponse)).read() == b"ok", "what it carried before is not counted"
    call.close()
    jar.want(Mode.SLOW, dependency, settings=Settings(delay_s=0.2))
    began = time.monotonic()
    assert await asyncio.to_thread(request, NEIGHBOUR4, "shop.example") == b"ok"
    assert time.monotonic() - began >= 0.35
    jar.want(Mode.REFUSE, dependency)
    assert await met(NEIGHBOUR4, HTTP) == "ECONNREFUSED"
    jar.want(None)
    assert await asyncio.to_thread(request, NEIGHBOUR4, "shop.example") == b"ok"
    assert world.claimed() == [(dependency, "shop.example", "http")]


@EITHER_WAY
def test_a_call_to_an_address_says_whom_it_calls(unprivileged: bool) -> None:
    run_in_namespaces(_heard, unprivileged=unprivileged)


@pytest.mark.parametrize("body", [_large_hello, _not_heard, _busy, _cut_and_slow], ids=lambda body: body.__name__[1:])
def test_what_is_heard_is_bounded_and_changes_nothing(body: Callable[[], object]) -> None:
    run_in_namespaces(body, unprivileged=os.geteuid() != 0)  # type: ignore[arg-type]
