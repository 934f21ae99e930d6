"""The checkout lab as its agent meets it: its hosts, its names, its service, its truth, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import socket
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator

import dns.message
import dns.query
import dns.rcode
import psutil
import pytest
from worlds import PRIVILEGES, ROOT

from belljar_tui.core.events import AnyEvent, CallBlocked, HealthChanged, ProcessSeen
from belljar_tui.core.model import Dependency, Health, Mode, Seal, Wanted
from belljar_tui.jars.namespaces import NamespaceJar
from belljar_tui.labs import LABS
from belljar_tui.wire.messages import Checks, Prepare

pytestmark = pytest.mark.kernel

LAB = LABS["checkout"]
TRUTH = LAB.truth
PAY_A, PAY_B = TRUTH.one_of[0]
AUTH, CACHE = "tcp://auth.lab:9000", "tcp://cache.lab:6379"
DEADLINE_S = 30.0
MARK = "BELLJAR_TEST_WORLD"


# The world, met by a small program in the agent's place


def launched(body: Callable[[], None], flags: tuple[str, ...], mark: str) -> list[str]:
    """The command that runs `body` of this module as a lab's agent, every process of it carrying `mark`."""
    spaces = ["unshare", "--net", "--mount", "--pid", "--ipc", "--fork", "--kill-child", *flags]
    launch = [sys.executable, "-m", "belljar_tui.labs.launch", "checkout", "--"]
    program = f"from test_lab_checkout import {body.__name__} as body; body()"
    return ["env", f"{MARK}={mark}", *spaces, "--", *launch, sys.executable, "-c", program]


def environment() -> dict[str, str]:
    here = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "kernel")])
    return {**os.environ, "PYTHONPATH": here}


