"""Little worlds for kernel tests: a jar's network namespace and a neighbour, gone with the process that made them.

A test's body is a function of this folder, run by its own interpreter as PID 1 of fresh namespaces: as root through
plain namespaces, and through a user namespace as a normal user would have it. Nothing is left when it ends.
"""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest

from belljar_tui.agent.ruleset import Ruleset

ROOT = Path(__file__).parents[2]
NEIGHBOUR4, NEIGHBOUR6 = "10.66.0.2", "fd66::2"
_CLONE_NEWNET = 0x40000000
_RECVERR4, _RECVERR6 = (socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25)
DEADLINE_S = 60
_FRESH = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")

PRIVILEGES = pytest.mark.parametrize(
    "flags",
    [
        pytest.param((), id="root", marks=pytest.mark.skipif(os.geteuid() != 0, reason="plain namespaces need root")),
        pytest.param(("--user", "--map-root-user"), id="user-namespace"),
    ],
)
"""Runs a test through plain namespaces (root only) and through a user namespace."""


def run_in_jar(body: Callable[[], Awaitable[None]], flags: tuple[str, ...]) -> None:
    """Run the coroutine function `body` of a test module inside fresh namespaces; its failure is ours."""
    program = f"from {body.__module__} import {body.__name__} as body; from worlds import enter; enter(body)"
    done = subprocess.run(
        [*_FRESH, *flags, sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def enter(body: Callable[[], Awaitable[None]]) -> None:
    """Inside: bring up a neighbour, then run the test."""
    with_neighbour()
    asyncio.run(_bounded(body))


async def _bounded(body: Callable[[], Awaitable[None]]) -> None:
    await asyncio.wait_for(body(), DEADLINE_S - 10)


def with_neighbour() -> int:
    """A second network namespace over a veth pair, where echo servers listen. Returns its keeper's pid."""
    ready_read, ready_write = os.pipe()
    go_read, go_write = os.pipe()
    pid = os.fork()
    if pid == 0:
        if ctypes.CDLL(None).unshare(_CLONE_NEWNET) != 0:
            os._exit(1)
        os.write(ready_write, b"!")
        os.read(go_read, 1)
        _ip("link set lo up", "link set there up", f"addr add {NEIGHBOUR4}/24 dev there")
        _ip(f"-6 addr add {NEIGHBOUR6}/64 dev there nodad")
        asyncio.run(_echo(ready_write))
        os._exit(0)
    os.read(ready_read, 1)
    _ip("link set lo up", f"link add here type veth peer name there netns {pid}", "link set here up")
    _ip("addr add 10.66.0.1/24 dev here", "-6 addr add fd66::1/64 dev here nodad")
    os.write(go_write, b"!")
    os.read(ready_read, 1)
    return pid


def _ip(*commands: str) -> None:
    ip = shutil.which("ip") or "/sbin/ip"
    for command in commands:
        subprocess.run([ip, *command.split()], check=True)


class _Echo(asyncio.DatagramProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.transport.sendto(data, addr)


async def _echo_stream(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65536):
        writer.write(data)
    writer.close()


async def _echo(ready: int) -> None:
    """Echo on TCP 7000-7003 and UDP 7000, both families, until killed."""
    loop = asyncio.get_running_loop()
    for address in (NEIGHBOUR4, NEIGHBOUR6):
        for port in range(7000, 7004):
            await asyncio.start_server(_echo_stream, address, port)
        await loop.create_datagram_endpoint(_Echo, (address, 7000))
    os.write(ready, b"!")
    await asyncio.Event().wait()


async def says(address: str, port: int, timeout_s: float = 1.0) -> str:
    """What a fresh TCP call meets: `echo`, or the error's name. In a thread: our loop may be the one that holds it."""
    return await asyncio.to_thread(_says, address, port, timeout_s)


def _says(address: str, port: int, timeout_s: float) -> str:
    try:
        with socket.create_connection((address, port), timeout_s) as call:
            call.sendall(b"x")
            return "echo" if call.recv(1) == b"x" else "closed"
    except TimeoutError:
        return "timeout"
    except OSError as error:
        return type(error).__name__


async def says_udp(address: str, port: int, timeout_s: float = 1.0) -> str:
    """What a fresh datagram meets."""
    return await asyncio.to_thread(_says_udp, address, port, timeout_s)


def _says_udp(address: str, port: int, timeout_s: float) -> str:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as call:
        call.settimeout(timeout_s)
        try:
            call.connect((address, port))
            call.send(b"x")
            return "echo" if call.recv(1) == b"x" else "closed"
        except TimeoutError:
            return "timeout"
        except OSError as error:
            return type(error).__name__


async def met(address: str, port: int, timeout_s: float = 5.0) -> str:
    """What a fresh TCP call meets: `echo`, `timeout`, or the errno's name."""
    return await asyncio.to_thread(_met, address, port, socket.SOCK_STREAM, timeout_s)


async def met_udp(address: str, port: int, timeout_s: float = 5.0) -> str:
    """What a fresh datagram, and the wait for its answer, meet, where the caller hears of every error (IP_RECVERR)."""
    return await asyncio.to_thread(_met, address, port, socket.SOCK_DGRAM, timeout_s)


def _met(address: str, port: int, kind: socket.SocketKind, timeout_s: float) -> str:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind) as call:
        call.settimeout(timeout_s)
        if kind is socket.SOCK_DGRAM:
            call.setsockopt(*(_RECVERR6 if ":" in address else _RECVERR4), 1)
        try:
            call.connect((address, port))
            call.send(b"x")
            return "echo" if call.recv(1) == b"x" else "closed"
        except TimeoutError:
            return "timeout"
        except OSError as error:
            return errno.errorcode.get(error.errno or 0, str(error))


def syns_sent_again() -> int:
    """SYNs that were sent again in this namespace, as on a busy machine: each is one packet more."""
    names, values = (line.split() for line in Path("/proc/net/netstat").read_text().splitlines()[:2])
    return int(values[names.index("TCPSynRetrans")])


def keep_holding(ruleset: Ruleset) -> asyncio.Task[None]:
    """Let calls be held from now on, as while the agent lives: the kernel holds none when nobody has said so for two
    seconds. The task must be kept, and ended before the table is."""
    ruleset.hold_calls(keeps_up=True)
    return asyncio.create_task(_renewed(ruleset))


async def _renewed(ruleset: Ruleset) -> None:
    while True:
        await asyncio.sleep(0.5)
        ruleset.hold_calls(keeps_up=True)
