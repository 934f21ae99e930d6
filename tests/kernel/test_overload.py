"""More blocked calls than the queue holds, and nobody who reads it: enforcement goes on, and the counts stay exact."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time

import pytest
from test_enforcer import made
from worlds import NEIGHBOUR4, PRIVILEGES, run_in_jar, says_udp

from belljar_tui.agent.nft import QUEUE
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.queue import CallQueue
from belljar_tui.core.model import Endpoint, Mode, Protocol, Wanted

pytestmark = pytest.mark.kernel

CALLS = 20_000
"""The queue holds 8,192."""
CUT = Endpoint(NEIGHBOUR4, Protocol.UDP, 7000)
SEND = f"""
import socket
for n in range({CALLS}):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as call:
        call.settimeout(0)
        call.sendto(b"x", ({NEIGHBOUR4!r}, 7000))
"""
"""A socket for each: what is held counts against its sender's buffer, and one sender would stand still at 256."""


async def _overflows() -> None:
    assert await says_udp(NEIGHBOUR4, 7000) == "echo"
    enforcer, ruleset = made([])
    held: list[Flow] = []
    CallQueue(QUEUE, held.append, lambda _: None).start()
    enforcer.want(Wanted(cuts={f"udp://{NEIGHBOUR4}:7000": Mode.BLACKHOLE}))
    enforcer.note(CUT)
    # on purpose in our own thread: the reader stands still meanwhile, as if it were stopped
    sent = subprocess.run([sys.executable, "-c", SEND], capture_output=True, text=True, check=False)  # noqa: ASYNC221
    assert sent.returncode == 0, sent.stderr
    assert not held
    end = time.monotonic() + 20
    while ruleset.read()[CUT][1].packets.packets < CALLS and time.monotonic() < end:  # noqa: ASYNC110  # the kernel tells nobody
        await asyncio.sleep(0.02)
    counts = ruleset.read()[CUT][1]
    assert counts.packets.packets == CALLS, counts
    assert len(held) < CALLS, "the queue did overflow, or this proves nothing"
    assert await says_udp(NEIGHBOUR4, 7000, 0.3) == "timeout"


@PRIVILEGES
def test_a_queue_that_overflows_unread_lets_nothing_through_and_loses_no_count(flags: tuple[str, ...]) -> None:
    run_in_jar(_overflows, flags)
