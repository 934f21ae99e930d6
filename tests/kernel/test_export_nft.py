"""The exported ruleset in a kernel: what passes, what is refused, and the lab's service healthy under it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil
import pytest
from hypothesis import given, settings
from worlds import DEADLINE_S, NEIGHBOUR4, NEIGHBOUR6, PRIVILEGES, ROOT, run_in_jar, says, says_udp

from belljar_tui.core.model import Dependency, Mode
from belljar_tui.core.profile import DependencyEvidence, Evidence, Profile
from belljar_tui.export.contract import Contract
from belljar_tui.export.nft import export
from belljar_tui.labs import LABS
from tests.unit.export.profiles import profile_with, profiles

NFT = shutil.which("nft") or shutil.which("nft", path="/usr/sbin:/sbin")
pytestmark = [pytest.mark.kernel, pytest.mark.skipif(NFT is None, reason="nft is not installed (apt install nftables)")]

TCP, UDP, PING = "tcp://echo.lab:7000", "udp://echo.lab:7000", "icmp://echo.lab"
LAB = LABS["checkout"]
TRUTH = LAB.truth


def nft(*arguments: str, given: str = "") -> str:
    """Run nft; what it printed."""
    assert NFT is not None
    done = subprocess.run([NFT, *arguments], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr + given
    return done.stdout


def load(*allow: str, sealed: Mode = Mode.REFUSE) -> None:
    """Seal this namespace but for members on the neighbour."""
    seen = [Dependency.parse(one) for one in allow]
    places = [NEIGHBOUR4, f"[{NEIGHBOUR6}]"]
    evidence = tuple(
        DependencyEvidence(id=str(d), endpoints=tuple(f"{d.protocol} {place}:{d.port}" for place in places))
        for d in seen
    )
    profile = profile_with(*allow, sealed=sealed, evidence=Evidence(dependencies=evidence))
    nft("-f", "-", given=export(Contract.of(profile)).text)


def pings(address: str) -> bool:
    """Whether an echo request is answered, by a socket of our own."""
    is_v6 = ":" in address
    family, protocol = (socket.AF_INET6, socket.IPPROTO_ICMPV6) if is_v6 else (socket.AF_INET, socket.IPPROTO_ICMP)
    request, reply, header = (128, 129, 0) if is_v6 else (8, 0, 20)
    body = struct.pack("!BBHHH", request, 0, 0, 7, 1)
    total = sum(struct.unpack("!4H", body))
    body = struct.pack("!BBHHH", request, 0, ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF, 7, 1)
    with socket.socket(family, socket.SOCK_RAW, protocol) as call:
        call.settimeout(0.5)
        try:
            call.sendto(body, (address, 0))
            while call.recv(512)[header] != reply:
                pass
        except OSError:
            return False
        return True


async def met(port: int = 7000) -> list[str]:
    """What TCP and UDP calls to the neighbour meet, over IPv4 and IPv6."""
    both = (NEIGHBOUR4, NEIGHBOUR6)
    return [await says(a, port, 0.5) for a in both] + [await says_udp(a, port, 0.5) for a in both]


REFUSED = "ConnectionRefusedError"


async def body_members_pass_and_the_rest_is_refused() -> None:
    assert await met() == ["echo"] * 4
    load(TCP)
    assert await met() == ["echo", "echo", REFUSED, REFUSED]
    assert await met(7001) == [REFUSED] * 4
    load(UDP)  # replaces the first
    assert await met() == [REFUSED, REFUSED, "echo", "echo"]
    load(TCP, UDP)
    assert await met() == ["echo"] * 4
    listed = nft("list", "table", "inet", "belljar_checkout")
    assert 'comment "tcp://echo.lab:7000"' in listed
    assert listed.count("counter packets 0 bytes 0 reject") == 3
    await met(7001)
    for chain in ("sealed", "sealed_datagrams"):
        assert "counter packets 2 " in nft("list", "chain", "inet", "belljar_checkout", chain)


async def body_the_rest_is_dropped() -> None:
    load(TCP, sealed=Mode.BLACKHOLE)
    assert await met() == ["echo", "echo", "timeout", "timeout"]
    assert await says(NEIGHBOUR4, 7001, 0.3) == "timeout"


async def body_pings_pass_only_to_members() -> None:
    load(TCP)
    assert not pings(NEIGHBOUR4)
    assert not pings(NEIGHBOUR6)
    load(PING)
    assert pings(NEIGHBOUR4)
    assert pings(NEIGHBOUR6)


async def body_open_flows_are_cut() -> None:
    with socket.create_connection((NEIGHBOUR4, 7001), 1) as pooled:
        pooled.sendall(b"x")
        assert pooled.recv(1) == b"x"
        load(TCP)
        pooled.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            pooled.recv(1)


async def body_callers_are_answered() -> None:
    load()
    for address in ("10.66.0.1", "fd66::1"):
        async with await asyncio.start_server(_greet, address, 8080):
            program = f"import socket; print(socket.create_connection(({address!r}, 8080), 2).recv(2).decode())"
            keeper = psutil.Process().children()[0].pid
            calling = await asyncio.create_subprocess_exec(
                "nsenter", "--net", "-t", str(keeper), sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
            )
            assert (await calling.communicate())[0] == b"hi\n"


async def _greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"hi")
    await writer.drain()
    writer.close()


async def body_loopback_is_open_but_for_what_is_sealed_there() -> None:
    both = [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)]
    sealed = Evidence(dependencies=(DependencyEvidence(id="tcp://localhost:9002"),))
    nft("-f", "-", given=export(Contract.of(profile_with(evidence=sealed))).text)
    for address, family in both:
        with (
            socket.create_server((address, 9001), family=family),
            socket.create_server((address, 9002), family=family),
        ):
            socket.create_connection((address, 9001), 1).close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, 9002), 1)


async def body_any_profile_loads() -> None:
    @settings(max_examples=50, deadline=None, database=None)
    @given(profile=profiles)
    def loads(profile: Profile) -> None:
        nft("--check", "-f", "-", given=export(Contract.of(profile)).text)

    loads()


@PRIVILEGES
@pytest.mark.parametrize(
    "body",
    [
        body_members_pass_and_the_rest_is_refused,
        body_the_rest_is_dropped,
        body_pings_pass_only_to_members,
        body_open_flows_are_cut,
        body_callers_are_answered,
        body_loopback_is_open_but_for_what_is_sealed_there,
        body_any_profile_loads,
    ],
    ids=lambda body: body.__name__.removeprefix("body_"),
)
def test_the_ruleset_in_a_namespace(body: Callable[[], Awaitable[None]], flags: tuple[str, ...]) -> None:
    run_in_jar(body, flags)


# The lab's service, sealed by nothing but the exported ruleset


def checkout_profile(*missing: str) -> Profile:
    """The lab's working set without `missing`, with the addresses the lab gives its hosts."""
    working = ["dns:", *TRUTH.always, *TRUTH.cold_only, TRUTH.one_of[0][0]]
    named = [Dependency.parse(one) for one in (*working[1:], *TRUTH.one_of[0][1:], *TRUTH.tolerated)]
    numbers = [(d, LAB.hosts[d.host]) for d in named if d.host in LAB.hosts]
    evidence = tuple(
        DependencyEvidence(
            id=str(d), endpoints=(f"{d.protocol} 10.77.1.{n}:{d.port}", f"{d.protocol} [fd77:1::{n}]:{d.port}")
        )
        for d, n in numbers
    )
    return profile_with(*(one for one in working if one not in missing), evidence=Evidence(dependencies=evidence))


