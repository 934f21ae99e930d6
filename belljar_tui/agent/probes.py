"""Health, measured from inside the jar. Our sockets carry our mark, so checks pass the seal: they measure the service,
not its dependencies."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from belljar_tui.core.check import EXEC, HTTP, IMAGE, Check, parse_check
from belljar_tui.core.model import Health
from belljar_tui.wire.messages import Checks

_SO_MARK = 36
_WORDS = 120
_BODY_BYTES = 4096
_HEAD_BYTES = 1 << 16
_HEAD_END = b"\r\n\r\n"
_CLOSED = "the connection was closed without an answer"
_LOCALHOST = ("127.0.0.1", "::1")

OnHealth = Callable[[Health, str, str], None]
"""Health, the check that decided as written, and its own words."""
RunExec = Callable[[str], Awaitable[tuple[int, str]]]
"""Runs a command, or the check of that name; its exit code and output."""


class _Result(msgspec.Struct, frozen=True):
    check: Check
    passed: bool
    words: str


class HealthLoop:
    """Runs every check each `every_s`. Healthy: all pass `healthy_for` times in a row; unhealthy: one fails.

    A change of health, or of the words of what is wrong, is told; nothing else is. Raises BadCheck when a check is
    not one.
    """

    def __init__(self, checks: Checks, mark: int, on_health: OnHealth, run_exec: RunExec) -> None:
        self._checks = [parse_check(text) for text in checks.checks]
        self._timing = checks
        self._mark = mark
        self._on_health = on_health
        self._run_exec = run_exec
        self._passes = 0
        self._told: tuple[Health, str, str] = (Health.UNKNOWN, "", "")

    async def run(self) -> None:
        """Until cancelled."""
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            results = await asyncio.gather(*(self._watched(check) for check in self._checks))
            self._judge(results)
            await asyncio.sleep(max(0.0, self._timing.every_s - (clock() - began)))

    async def _watched(self, check: Check) -> _Result:
        """One check's result. A first failure is told at once, not when the slowest check has ended."""
        passed, words = await self._words_of(check)
        result = _Result(check, passed, words)
        if not passed and self._told[0] is not Health.UNHEALTHY:
            self._tell(Health.UNHEALTHY, result)
        return result

    def _judge(self, results: Sequence[_Result]) -> None:
        """A whole round. The first check of those that fail speaks for all."""
        failed = next((result for result in results if not result.passed), None)
        if failed is not None:
            self._passes = 0
            self._tell(Health.UNHEALTHY, failed)
            return
        self._passes += 1
        if results and self._passes >= self._timing.healthy_for and self._told[0] is not Health.HEALTHY:
            self._tell(Health.HEALTHY, results[0])

    def _tell(self, health: Health, result: _Result) -> None:
        telling = (health, str(result.check), result.words)
        if self._told != telling:
            self._told = telling
            self._on_health(*telling)

    async def _words_of(self, check: Check) -> tuple[bool, str]:
        """Whether the check passes, and what it says."""
        timeout_s = self._timing.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                return await self._try(check)
        except TimeoutError as error:
            return False, words_of(error) if error.errno else no_answer(timeout_s)
        except asyncio.IncompleteReadError:
            return False, _CLOSED
        except OSError as error:
            return False, words_of(error)

    async def _try(self, check: Check) -> tuple[bool, str]:
        if check.kind in (EXEC, IMAGE):
            code, said = await self._run_exec(check.command or str(check))
            return code == 0, _first_line(said) or f"exit code {code}"
        connection = await _connect(check.host, check.port, self._mark)
        with connection:
            if check.kind == HTTP:
                return await _get(connection, check)
        return True, "connected"


async def probe_tcp(address: str, port: int, mark: int, timeout_s: float) -> str:
    """Try one TCP connection with `mark` (0 is none). Empty when it was made, else why not."""
    try:
        async with asyncio.timeout(timeout_s):
            (await _connect(address, port, mark)).close()
    except TimeoutError as error:
        return words_of(error) if error.errno else no_answer(timeout_s)
    except OSError as error:
        return words_of(error)
    return ""


