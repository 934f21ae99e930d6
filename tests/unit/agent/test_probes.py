"""Health checks against real servers on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from belljar_tui.agent.probes import HealthLoop, probe_tcp
from belljar_tui.core.model import Health
from belljar_tui.errors import BadCheck
from belljar_tui.wire.messages import Checks

DEADLINE_S = 20.0
Told = tuple[Health, str, str]
HEALTHY, UNHEALTHY = Health.HEALTHY, Health.UNHEALTHY


class Server:
    """Says `answer` to whatever is asked, and keeps the connection when `closes` is False."""

    def __init__(self) -> None:
        self.answer = http(200, "ready")
        self.closes = True
        self.asked: list[bytes] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(self.answer)
        if self.closes or await reader.read(1) == b"":
            writer.close()


def http(code: int, body: str) -> bytes:
    return f"HTTP/1.1 {code} X\r\nContent-Length: {len(body.encode())}\r\n\r\n{body}".encode()


@contextlib.asynccontextmanager
async def serving(address: str = "127.0.0.1") -> AsyncIterator[Server]:
    made = Server()
    async with await asyncio.start_server(made.serve, address, 0) as listener:
        made.port = listener.sockets[0].getsockname()[1]
        yield made


async def no_exec(_: str) -> tuple[int, str]:
    raise AssertionError("no command was to be run")


@contextlib.asynccontextmanager
async def watched(
    *checks: str, run: Callable[[str], Awaitable[tuple[int, str]]] = no_exec, **timing: float
) -> AsyncIterator[Callable[[], Awaitable[Told]]]:
    """A loop under way; gives what reads the next thing it tells."""
    told: asyncio.Queue[Told] = asyncio.Queue()
    settings = Checks(checks, **{"every_s": 0.01, "timeout_s": DEADLINE_S, **timing})  # type: ignore[arg-type]
    task = asyncio.create_task(HealthLoop(settings, 0, lambda *words: told.put_nowait(words), run).run())
    try:
        yield lambda: asyncio.wait_for(told.get(), DEADLINE_S)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def words(answer: bytes, *, closes: bool = True) -> Told:
    """What the first check of a server that says `answer` tells."""
    async with serving() as server:
        server.answer, server.closes = answer, closes
        async with watched(f"http://127.0.0.1:{server.port}/ready", healthy_for=1) as tells:
            return await tells()


async def test_health_turns_with_the_service_and_says_its_words() -> None:
    async with serving() as server:
        check = f"http://localhost:{server.port}/ready?full=1"
        async with watched(check) as tells:
            assert await tells() == (HEALTHY, check, "200 ready")
            server.answer = http(503, "auth.lab: connection refused\nmore")
            assert await tells() == (UNHEALTHY, check, "503 auth.lab: connection refused")
            server.answer = http(503, "auth.lab: timed out")
            assert await tells() == (UNHEALTHY, check, "503 auth.lab: timed out")
            server.answer = http(302, "")
            assert await tells() == (HEALTHY, check, "302")
        assert server.asked[0].startswith(b"GET /ready?full=1 HTTP/1.1\r\nHost: localhost:")


async def test_healthy_words_that_change_are_no_news() -> None:
    runs = iter(range(10))

    async def run(_: str) -> tuple[int, str]:
        number = next(runs, 9)
        return int(number == 9), f"run {number}"

    async with watched("exec:true", run=run) as tells:
        assert [(await tells())[2], (await tells())[2]] == ["run 1", "run 9"]


async def test_healthy_takes_some_passes_in_a_row_and_unhealthy_one_failure() -> None:
    codes = iter([0, 0, 1, 0, 0, 0, 1])
    runs: list[int] = []

    async def run(_: str) -> tuple[int, str]:
        code = next(codes, None)
        if code is None:
            await asyncio.Event().wait()
            raise AssertionError
        runs.append(code)
        return code, ""

    async with watched("exec:true", run=run, healthy_for=3) as tells:
        assert (await tells(), len(runs)) == ((UNHEALTHY, "exec:true", "exit code 1"), 3)
        assert (await tells(), len(runs)) == ((HEALTHY, "exec:true", "exit code 0"), 6)
        assert (await tells(), len(runs)) == ((UNHEALTHY, "exec:true", "exit code 1"), 7)


async def test_a_failure_is_told_before_a_slower_check_has_ended() -> None:
    async def run(command: str) -> tuple[int, str]:
        if command == "hangs":
            await asyncio.Event().wait()
        return 1, "no disk\nat all"

    async with watched("exec:hangs", "exec:fails", run=run) as tells:
        assert await tells() == (UNHEALTHY, "exec:fails", "no disk")


async def test_the_first_of_several_failing_checks_speaks() -> None:
    async def run(command: str) -> tuple[int, str]:
        return int(command != "passes"), command

    async with watched("exec:passes", "exec:second", "exec:third", run=run) as tells:
        assert await tells() == (UNHEALTHY, "exec:second", "second")


async def test_a_port_nobody_listens_on_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    async with watched(f"tcp://localhost:{port}") as tells:
        assert await tells() == (UNHEALTHY, f"tcp://localhost:{port}", "connection refused")


async def test_a_service_on_the_newer_loopback_is_localhost_too() -> None:
    async with serving("::1") as server, watched(f"tcp://localhost:{server.port}") as tells:
        assert (await tells())[0] is HEALTHY
    async with serving("::1") as server:
        async with watched(f"http://[::1]:{server.port}/") as tells:
            assert (await tells())[0] is HEALTHY
        assert f"Host: [::1]:{server.port}\r\n".encode() in server.asked[0]


async def test_a_service_that_hangs_gives_no_answer() -> None:
    async with serving() as server:
        server.answer, server.closes = b"", False
        async with watched(f"http://127.0.0.1:{server.port}/", timeout_s=0.2) as tells:
            assert (await tells())[1:] == (f"http://127.0.0.1:{server.port}/", "no answer within 0.2 s")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (b"", "the connection was closed without an answer"),
        (b"220 ready for mail\r\n", "the answer is not HTTP"),
        (b"HTTP/1.1 503 X\r\n\r\n  \n", "503"),
        (
            b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nno d\r\n5;x=1\r\natab\n\r\n0\r\n\r\n",
            "503 no datab",
        ),
        (http(500, "x" * 500), "500 " + "x" * 116),
        (http(503, "größer\ud7ff"), "503 größer\ud7ff"),
        (b"HTTP/1.0 503 X\n\n", "503"),
    ],
)
async def test_odd_answers_have_words(answer: bytes, expected: str) -> None:
    health, _, detail = await words(answer)
    assert health is UNHEALTHY
    assert detail == expected


@pytest.mark.parametrize(
    "answer",
    [
        http(200, ""),
        http(200, "ready"),
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"HTTP/1.1 200 X\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nready\r\n0\r\n\r\n",
        b"HTTP/1.1 200 X\r\n\r\n" + b"x" * 5000,
    ],
)
async def test_a_server_that_keeps_the_connection_is_not_waited_for(answer: bytes) -> None:
    assert (await words(answer, closes=False))[0] is HEALTHY


async def test_a_name_that_is_none_is_a_failed_check_and_no_crash() -> None:
    async with watched(f"tcp://{'a' * 70}.lab:80") as tells:
        health, _, detail = await tells()
        assert health is UNHEALTHY
        assert "is not a name" in detail


def test_a_check_that_is_none_is_rejected_at_once() -> None:
    with pytest.raises(BadCheck):
        HealthLoop(Checks(("ftp://x",)), 0, lambda *_: None, no_exec)


async def test_one_probe_says_nothing_when_it_connects_and_why_when_not() -> None:
    async with serving() as server:
        assert await probe_tcp("127.0.0.1", server.port, 0, DEADLINE_S) == ""
    assert await probe_tcp("127.0.0.1", server.port, 0, DEADLINE_S) == "connection refused"
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as opened:
        for _ in range(3):
            waiting = opened.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(full.getsockname())
        assert await probe_tcp("127.0.0.1", full.getsockname()[1], 0, 0.1) == "no answer within 0.1 s"
