"""Every chain, both modes, both families, TCP and UDP, new and established flows."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
from worlds import NEIGHBOUR4, NEIGHBOUR6, PRIVILEGES, run_in_jar, says, says_udp

from belljar_tui.agent import nft
from belljar_tui.agent.counts import Counts
from belljar_tui.agent.flows import FlowLog
from belljar_tui.agent.netlink import Netfilter, text
from belljar_tui.agent.nft import LOG_GROUP, OPENED, QUEUES
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.queue import CallQueue
from belljar_tui.agent.ruleset import Ruleset, Timed
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.core.model import Endpoint, Mode, Protocol

pytestmark = pytest.mark.kernel

BOTH = (NEIGHBOUR4, NEIGHBOUR6)
GETRULE = 7


def made(on_opened: Callable[[Flow], None] = lambda _: None) -> Ruleset:
    """The table, with readers on its queues; calls are made in threads, since our loop reads."""
    ruleset = Ruleset(Netfilter(), 5300, [])
    ruleset.create()
    for queue in QUEUES:
        CallQueue(queue, on_opened if queue == OPENED else lambda _: None, lambda _: None).start()
    return ruleset


def tcp(address: str, port: int = 7000) -> Endpoint:
    return Endpoint(address, Protocol.TCP, port)


def udp(address: str) -> Endpoint:
    return Endpoint(address, Protocol.UDP, 7000)


async def _modes() -> None:
    ruleset = made()
    for address in BOTH:
        assert await says(address, 7000) == "echo"
        assert await says_udp(address, 7000) == "echo"
        ruleset.change([], {tcp(address): Mode.REFUSE, udp(address): Mode.REFUSE}, None, seal_changes=False)
        assert await says(address, 7000) == "ConnectionRefusedError"
        assert await says_udp(address, 7000) == "ConnectionRefusedError"
        assert await says(address, 7001) == "echo", "its neighbour on another port is another dependency"
        cut: dict[Endpoint, Mode | None] = {tcp(address): Mode.BLACKHOLE, udp(address): Mode.BLACKHOLE}
        ruleset.change(cut, cut, None, seal_changes=False)
        assert await says(address, 7000, 0.3) == "timeout"
        assert await says_udp(address, 7000, 0.3) == "timeout"
        ruleset.change(cut, {}, None, seal_changes=False)
        assert await says(address, 7000) == "echo"
        assert await says_udp(address, 7000) == "echo"


async def _vacuum() -> None:
    ruleset = made()
    ruleset.change([], {tcp(NEIGHBOUR4, 7001): None}, Mode.REFUSE, seal_changes=True)
    assert await says(NEIGHBOUR4, 7000) == "ConnectionRefusedError"
    assert await says(NEIGHBOUR6, 7001) == "ConnectionRefusedError"
    assert await says(NEIGHBOUR4, 7001) == "echo", "what is decided to be open stays open"
    inner = socket.create_server(("127.0.0.1", 8080))
    with inner, socket.create_connection(("127.0.0.1", 8080), 1):
        pass  # what stays inside the jar is no dependency
    seal, calls = ruleset.read_seal()
    assert (seal, calls) == (Mode.REFUSE, 2)
    ruleset.change([], {}, None, seal_changes=True)
    assert await says(NEIGHBOUR4, 7000) == "echo"


async def _established() -> None:
    ruleset, sockets = made(), SocketTable()
    for address in BOTH:
        with await asyncio.to_thread(socket.create_connection, (address, 7000), 1) as pooled:
            pooled.sendall(b"x")
            assert pooled.recv(1) == b"x"
            ruleset.change([], {tcp(address): Mode.REFUSE}, None, seal_changes=False)
            assert sockets.destroy_all([tcp(address)], 0xBE11) == 1
            with pytest.raises(ConnectionAbortedError):
                pooled.recv(1)  # an idle reader wakes at once
        ruleset.change([tcp(address)], {}, None, seal_changes=False)
        with await asyncio.to_thread(socket.create_connection, (address, 7000), 0.3) as pooled:
            ruleset.change([], {tcp(address): Mode.BLACKHOLE}, None, seal_changes=False)
            pooled.sendall(b"x")
            with pytest.raises(TimeoutError):
                pooled.recv(1)
        ruleset.change([tcp(address)], {}, None, seal_changes=False)


async def _established_udp() -> None:
    ruleset = made()
    for address in BOTH:
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as flow:
            flow.settimeout(0.3)
            flow.connect((address, 7000))
            flow.send(b"x")
            assert await asyncio.to_thread(flow.recv, 1) == b"x"
            ruleset.change([], {udp(address): Mode.BLACKHOLE}, None, seal_changes=False)
            flow.send(b"x")  # silence: the sender is told nothing
            with pytest.raises(TimeoutError):
                await asyncio.to_thread(flow.recv, 1)
            replaced: dict[Endpoint, Mode | None] = {udp(address): Mode.REFUSE}
            ruleset.change(replaced, replaced, None, seal_changes=False)
            flow.send(b"x")
            with pytest.raises(ConnectionRefusedError):
                await asyncio.to_thread(flow.recv, 1)
            ruleset.change(replaced, {}, None, seal_changes=False)
            flow.send(b"x")
            assert await asyncio.to_thread(flow.recv, 1) == b"x"


async def _counts() -> None:
    ruleset = made()
    cut = tcp(NEIGHBOUR4)
    ruleset.change([], {cut: Mode.REFUSE}, None, seal_changes=False)
    for _ in range(37):
        assert await says(NEIGHBOUR4, 7000) == "ConnectionRefusedError"
    assert ruleset.read()[cut][1].calls.packets == 37
    kept = ruleset.change([cut], {cut: None}, None, seal_changes=False)
    assert kept[cut].calls.packets == 37, "what a replaced element had counted comes back with the replacing"
    assert ruleset.read()[cut] == (None, Counts())


async def _atomic() -> None:
    ruleset = made()
    ruleset.change([], {tcp(NEIGHBOUR4): Mode.REFUSE}, None, seal_changes=False)
    before = ruleset.read()
    absent = tcp(NEIGHBOUR4, 7003)
    with pytest.raises(OSError, match="No such file"):
        ruleset.change([absent], {tcp(NEIGHBOUR4, 7002): Mode.REFUSE}, Mode.REFUSE, seal_changes=True)
    assert ruleset.read().keys() == before.keys(), "one bad message and nothing of the batch holds"
    assert ruleset.read_seal()[0] is None


async def _thousand() -> None:
    ruleset = made()
    many: dict[Endpoint, Mode | None] = {
        Endpoint(f"10.9.{n // 250}.{n % 250 + 1}", Protocol.TCP, 80): Mode.REFUSE for n in range(1000)
    }
    ruleset.change([], many, None, seal_changes=False)
    assert {endpoint: verdict for endpoint, (verdict, _) in ruleset.read().items()} == many
    assert len(ruleset.change(many, {}, None, seal_changes=False)) == 1000
    assert ruleset.read() == {}


def _outlives() -> None:
    program = (
        "from belljar_tui.agent.netlink import Netfilter; from belljar_tui.agent.ruleset import Ruleset; import sys;"
        "r = Ruleset(Netfilter(), 5300, []); r.create(); print('made', flush=True); sys.stdin.read()"
    )

    holder = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"made\n"
    refused = subprocess.run(["nft", "delete", "table", "inet", "belljar"], capture_output=True, check=False)
    assert refused.returncode != 0, "only its owner may change the table"
    holder.kill()
    holder.wait()
    deadline = time.monotonic() + 5
    while b"belljar" in subprocess.run(["nft", "list", "tables"], capture_output=True, check=True).stdout:
        assert time.monotonic() < deadline, "the table outlived its owner"


@PRIVILEGES
def test_a_cut_is_met_the_way_its_mode_says(flags: tuple[str, ...]) -> None:
    run_in_jar(_modes, flags)


@PRIVILEGES
def test_a_vacuum_cuts_what_nobody_decided_about_and_nothing_inside(flags: tuple[str, ...]) -> None:
    run_in_jar(_vacuum, flags)


@PRIVILEGES
def test_a_cut_bites_established_flows(flags: tuple[str, ...]) -> None:
    run_in_jar(_established, flags)


@PRIVILEGES
def test_a_cut_bites_datagrams_under_way(flags: tuple[str, ...]) -> None:
    run_in_jar(_established_udp, flags)


@PRIVILEGES
def test_calls_are_counted_exactly_and_survive_a_change(flags: tuple[str, ...]) -> None:
    run_in_jar(_counts, flags)


def test_a_change_is_one_transaction() -> None:
    run_in_jar(_atomic, ("--user", "--map-root-user"))


def test_a_thousand_endpoints_are_one_change() -> None:
    run_in_jar(_thousand, ("--user", "--map-root-user"))


async def _owner() -> None:
    await asyncio.to_thread(_outlives)


@PRIVILEGES
def test_the_table_dies_with_its_owner_and_obeys_nobody_else(flags: tuple[str, ...]) -> None:
    run_in_jar(_owner, flags)


ONE_WAY = Endpoint(NEIGHBOUR4, Protocol.UDP, 7009)


async def _one_way() -> None:
    """Metrics, say: datagrams to one that never answers, each of which the kernel calls new."""
    seen: list[Flow] = []
    ruleset = made(seen.append)
    FlowLog(LOG_GROUP, seen.append, lambda _: None).start()
    ruleset.change([], {ONE_WAY: None}, None, seal_changes=False)
    ruleset.hold_calls(keeps_up=True)
    for sender in range(2):
        with socket.socket(type=socket.SOCK_DGRAM) as sending:
            for _ in range(2000):
                sending.sendto(b"x", (NEIGHBOUR4, ONE_WAY.port))
                await asyncio.sleep(0)
            counts = ruleset.read()[ONE_WAY][1]
            assert (counts.calls.packets, counts.packets.packets) == ((sender + 1) * 2000,) * 2
            if sender == 0:
                continue
            before = ruleset.change([ONE_WAY], {ONE_WAY: Mode.BLACKHOLE}, None, seal_changes=False)
            assert before[ONE_WAY].calls.packets == 4000
            for _ in range(100):
                sending.sendto(b"x", (NEIGHBOUR4, ONE_WAY.port))
            assert ruleset.read()[ONE_WAY][1].calls.packets == 100, "cut, each is a call that failed"
    assert len({flow.source_port for flow in seen if flow.endpoint == ONE_WAY}) == 2
    assert len(seen) < 20, "of each flow the first, and what came before that had left"


@PRIVILEGES
def test_a_flow_that_is_never_answered_is_looked_at_once_and_counted_whole(flags: tuple[str, ...]) -> None:
    run_in_jar(_one_way, flags)


def _rules_in(chain: str) -> int:
    body = text(1, nft.TABLE) + text(2, chain)
    return sum(1 for _ in Netfilter().dump(nft.kind(GETRULE), nft.INET, body))


async def _seldom() -> None:
    ruleset = made()
    assert (_rules_in("fails") > 0, _rules_in("fail"), _rules_in("timed"), _rules_in("claims")) == (True, 0, 0, 0)
    for address in BOTH:
        for _ in range(2):
            cuts = {tcp(address): Timed(Mode.REFUSE, 60.0)}
            ruleset.change([], {tcp(address): None}, None, seal_changes=False, timed=cuts, counted=cuts)
            assert _rules_in("timed") == 6, "once, however often they change"
            assert await says(address, 7000) == "ConnectionRefusedError"
        ruleset.change([], {}, None, seal_changes=False, timed={})
        assert _rules_in("timed") == 0
        assert await says(address, 7000) == "echo"
        assert ruleset.read()[tcp(address)][1].failed.packets == 2
        ruleset.change([tcp(address)], {tcp(address): Mode.UNREACHABLE}, None, seal_changes=False)
        assert await says(address, 7000) in ("OSError", "ConnectionRefusedError", "NetworkUnreachable"), (
            "where it stands"
        )
    assert _rules_in("fail") == 0
    for port in (7000, 7001):
        ruleset.hear([tcp(NEIGHBOUR4, port)])
        assert (_rules_in("claims"), _rules_in("fail")) == (6, 3)


@PRIVILEGES
def test_no_packet_pays_for_what_is_seldom_wanted(flags: tuple[str, ...]) -> None:
    run_in_jar(_seldom, flags)
