"""A jar that is closed before the rest of its agent is there: nothing leaves it, and nothing is lost."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys

import pytest
from worlds import NEIGHBOUR4, NEIGHBOUR6, PRIVILEGES, run_in_jar, says, says_udp

from belljar_tui.agent.closed import ClosedJar
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.network import comes_true
from belljar_tui.agent.proof import prove
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.core.model import Endpoint, Mode, Protocol

pytestmark = pytest.mark.kernel

BOTH = (NEIGHBOUR4, NEIGHBOUR6)
_WAITS_S = 0.3
_CALLS = (says, says_udp)


def opened(closed: ClosedJar) -> None:
    closed.open(asyncio.get_running_loop().call_later)


async def _calls_wait() -> None:
    for address in BOTH:
        assert await says(address, 7000) == "echo", "the neighbour is there"
    closed = ClosedJar()
    asking = [asyncio.create_task(call(address, 7000)) for call in _CALLS for address in BOTH]
    await asyncio.sleep(_WAITS_S)
    assert not any(each.done() for each in asking), "nobody was answered, and nobody refused"
    ruleset = Ruleset(Netfilter(), 5300, [])
    ruleset.create()
    ruleset.change([], {Endpoint(NEIGHBOUR4, Protocol.TCP, 7000): Mode.REFUSE}, None, seal_changes=False)
    began = asyncio.get_running_loop().time()
    opened(closed)
    cut, *others = await asyncio.gather(*asking)
    assert cut == "ConnectionRefusedError", "it met what was in force when it was let go"
    assert others == ["echo"] * 3
    assert asyncio.get_running_loop().time() - began < 0.9, "let go, and not sent again: that takes a second"
    assert await says(NEIGHBOUR6, 7000) == "echo", "nothing waits any more"


@PRIVILEGES
def test_calls_from_a_closed_jar_wait_and_then_meet_what_is_in_force(flags: tuple[str, ...]) -> None:
    run_in_jar(_calls_wait, flags)


async def _names_wait() -> None:
    """A query is redirected to the resolver that was not there when it was sent."""
    closed = ClosedJar()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking, socket.socket(type=socket.SOCK_DGRAM) as resolver:
        asking.setblocking(False)
        asking.sendto(b"query", (NEIGHBOUR4, 53))
        resolver.bind(("127.0.0.1", 0))
        resolver.settimeout(1)
        ruleset = Ruleset(Netfilter(), resolver.getsockname()[1], [])  # the table lasts as long as this
        ruleset.create()
        opened(closed)
        query, peer = resolver.recvfrom(100)
        assert query == b"query"
        resolver.sendto(b"answer", peer)
        answer, server = await asyncio.get_running_loop().sock_recvfrom(asking, 100)
        assert (answer, server[:2]) == (b"answer", (NEIGHBOUR4, 53))


@PRIVILEGES
def test_names_asked_for_in_a_closed_jar_wait_for_its_resolver(flags: tuple[str, ...]) -> None:
    run_in_jar(_names_wait, flags)


async def _the_proof_passes() -> None:
    closed = ClosedJar()
    ruleset = Ruleset(Netfilter(), 5300, [])
    ruleset.create()
    proof = await prove(ruleset, lambda: 0.0)
    assert proof.ok, proof.detail
    asking = asyncio.create_task(says(NEIGHBOUR4, 7000))
    await asyncio.sleep(_WAITS_S)
    assert not asking.done(), "the proof opened nothing"
    opened(closed)
    assert await asking == "echo"


@PRIVILEGES
def test_the_seal_is_proven_while_the_jar_is_closed(flags: tuple[str, ...]) -> None:
    run_in_jar(_the_proof_passes, flags)


async def _lanes_divert() -> None:
    """A lane that is there when calls are let go gets them, and counts them."""
    closed = ClosedJar()
    calls = [asyncio.create_task(says(address, 7000)) for address in BOTH]
    await asyncio.sleep(_WAITS_S)
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as lane:
        lane.settimeout(1)
        ruleset = Ruleset(Netfilter(), 5300, [], lambda: lane.getsockname()[1])
        ruleset.create()
        cut = {Endpoint(address, Protocol.TCP, 7000): Mode.HANG for address in BOTH}
        ruleset.change([], cut, None, seal_changes=False)
        opened(closed)
        for _ in BOTH:
            (await asyncio.to_thread(lane.accept))[0].close()
        assert [counts.failed.packets for _, counts in ruleset.read().values()] == [1, 1]
        await asyncio.gather(*calls, return_exceptions=True)


@PRIVILEGES
def test_calls_from_a_closed_jar_go_into_the_lanes_that_are_there_by_then(flags: tuple[str, ...]) -> None:
    run_in_jar(_lanes_divert, flags)


_HOLDER = """
import time
from belljar_tui.agent.closed import ClosedJar
closed = ClosedJar()
print(1, flush=True)
time.sleep(99)
"""


def has_table() -> bool:
    return "belljar_closed" in subprocess.run(["nft", "list", "tables"], capture_output=True, text=True).stdout


async def _nothing_is_left() -> None:
    await asyncio.to_thread(_killed)
    assert await comes_true(lambda: not has_table(), 5)


def _killed() -> None:
    with subprocess.Popen([sys.executable, "-c", _HOLDER], stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        holder.stdout.read(1)
        assert has_table()
        holder.kill()


@PRIVILEGES
def test_nothing_is_left_of_a_closed_jar_whose_agent_dies(flags: tuple[str, ...]) -> None:
    run_in_jar(_nothing_is_left, flags)
