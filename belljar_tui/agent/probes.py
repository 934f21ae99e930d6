"""Health, measured from inside the jar. Our sockets carry our mark, so checks pass the seal: they measure the service,
not its dependencies."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

from belljar_tui.core.check import EXEC, HTTP, Check, parse_check
from belljar_tui.core.model import Health
from belljar_tui.wire.messages import Checks

_SO_MARK = 36
_WORDS = 120
_BODY_BYTES = 4096
_LOCALHOST = ("127.0.0.1", "::1")

OnHealth = Callable[[Health, str, str], None]
"""Health, the check that decided as written, and its own words."""
RunExec = Callable[[str], Awaitable[tuple[int, str]]]


class HealthLoop:
    """Runs every check each `every_s`. Healthy: all pass `healthy_for` times in a row; unhealthy: one fails.

    A change of health, or of the words of what is wrong, is told; nothing else is.
    """

    def __init__(self, checks: Checks, mark: int, on_health: OnHealth, run_exec: RunExec) -> None:
        self._checks = [parse_check(text) for text in checks.checks]
        self._timing = checks
        self._mark = mark
        self._on_health = on_health
        self._run_exec = run_exec
        self._passes = 0
        self._told: tuple[Health, str, str] | None = None

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            results = await asyncio.gather(*(self._words_of(check) for check in self._checks))
            self._judge(list(zip(self._checks, results, strict=True)))
            await asyncio.sleep(self._timing.every_s)

    def _judge(self, results: list[tuple[Check, tuple[bool, str]]]) -> None:
        failed = next(((check, words) for check, (passed, words) in results if not passed), None)
        if failed is not None:
            self._passes = 0
            self._tell(Health.UNHEALTHY, str(failed[0]), failed[1])
            return
        self._passes += 1
        if self._passes >= self._timing.healthy_for:
            check, (_, words) = results[0]
            self._tell(Health.HEALTHY, str(check), words)

    def _tell(self, health: Health, check: str, words: str) -> None:
        if self._told != (health, check, words):
            self._told = (health, check, words)
            self._on_health(health, check, words)

    async def _words_of(self, check: Check) -> tuple[bool, str]:
        """Whether the check passes, and what it says."""
        timeout_s = self._timing.timeout_s
        try:
            return await asyncio.wait_for(self._try(check), timeout_s)
        except TimeoutError:
            return False, f"no answer within {timeout_s:g} s"
        except asyncio.IncompleteReadError:
            return False, "the connection was closed without an answer"
        except OSError as error:
            return False, words_of(error)

    async def _try(self, check: Check) -> tuple[bool, str]:
        if check.kind == EXEC:
            code, said = await self._run_exec(check.command)
            first = said.splitlines()[0][:_WORDS] if said else ""
            return code == 0, first or f"exit code {code}"
        connection = await _connect(check.host, check.port, self._mark)
        with connection:
            if check.kind == HTTP:
                return await _get(connection, check)
        return True, "connected"


async def _connect(host: str, port: int, mark: int) -> socket.socket:
    """A connected socket with our mark. `localhost` is both loopbacks; other names go through the jar's resolver."""
    loop = asyncio.get_running_loop()
    addresses = list(_LOCALHOST) if host == "localhost" else [host]
    if host != "localhost" and not _is_address(host):
        addresses = list(dict.fromkeys(str(found[4][0]) for found in await loop.getaddrinfo(host, port)))
    failure: OSError = OSError("no address")
    for address in addresses:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
            await loop.sock_connect(made, (address, port))
        except BaseException as error:
            made.close()
            if not isinstance(error, OSError):
                raise
            failure = failure if failure.errno else error
            continue
        return made
    raise failure


async def _get(connection: socket.socket, check: Check) -> tuple[bool, str]:
    """One GET; the answer ends with the connection, or with enough of it to quote."""
    loop = asyncio.get_running_loop()
    request = f"GET {check.path} HTTP/1.1\r\nHost: {check.host}:{check.port}\r\nConnection: close\r\n\r\n"
    await loop.sock_sendall(connection, request.encode())
    answer = b""
    while len(answer) < _BODY_BYTES:
        more = await loop.sock_recv(connection, _BODY_BYTES)
        if not more:
            break
        answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    status = head.split(b"\r\n", 1)[0].split()
    if len(status) < 2 or not status[0].startswith(b"HTTP/") or not status[1].isdigit():
        return False, "the answer is not HTTP" if answer else "the connection was closed without an answer"
    code = int(status[1])
    first = body.decode(errors="replace").strip().splitlines()[:1]
    return 200 <= code < 400, " ".join([str(code), *first])[:_WORDS]


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return True
    return False


def words_of(error: OSError) -> str:
    """What an error says, in lower case: `connection refused`."""
    return os.strerror(error.errno).lower() if error.errno else str(error)
