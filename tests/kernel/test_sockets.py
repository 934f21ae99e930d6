"""Sockets as the kernel has them: whose a call is, who listens, and the end of an established one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from collections.abc import Iterator

import pytest
from namespaces import EITHER_WAY, run_in_namespaces

from belljar_tui.agent import mounts
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.core.model import Endpoint, Protocol

pytestmark = pytest.mark.kernel

LOOPBACKS = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"))
MARK = 0xBE11
_SO_MARK = 36


def inode_of(made: socket.socket) -> int:
    return os.fstat(made.fileno()).st_ino


def found(protocol: Protocol, made: socket.socket, target: tuple[str, int], source: str) -> bool:
    """Whether the call from `made` to `target` is found to be its own, and its user's."""
    owner = SocketTable().find(protocol, (source, made.getsockname()[1]), target)
    return owner is not None and (owner.inode, owner.uid) == (inode_of(made), os.getuid())


@contextlib.contextmanager
def listening(family: int, address: str) -> Iterator[int]:
    with socket.create_server((address, 0), family=family) as listener:
        yield listener.getsockname()[1]


async def _tcp() -> None:
    for family, address in LOOPBACKS:
        with listening(family, address) as port, socket.create_connection((address, port)) as call:
            assert found(Protocol.TCP, call, (address, port), address)
            assert not found(Protocol.TCP, call, (address, port + 1), address)