def run_in_lab(body: Callable[[], None], flags: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    """Run `body` as a lab's agent to its end."""
    return subprocess.run(
        launched(body, flags, uuid.uuid4().hex),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )


def marked(mark: str) -> list[psutil.Process]:
    """The living processes that carry `mark`."""
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get(MARK) == mark:
                found.append(process)
    return found


def kill_marked(mark: str) -> None:
    """Kill them all; the end of one may be the end of others."""
    for process in marked(mark):
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def gone(mark: str) -> bool:
    """Whether no process carries `mark` any more, before the deadline."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        if not marked(mark):
            return True
        time.sleep(0.01)
    return False


def addresses_of(host: str) -> tuple[str, str]:
    return f"10.77.1.{LAB.hosts[host]}", f"fd77:1::{LAB.hosts[host]}"


def get(address: str, port: int, path: str) -> bytes:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read()


def line(address: str, port: int, text: str) -> str:
    with socket.create_connection((address, port), 5) as connection:
        connection.sendall(text.encode() + b"\n")
        return connection.makefile().readline().strip()


def datagram(address: str, port: int, data: bytes, timeout_s: float = 5.0) -> bytes:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as query:
        query.settimeout(timeout_s)
        query.connect((address, port))
        query.send(data)
        return query.recv(512)


def body_meets_every_host() -> None:
    for address in addresses_of("orders-db.lab"):
        assert line(address, 5432, "SELECT 1") == "1 row"
    for address in addresses_of("cache.lab"):
        assert line(address, 6379, "SET a 1") == "STORED"
    for host, port in (("auth.lab", 9000), ("config.lab", 8500), ("pay-a.lab", 7000), ("pay-b.lab", 7000)):
        for address in addresses_of(host):
            assert b'"/x"' in get(address, port, "/x")
    for address in addresses_of("recs.lab"):
        assert b"items" in get(address, 8081, "/recommend")
    assert b"latest" in get(addresses_of("updates")[0], 443, "/latest")
    for address in addresses_of("time.lab"):
        seconds = struct.unpack(">I", datagram(address, 123, b"\x1b" + bytes(47))[40:44])[0] - 2_208_988_800
        assert abs(seconds - time.time()) < 60
    for address in addresses_of("metrics.lab"):  # never answered, but somebody is there: nothing is refused
        with pytest.raises(TimeoutError):
            datagram(address, 8125, b"a:1|c", 0.2)


def body_asks_for_names() -> None:
    server = LAB.nameservers[0]
    for ask in (dns.query.udp, dns.query.tcp):
        for host in LAB.hosts:
            for kind, address in zip(("A", "AAAA"), addresses_of(host), strict=True):
                said = ask(dns.message.make_query(host, kind), server, timeout=5)
                if host.endswith(".lab"):
                    assert [[str(record) for record in found] for found in said.answer] == [[address]]
                else:
                    assert said.rcode() == dns.rcode.NXDOMAIN


def body_speaks_and_listens() -> None:
    print("up", sys.stdin.readline().strip(), flush=True)
    sys.stdin.readline()
    sys.exit(7)


@PRIVILEGES
def test_every_host_of_the_lab_answers_in_its_own_way(flags: tuple[str, ...]) -> None:
    done = run_in_lab(body_meets_every_host, flags)
    assert done.returncode == 0, done.stderr
    assert done.stdout + done.stderr == ""


@PRIVILEGES
def test_the_name_server_knows_the_lab_and_nothing_else(flags: tuple[str, ...]) -> None:
    done = run_in_lab(body_asks_for_names, flags)
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def a_running_lab(flags: tuple[str, ...]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A lab whose agent has spoken and waits for a line; and its mark."""
    mark = uuid.uuid4().hex
    with subprocess.Popen(
        launched(body_speaks_and_listens, flags, mark),
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("hello\n")
            process.stdin.flush()
            assert process.stdout.readline() == "up hello\n"
            yield process, mark
        finally:
            process.kill()


@PRIVILEGES
def test_the_agent_has_our_input_and_output_and_its_exit_code_is_the_labs(flags: tuple[str, ...]) -> None:
    with a_running_lab(flags) as (process, mark):
        assert process.stdin is not None
        assert len(marked(mark)) >= 4  # unshare, the world, unshare, the agent
        process.stdin.write("end\n")
        process.stdin.flush()
        assert process.wait(DEADLINE_S) == 7
        assert gone(mark)


@PRIVILEGES
@pytest.mark.parametrize("victim", ["outermost", "world", "agent"])
def test_nothing_is_left_when_any_part_is_killed(flags: tuple[str, ...], victim: str) -> None:
    with a_running_lab(flags) as (process, mark):
        chain = sorted(marked(mark), key=lambda found: len(found.parents()))
        {"outermost": chain[0], "world": chain[1], "agent": chain[-1]}[victim].kill()
        assert gone(mark)
        assert process.wait(DEADLINE_S) != 0


@pytest.mark.parametrize("arguments", [["nowhere", "--", "true"], ["checkout"], []])
def test_a_lab_that_does_not_exist_is_told_in_a_line(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "belljar_tui.labs.launch", *arguments]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    assert done.returncode == 2
    told = "belljar lab: expected LAB [FAULT...] -- AGENT..., LAB one of: checkout, pool, bootstrap"
    assert done.stderr.splitlines() == [told]


# The truth, through the real agent


class Jar:
    """A running checkout jar, and a way to wait for what happens in it."""

    def __init__(self, jar: NamespaceJar) -> None:
        self._jar = jar
        self._events = jar.events()

    async def want(self, wanted: Wanted) -> None:
        await self._jar.want(wanted)

    async def until(self, happened: Callable[[AnyEvent], bool]) -> None:
        """Read events up to one for which `happened` is true."""
        async with asyncio.timeout(DEADLINE_S):
            async for event in self._events:
                if happened(event):
                    return
        raise AssertionError("the jar ended")

    async def is_healthy(self) -> None:
        await self.until(lambda event: isinstance(event, HealthChanged) and event.health is Health.HEALTHY)

    async def fails(self, words: str) -> None:
        """Wait until the check says `words`."""
        await self.until(
            lambda event: (
                isinstance(event, HealthChanged) and event.health is Health.UNHEALTHY and words in event.detail
            )
        )

    async def blocks(self, dependencies: set[str]) -> None:
        """Wait until a call to each of `dependencies` was blocked."""
        missing = set(dependencies)

        def met(event: AnyEvent) -> bool:
            if isinstance(event, CallBlocked):
                missing.discard(event.dependency)
            return not missing

        await self.until(met)


@contextlib.asynccontextmanager
async def checkout_jar(wanted: Wanted | None = None) -> AsyncIterator[Jar]:
    """A jar of the lab from a cold start under `wanted`."""
    prepare = Prepare(
        service=(sys.executable, *LAB.service),
        wanted=wanted or Wanted(),
        health=Checks(LAB.checks, every_s=0.2),
        environment=dict(os.environ),
        directory=str(ROOT),
        user=os.geteuid(),
        group=os.getegid(),
        nameservers=LAB.nameservers,
    )
    jar = NamespaceJar(prepare, lab="checkout", clock_zero=time.monotonic())
    await jar.start()
    try:
        yield Jar(jar)
    finally:
        await jar.finish()


def cuts(*dependencies: str, mode: Mode = Mode.REFUSE) -> Wanted:
    return Wanted(cuts=dict.fromkeys(dependencies, mode))


def only(*dependencies: str) -> Wanted:
    """Everything sealed but these."""
    return Wanted(seal=Seal.VACUUM, opens=frozenset(dependencies))


def failure_of(dependency: str, mode: Mode) -> str:
    said = {Mode.REFUSE: "connection refused", Mode.BLACKHOLE: "timed out"}[mode]
    return f"503 {Dependency.parse(dependency).host}: {said}"


async def test_the_service_is_two_processes_called_web_and_updater() -> None:
    missing = {"web", "updater"}

    def seen(event: AnyEvent) -> bool:
        if isinstance(event, ProcessSeen):
            missing.discard(event.name)
        return not missing

    async with checkout_jar() as jar:
        await jar.until(seen)


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACKHOLE])
async def test_what_is_always_needed_fails_by_name_and_recovers(mode: Mode) -> None:
    async with checkout_jar() as jar:
        await jar.is_healthy()
        for needed in TRUTH.always:
            await jar.want(cuts(needed, mode=mode))
            await jar.fails(failure_of(needed, mode))
            await jar.want(Wanted())
            await jar.is_healthy()


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACKHOLE])
async def test_what_is_tolerated_may_be_gone_all_at_once(mode: Mode) -> None:
    """The service *becomes* healthy with all of it cut, and every one of the cuts was met."""
    hanging = TRUTH.needed_when_hanging if mode is Mode.BLACKHOLE else ()
    tolerated = set(TRUTH.tolerated) - set(hanging)
    async with checkout_jar() as jar:
        await jar.is_healthy()
        await jar.want(cuts(*tolerated, mode=mode))
        await jar.blocks(tolerated)
        await jar.want(cuts(*tolerated, AUTH, mode=mode))
        await jar.fails(failure_of(AUTH, mode))
        await jar.want(cuts(*tolerated, mode=mode))
        await jar.is_healthy()


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACKHOLE])
async def test_one_of_the_two_payment_providers_is_enough(mode: Mode) -> None:
    async with checkout_jar() as jar:
        await jar.is_healthy()
        for one in (PAY_A, PAY_B):
            await jar.want(cuts(PAY_A, PAY_B, mode=mode))
            await jar.fails(failure_of(PAY_B, mode))
            await jar.want(cuts(one, mode=mode))
            await jar.is_healthy()


