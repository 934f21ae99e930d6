"""Makes a lab's world around a jar: `python -m belljar_tui.labs.launch LAB [FAULT...] -- AGENT...`

Started as PID 1 of fresh network, mount and PID namespaces. This namespace becomes the world, with every host of the
lab; the agent gets a network namespace of its own, joined to the world by a veth pair, and namespaces below ours, so
that whatever ends us ends all of it.

    world (hosts 10.77.1.0/24, fd77:1::/64) ── 10.77.0.1 veth 10.77.0.2 ── jar (agent, service)
"""

from __future__ import annotations

import asyncio
import ctypes
import importlib
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import NoReturn, cast

from pyroute2.iproute.linux import IPRoute
from pyroute2.netlink.exceptions import NetlinkError

from belljar_tui.core.drill import Fault
from belljar_tui.core.model import How
from belljar_tui.labs import WORLDS
from belljar_tui.labs.faults import Front
from belljar_tui.labs.hosts import Serve
from belljar_tui.labs.lab import Lab
from belljar_tui.labs.nameserver import serve as serve_names

_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_NO_DETECTION = 0x02
"""IFA_F_NODAD: an IPv6 address that is looked for on the network first, on loopback too, cannot be bound to at once."""
_WORLD4, _JAR4 = "10.77.0.1", "10.77.0.2"
_WORLD6, _JAR6 = "fd77::1", "fd77::2"
_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Build the world, run the agent in its jar, and end with the agent's exit code."""
    if len(arguments) < 3 or arguments[0] not in WORLDS or "--" not in arguments[1:-1]:
        return _fail(f"expected LAB [FAULT...] -- AGENT..., LAB one of: {', '.join(WORLDS)}", 2)
    end = arguments.index("--")
    try:
        faults = [Fault.parse(text) for text in arguments[1:end]]
    except ValueError as error:
        return _fail(f"this is no fault: {error}", 2)
    try:
        return _run(WORLDS[arguments[0]], faults, arguments[end + 1 :])
    except (OSError, NetlinkError) as error:
        return _fail(f"the world could not be made: {error}", 4)


def _run(lab: Lab, faults: list[Fault], agent: list[str]) -> int:
    """The world's side, from the fork on; the agent's exit code. Raises OSError and NetlinkError."""
    made, linked = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        _become_agent(agent, made[1], linked[0])
    for end in (made[1], linked[0]):
        os.close(end)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever is interrupted is the agent; we end when it does
    if os.read(made[0], 1) != b"!":
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    _link(pid, lab)
    loop = asyncio.new_event_loop()
    return loop.run_until_complete(_world(lab, faults, pid, lambda: os.write(linked[1], b"!")))


def _become_agent(agent: list[str], made: int, linked: int) -> NoReturn:
    """The jar's side: a network namespace, its address, and then the agent in namespaces of its own."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    try:
        if _libc.unshare(_CLONE_NEWNET) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number), "unshare of a network namespace")
        os.write(made, b"!")
        os.read(linked, 1)
        with IPRoute() as route:
            _raise(route, "lo")
            index = _raise(route, "world", (_JAR4, 24), (_JAR6, 64))
            route.route("add", dst="default", gateway=_WORLD4, oif=index)
            route.route("add", dst="default", gateway=_WORLD6, oif=index, family=socket.AF_INET6)
        os.execvp("unshare", ["unshare", "--mount", "--pid", "--ipc", "--fork", "--kill-child", "--", *agent])
    except BaseException as error:  # noqa: BLE001  # a forked child must never run the parent's code
        os._exit(_fail(f"the jar could not join the world: {error}", 4))


def _fail(words: str, code: int) -> int:
    """Say on stderr what went wrong (stdout is the agent's); the exit code again."""
    sys.stderr.write(f"belljar lab: {words}\n")
    return code


def _link(pid: int, lab: Lab) -> None:
    """The world's interfaces: every host's addresses on loopback, and a veth pair into the jar."""
    with IPRoute() as route:
        lo = _raise(route, "lo")
        for address in _addresses(lab).values():
            route.addr("add", index=lo, address=address[0], prefixlen=32)
            route.addr("add", index=lo, address=address[1], prefixlen=128, ifa_flags=_NO_DETECTION)
        route.link("add", ifname="jar", kind="veth", peer={"ifname": "world", "net_ns_pid": pid})
        _raise(route, "jar", (_WORLD4, 24), (_WORLD6, 64))


def _raise(route: IPRoute, name: str, *addresses: tuple[str, int]) -> int:
    """Give an interface its addresses and bring it up; its index."""
    index: int = route.link_lookup(ifname=name)[0]
    for address, length in addresses:
        flags = {"ifa_flags": _NO_DETECTION} if ":" in address else {}
        route.addr("add", index=index, address=address, prefixlen=length, **flags)
    route.link("set", index=index, state="up")
    return index


def _addresses(lab: Lab) -> dict[str, tuple[str, str]]:
    """Host -> IPv4 and IPv6 address; the name server is `dns`."""
    numbers = {**lab.hosts, "dns": lab.nameservers[0].rpartition(".")[2]}
    return {host: (f"10.77.1.{number}", f"fd77:1::{number}") for host, number in numbers.items()}


async def _serve(lab: Lab, faults: list[Fault]) -> None:
    """Every host at its addresses, and a front before each that is broken."""
    module = importlib.import_module(f"belljar_tui.labs.{lab.name}.hosts")
    broken = {fault.host: fault for fault in faults if fault.how is not How.COLD}
    for fault in faults:
        if fault.how is How.COLD:
            module.start_cold(fault.host)
    addresses = _addresses(lab)
    named = {host: address for host, address in addresses.items() if host.endswith(".lab")}
    dns, began = broken.get("dns"), asyncio.get_running_loop().time()
    await serve_names(
        addresses["dns"][0],
        named,
        lambda: dns is not None and asyncio.get_running_loop().time() - began >= dns.after_s,
    )
    for number, (host, serve) in enumerate(cast("dict[str, Serve]", module.HOSTS).items(), 1):
        front = broken.get(host)
        if front is None:
            for address in addresses[host]:
                await serve(address)
        else:
            await _serve_broken(serve, front, f"127.77.0.{number}", addresses[host])


async def _serve_broken(serve: Serve, fault: Fault, inner: str, addresses: tuple[str, str]) -> None:
    server = await serve(inner)
    if isinstance(server, asyncio.Server):  # a host of datagrams is simply not there
        port = int(server.sockets[0].getsockname()[1])
        for address in addresses:
            await Front(fault, (inner, port)).serve(address)


async def _world(lab: Lab, faults: list[Fault], pid: int, let_go: Callable[[], object]) -> int:
    """Serve every host until the agent's side ends."""
    await _serve(lab, faults)
    let_go()
    ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def reap() -> None:
        gone, status = os.waitpid(-1, os.WNOHANG)
        if gone == pid and not ended.done():
            ended.set_result(os.waitstatus_to_exitcode(status))

    asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, reap)
    reap()
    code = await ended
    return code if code >= 0 else 128 - code  # as a shell tells of a signal


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # the world is not wound down: it ends with us, its PID 1