async def _connect(host: str, port: int, mark: int) -> socket.socket:
    """A connected socket with our mark. Raises the first address's OSError when none of them answers."""
    failures: list[OSError] = []
    for address in await _addresses(host, port):
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            if mark:
                made.setsockopt(socket.SOL_SOCKET, _SO_MARK, mark)
            await asyncio.get_running_loop().sock_connect(made, (address, port))
        except OSError as error:
            made.close()
            failures.append(error)
        except BaseException:
            made.close()
            raise
        else:
            return made
    raise failures[0] if failures else OSError("no address")


async def _addresses(host: str, port: int) -> list[str]:
    """`localhost` is both loopbacks, whatever a file says; other names go through the jar's resolver."""
    if host == "localhost":
        return list(_LOCALHOST)
    if _is_address(host):
        return [host]
    try:
        found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:  # a label too long, or empty: the codec says so, not the resolver
        raise OSError(f"{host} is not a name") from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def _get(connection: socket.socket, check: Check) -> tuple[bool, str]:
    """One GET; 2xx and 3xx pass."""
    host = f"[{check.host}]" if ":" in check.host else check.host
    request = f"GET {check.path} HTTP/1.1\r\nHost: {host}:{check.port}\r\nConnection: close\r\n\r\n"
    await asyncio.get_running_loop().sock_sendall(connection, request.encode())
    answer = await _answer(connection)
    head, _, body = answer.partition(_HEAD_END)
    status = head.split(b"\r\n", 1)[0].split()
    if len(status) < 2 or not status[0].startswith(b"HTTP/") or not status[1].isdigit():
        return False, "the answer is not HTTP" if answer else _CLOSED
    code = int(status[1])
    if _fields(head).get(b"transfer-encoding", b"").lower() == b"chunked":
        body = _unchunked(body)
    return 200 <= code < 400, f"{code} {_first_line(body.decode(errors='replace'))}".strip()[:_WORDS]


async def _answer(connection: socket.socket) -> bytes:
    """Bytes of the answer until it is whole, or enough to quote. Not every server closes when asked to."""
    loop = asyncio.get_running_loop()
    answer = b""
    while not _is_enough(answer):
        more = await loop.sock_recv(connection, _BODY_BYTES)
        if not more:
            break
        answer += more
    return answer


def _is_enough(answer: bytes) -> bool:
    head, end, body = answer.partition(_HEAD_END)
    if not end:
        return len(answer) >= _HEAD_BYTES or (len(answer) >= 5 and not answer.startswith(b"HTTP/"))
    fields = _fields(head)
    length = fields.get(b"content-length", b"")
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        is_whole = body.startswith(b"0\r\n") or b"\r\n0\r\n" in body
    elif length.isdigit():
        is_whole = len(body) >= int(length)
    else:
        is_whole = any(code in head[:13] for code in (b" 204", b" 304"))
    return is_whole or len(body) >= _BODY_BYTES


def _fields(head: bytes) -> dict[bytes, bytes]:
    """Header fields by lower-case name."""
    lines = (line.partition(b":") for line in head.split(b"\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in lines}


def _unchunked(body: bytes) -> bytes:
    """The data of whatever chunks are there."""
    data = b""
    while body:
        digits, _, rest = body.partition(b"\r\n")
        try:
            size = int(digits.partition(b";")[0], 16)
        except ValueError:
            break
        if size <= 0:
            break
        data += rest[:size]
        body = rest[size + 2 :]
    return data


def _first_line(text: str) -> str:
    return next(iter(text.strip().splitlines()), "").strip()[:_WORDS]


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
    if isinstance(error, socket.gaierror):
        return (error.strerror or "the name has no address").lower()
    return os.strerror(error.errno).lower() if error.errno else str(error)


def no_answer(timeout_s: float) -> str:
    return f"no answer within {timeout_s:g} s"
