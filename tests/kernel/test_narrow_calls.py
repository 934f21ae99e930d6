"""32-bit programs in a native jar: their calls are seen, counted and cut, and their ordinary sockets work."""

from __future__ import annotations

import platform
import socket
from pathlib import Path

import pytest
from test_unix_sockets import cut, jar, listening

from belljar_tui.agent.unix.filter import MACHINES, UNSEALED, program
from belljar_tui.core import events as ev

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(platform.machine() != "x86_64", reason="32-bit calls are tried on x86-64 only"),
]


async def test_a_32_bit_program_is_seen_counted_and_cut(tmp_path: Path) -> None:
    datagrams = tmp_path / "datagrams.sock"
    with listening(tmp_path / "streams.sock") as streams, listening(datagrams, socket.SOCK_DGRAM) as log:
        async with jar(tmp_path) as made:
            for how, server in (("call", streams), ("socketcall", streams), ("sendto", log)):
                assert await made.does("narrow", how, server.path) == "ok"
            await made.until(lambda: (made.calls(streams.id), made.calls(log.id)) == (2, 1))
            await made.want(cut(streams))
            for how in ("call", "socketcall"):
                assert await made.does("narrow", how, streams.path) == "ECONNREFUSED"
            await made.until(lambda: made.blocked(streams.id) == 2)
            assert {event.process for event in made.of(ev.CallBlocked, streams.id)} <= {"python", "python3"}


async def test_what_a_32_bit_program_is_given_is_an_ordinary_socket(tmp_path: Path) -> None:
    async with jar(tmp_path) as made:
        for family, kind in ((2, 1), (2, 2), (10, 1), (10, 2), (1, 1), (1, 5)):
            assert await made.does("narrow_socket", family, kind, 0) == f"{family} {kind} True"
        assert await made.does("narrow_socket", 2, 3, 6) == "EPERM"
        assert await made.does("narrow_socket", 2, 1 | 0x40, 0) == "EPERM", "a flag that does not exist"
        assert await made.does("narrow_socket", 16, 3, 0) == "EAFNOSUPPORT", "netlink"
        for family in UNSEALED:
            assert await made.does("narrow_socket", family, 1, 0) == "EAFNOSUPPORT"
        assert await made.does("narrow_socket", 2, 1, 17) == "EPROTONOSUPPORT", "the kernel's own word"


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_no_jump_of_the_filter_leads_too_far(machine: object) -> None:
    assert len(program(machine)) // 8 < 256  # type: ignore[arg-type]