async def test_a_silent_cache_hangs_the_check_and_a_restore_ends_it() -> None:
    async with checkout_jar() as jar:
        await jar.is_healthy()
        await jar.want(cuts(CACHE, mode=Mode.BLACKHOLE))
        await jar.fails("no answer within")
        await jar.want(Wanted())
        await jar.is_healthy()


async def test_settings_are_needed_for_a_cold_start_and_never_again() -> None:
    config = TRUTH.cold_only[0]
    async with checkout_jar(cuts(config)) as jar:
        await jar.fails(failure_of(config, Mode.REFUSE))
        await jar.want(Wanted())
        await jar.is_healthy()
        await jar.want(cuts(config, AUTH))
        await jar.fails(failure_of(AUTH, Mode.REFUSE))
        await jar.want(cuts(config))
        await jar.is_healthy()


@pytest.mark.parametrize("payment", [PAY_A, PAY_B])
async def test_the_minimal_working_set_starts_cold_with_everything_else_sealed(payment: str) -> None:
    async with checkout_jar(only(*TRUTH.always, *TRUTH.cold_only, payment)) as jar:
        await jar.is_healthy()


@pytest.mark.parametrize("missing", [*TRUTH.always, *TRUTH.cold_only, PAY_A])
async def test_nothing_can_be_taken_from_the_minimal_working_set(missing: str) -> None:
    minimal = {*TRUTH.always, *TRUTH.cold_only, PAY_A}
    said = failure_of(PAY_B if missing == PAY_A else missing, Mode.REFUSE)
    async with checkout_jar(only(*(minimal - {missing}))) as jar:
        await jar.fails(said)
        await jar.want(only(*minimal))
        await jar.is_healthy()