@contextlib.contextmanager
def _name_servers() -> Iterator[None]:
    """The lab's name server as this mount namespace's own."""
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write("".join(f"nameserver {server}\n" for server in LAB.nameservers))
        file.flush()
        subprocess.run(["mount", "--bind", file.name, os.path.realpath("/etc/resolv.conf")], check=True)
        yield


def _ready() -> tuple[int, str]:
    try:
        connection = http.client.HTTPConnection("localhost", 8080, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/ready")
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
    except OSError as error:
        return 0, str(error)


def _service_says(wanted: int, words: str = "") -> None:
    """Start the service and wait until its check says so."""
    with subprocess.Popen([sys.executable, *LAB.service], cwd=ROOT) as service:
        try:
            said = (0, "")
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and not (said[0] == wanted and words in said[1]):
                said = _ready()
                time.sleep(0.05)
            assert said[0] == wanted, said
            assert words in said[1]
        finally:
            service.kill()


def body_the_service_is_healthy_under_its_rules() -> None:
    with _name_servers():
        nft("-f", "-", given=export(Contract.of(checkout_profile())).text)
        _service_says(200)
        for address in ("10.77.1.15", "fd77:1::15"):
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection((address, 6379), 1)


def body_the_service_is_not_healthy_under_fewer() -> None:
    auth = TRUTH.always[1]
    with _name_servers():
        nft("-f", "-", given=export(Contract.of(checkout_profile(auth))).text)
        _service_says(503, "auth.lab: connection refused")


@PRIVILEGES
@pytest.mark.parametrize(
    "body",
    [body_the_service_is_healthy_under_its_rules, body_the_service_is_not_healthy_under_fewer],
    ids=lambda body: body.__name__.removeprefix("body_"),
)
def test_the_labs_service(body: Callable[[], None], flags: tuple[str, ...]) -> None:
    spaces = ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child", *flags, "--"]
    launch = [sys.executable, "-m", "belljar_tui.labs.launch", LAB.name, "--"]
    program = f"from test_export_nft import {body.__name__} as body; body()"
    path = os.pathsep.join([str(ROOT), str(Path(__file__).parent)])
    done = subprocess.run(
        [*spaces, *launch, sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