async def _waiting_for_an_answer() -> None:
    """The listener's queue is full, so the call stays in its first packet: as it is while the kernel holds it."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, contextlib.ExitStack() as opened:
        target = listener.getsockname()
        for _ in range(4):
            call = opened.enter_context(socket.socket())
            call.setblocking(False)
            call.connect_ex(target)
            assert found(Protocol.TCP, call, target, "127.0.0.1")


async def _mapped() -> None:
    """A socket of the newer family that calls the older: what most runtimes open."""
    with listening(socket.AF_INET, "127.0.0.1") as port, socket.socket(socket.AF_INET6) as call:
        call.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        call.connect(("::ffff:127.0.0.1", port))
        assert found(Protocol.TCP, call, ("127.0.0.1", port), "127.0.0.1")
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as call:
        call.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        call.sendto(b"x", ("::ffff:127.0.0.1", 9))
        assert found(Protocol.UDP, call, ("127.0.0.1", 9), "127.0.0.1")
        call.connect(("::ffff:127.0.0.1", 9))
        assert found(Protocol.UDP, call, ("127.0.0.1", 9), "127.0.0.1")


async def _udp() -> None:
    for family, address in LOOPBACKS:
        with socket.socket(family, socket.SOCK_DGRAM) as call, socket.socket(family, socket.SOCK_DGRAM) as other:
            call.sendto(b"x", (address, 9))  # unconnected: bound to every address
            assert found(Protocol.UDP, call, (address, 9), address)
            other.connect((address, 9))
            assert found(Protocol.UDP, other, (address, 9), address)
            assert not found(Protocol.UDP, other, (address, 10), address)


async def _bound_to_a_device() -> None:
    """The kernel finds such a socket only when it is asked with the interface its packets leave by."""
    device = socket.if_nametoindex("lo")
    table = SocketTable()
    for family, address in LOOPBACKS:
        with listening(family, address) as port, socket.socket(family) as call:
            call.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
            call.connect((address, port))
            owner = table.find(Protocol.TCP, (address, call.getsockname()[1]), (address, port), device)
            assert owner is not None
            assert owner.inode == inode_of(call)
            with socket.create_connection((address, port)) as free:
                owner = table.find(Protocol.TCP, (address, free.getsockname()[1]), (address, port), device)
                assert owner is not None, "one that is bound to none is found under every interface"
                assert owner.inode == inode_of(free)
        with socket.socket(family, socket.SOCK_DGRAM) as query:
            query.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo")
            query.sendto(b"x", (address, 9))
            owner = table.find(Protocol.UDP, (address, query.getsockname()[1]), (address, 9), device)
            assert owner is not None
            assert owner.inode == inode_of(query)


async def _pings() -> None:
    mounts.open_low_ports()
    table = SocketTable()
    for (family, address), protocol, kind in zip(
        LOOPBACKS, (socket.IPPROTO_ICMP, socket.IPPROTO_ICMPV6), (8, 128), strict=True
    ):
        with (
            socket.socket(family, socket.SOCK_DGRAM, protocol) as ping,
            socket.socket(family, socket.SOCK_DGRAM, protocol) as other,
        ):
            for each in (ping, other):
                each.sendto(bytes([kind, 0, 0, 0, 0, 0, 0, 1]), (address, 0))
            identifier = ping.getsockname()[1]
            owner = table.find(Protocol.ICMP, (address, identifier), (address, 0))
            assert owner is not None
            assert owner.inode == inode_of(ping) != inode_of(other)


async def _nobody() -> None:
    table = SocketTable()
    assert table.find(Protocol.TCP, ("127.0.0.1", 40000), ("127.0.0.1", 9)) is None
    assert table.find(Protocol.UDP, ("::1", 40000), ("::1", 9)) is None
    assert table.find(Protocol.ICMP, ("127.0.0.1", 0), ("127.0.0.1", 0)) is None
    assert table.find_from(Protocol.UDP, ("127.0.0.1", 40000)) is None


async def _redirected() -> None:
    table = SocketTable()
    for family, address in LOOPBACKS:
        with socket.socket(family, socket.SOCK_DGRAM) as call, socket.socket(family, socket.SOCK_DGRAM) as query:
            query.connect((address, 53))
            owner = table.find_from(Protocol.UDP, (address, query.getsockname()[1]))
            assert owner is not None
            assert owner.inode == inode_of(query)
            call.sendto(b"x", (address, 53))
            owner = table.find_from(Protocol.UDP, (address, call.getsockname()[1]))
            assert owner is not None
            assert owner.inode == inode_of(call)
        with listening(family, address) as port, socket.create_connection((address, port)) as query:
            asker = address, query.getsockname()[1]
            owner = table.find_from(Protocol.TCP, asker, port)
            assert owner is not None
            assert owner.inode == inode_of(query)
            assert table.find_from(Protocol.TCP, asker, 53) is None, "it asks nobody for names"


async def _listeners() -> None:
    table = SocketTable()
    assert table.listeners() == set()
    with (
        listening(socket.AF_INET, "127.0.0.1") as old,
        listening(socket.AF_INET6, "::1") as new,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams,
    ):
        datagrams.bind(("127.0.0.1", 5000))
        expected = {(Protocol.TCP, old), (Protocol.TCP, new), (Protocol.UDP, 5000)}
        with socket.create_connection(("127.0.0.1", old)):
            assert table.listeners() == expected, "an established one is no listener"


async def _destroyed() -> None:
    table = SocketTable()
    assert table.can_destroy()
    for family, address in LOOPBACKS:
        with contextlib.ExitStack() as opened:
            port = opened.enter_context(listening(family, address))
            other_port = opened.enter_context(listening(family, address))
            doomed = [opened.enter_context(socket.create_connection((address, port))) for _ in range(3)]
            other = opened.enter_context(socket.create_connection((address, other_port)))
            ours = opened.enter_context(socket.socket(family))
            ours.setsockopt(socket.SOL_SOCKET, _SO_MARK, MARK)
            ours.connect((address, port))
            reading = asyncio.create_task(asyncio.to_thread(errors_of, doomed[0]))
            await asyncio.sleep(0)
            assert table.destroy_all([Endpoint(address, Protocol.TCP, port)], MARK) == 3
            assert await reading == errors_of(doomed[1]) == "ConnectionAbortedError"
            other.sendall(b"x")
            ours.sendall(b"x")
            assert table.destroy_all([Endpoint(address, Protocol.TCP, port)], MARK) == 0


def errors_of(call: socket.socket) -> str:
    """What a read meets; empty when it meets data or an end."""
    try:
        call.recv(1)
    except OSError as error:
        return type(error).__name__
    return ""


async def _destroyed_datagrams() -> None:
    table = SocketTable()
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as mapped,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unconnected,
    ):
        mapped.connect(("::ffff:127.0.0.1", 9))
        plain.connect(("127.0.0.1", 9))
        unconnected.bind(("127.0.0.1", 0))
        assert table.destroy_all([Endpoint("127.0.0.1", Protocol.UDP, 9)], MARK) == 2
        assert errors_of(plain) == errors_of(mapped) == "ConnectionAbortedError"
        unconnected.sendto(b"x", unconnected.getsockname())
        assert unconnected.recv(1) == b"x"


async def _many() -> None:
    """More sockets than one answer of the kernel holds."""
    table = SocketTable()
    with contextlib.ExitStack() as opened:
        listener = opened.enter_context(socket.create_server(("127.0.0.1", 0), backlog=400))
        port = listener.getsockname()[1]
        for _ in range(400):
            opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        assert table.destroy_all([Endpoint("127.0.0.1", Protocol.TCP, port)], MARK) == 400
        assert (Protocol.TCP, port) in table.listeners()


@EITHER_WAY
def test_a_tcp_call_is_found_by_its_addresses(unprivileged: bool) -> None:
    run_in_namespaces(_tcp, unprivileged=unprivileged)


@EITHER_WAY
def test_a_call_that_still_waits_for_an_answer_is_found(unprivileged: bool) -> None:
    run_in_namespaces(_waiting_for_an_answer, unprivileged=unprivileged)


@EITHER_WAY
def test_an_ipv4_call_of_an_ipv6_socket_is_found(unprivileged: bool) -> None:
    run_in_namespaces(_mapped, unprivileged=unprivileged)


@EITHER_WAY
def test_a_datagram_is_found_by_its_addresses_connected_or_not(unprivileged: bool) -> None:
    run_in_namespaces(_udp, unprivileged=unprivileged)


@EITHER_WAY
def test_a_call_that_is_bound_to_an_interface_is_found(unprivileged: bool) -> None:
    run_in_namespaces(_bound_to_a_device, unprivileged=unprivileged)


@EITHER_WAY
def test_a_ping_is_found_by_its_identifier(unprivileged: bool) -> None:
    run_in_namespaces(_pings, unprivileged=unprivileged)


@EITHER_WAY
def test_a_redirected_query_is_found_by_where_it_came_from(unprivileged: bool) -> None:
    run_in_namespaces(_redirected, unprivileged=unprivileged)


def test_a_call_that_is_over_belongs_to_nobody() -> None:
    run_in_namespaces(_nobody, unprivileged=True)


@EITHER_WAY
def test_listeners_are_those_that_wait_for_others(unprivileged: bool) -> None:
    run_in_namespaces(_listeners, unprivileged=unprivileged)


@EITHER_WAY
def test_destroying_wakes_idle_readers_and_spares_others_and_ours(unprivileged: bool) -> None:
    run_in_namespaces(_destroyed, unprivileged=unprivileged)


@EITHER_WAY
def test_connected_datagram_sockets_are_destroyed_too(unprivileged: bool) -> None:
    run_in_namespaces(_destroyed_datagrams, unprivileged=unprivileged)


def test_four_hundred_sockets_are_destroyed_in_one_go() -> None:
    run_in_namespaces(_many, unprivileged=True)
