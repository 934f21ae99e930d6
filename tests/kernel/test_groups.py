"""Multicast and broadcast: told from dependencies, counted and cut like them; nothing of them leaves a vacuum."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
import subprocess
import sys
from collections import Counter

import pytest
from namespaces import EITHER_WAY, run_in_namespaces
from test_lanes import Jar, until
from worlds import _ip, keep_holding, with_neighbour

from belljar_tui.agent.network import broadcasts, joined_groups
from belljar_tui.agent.nft import OPENED
from belljar_tui.agent.queue import CallQueue
from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Mode, Reach, Seal, Wanted

pytestmark = pytest.mark.kernel

PORT = 5000
GROUP4, GROUP6, LINK_GROUP6, SUBNET, ALL = "239.1.2.3", "ff05::77", "ff02::fb", "10.66.0.255", "255.255.255.255"
REACH = {
    GROUP4: Reach.MULTICAST,
    GROUP6: Reach.MULTICAST,
    LINK_GROUP6: Reach.MULTICAST,
    SUBNET: Reach.BROADCAST,
    ALL: Reach.BROADCAST,
}
LISTENER = f"""
import socket, struct, sys
v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
v4.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
v4.bind(("", {PORT}))
index = socket.if_nametoindex("there")
joining = struct.pack("4s4si", socket.inet_aton("{GROUP4}"), b"", index)
v4.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joining)
v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
v6.bind(("::", {PORT}))
for group in ("{GROUP6}", "{LINK_GROUP6}"):
    joining = socket.inet_pton(socket.AF_INET6, group) + struct.pack("=I", index)
    v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joining)
print("ready", flush=True)
import selectors
waiting = selectors.DefaultSelector()
for each in (v4, v6):
    waiting.register(each, selectors.EVENT_READ)
while True:
    for key, _ in waiting.select():
        print(key.fileobj.recv(100).decode(), flush=True)
"""


REPORTS = """
import socket
taken = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
taken.bind(("there", 3))
print("ready", flush=True)
while True:
    packet = taken.recv(2000)
    if packet[0] >> 4 == 4 and packet[9] == 2:
        print("igmp", flush=True)
    if packet[0] >> 4 == 6 and packet[6] == 0 and packet[48] == 143:
        print("mld", flush=True)
    if packet[0] >> 4 == 4 and packet[-4:] == b"done":
        print("done", flush=True)
"""


class Speaker:
    """A socket of the service's, kept open, that may speak to a group."""

    def __init__(self, address: str) -> None:
        self.address = address
        index = socket.if_nametoindex("here")
        if ":" in address:
            self.socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        else:
            self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            self.socket.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, struct.pack("4s4si", b"", b"", index))

    async def say(self, words: str, times: int = 1) -> None:
        for _ in range(times):
            await asyncio.to_thread(self.socket.sendto, words.encode(), (self.address, PORT))

    @property
    def id(self) -> str:
        return f"udp://[{self.address}]:{PORT}" if ":" in self.address else f"udp://{self.address}:{PORT}"


class World:
    """A jar's parts, and a neighbour who has joined the groups and tells what arrives."""

    def __init__(self, listening: str = LISTENER) -> None:
        neighbour = with_neighbour()
        _ip("route add default via 10.66.0.2")
        entering = ["nsenter", f"--net=/proc/{neighbour}/ns/net", sys.executable, "-c", listening]
        listener = subprocess.Popen(entering, stdout=subprocess.PIPE, text=True)
        assert listener.stdout is not None
        assert listener.stdout.readline() == "ready\n"
        self._heard = listener.stdout
        self.jar = Jar(with_world=False)
        CallQueue(OPENED, lambda flow: self.jar.observer.on_flow(flow, is_counted=True), lambda _: None).start()
        self.living = keep_holding(self.jar.ruleset)
        self.speakers = [Speaker(address) for address in REACH]

    def want(self, wanted: Wanted) -> None:
        self.jar.observer.change(lambda: self.jar.enforcer.want(wanted))

    async def heard_until(self, words: str) -> Counter[str]:
        """What arrives until `words` do."""
        found: Counter[str] = Counter()
        async with asyncio.timeout(10):
            while (line := (await asyncio.to_thread(self._heard.readline)).strip()) != words:
                found[line] += 1
        return found

    def _held(self) -> int:
        self.jar.observer.flush()
        return sum(each.count for each in self.jar.events if isinstance(each, ev.CallBlocked))

    async def blocked(self, calls: int) -> dict[str, Counter[int | None]]:
        """Blocked calls of each dependency by process, once so many were held; and those that the kernel counted."""
        await until(lambda: self._held() >= calls)
        self.jar.observer.count(is_last=True)
        found: dict[str, Counter[int | None]] = {}
        for each in self.jar.events:
            if isinstance(each, ev.CallBlocked):
                found.setdefault(each.dependency, Counter())[each.pid] += each.count
        return found


async def _told_apart() -> None:
    world = World()
    for speaker in world.speakers:
        await speaker.say(speaker.address, 3)
    await world.speakers[0].say("done")
    assert await world.heard_until("done") == dict.fromkeys(REACH, 3)
    call = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    await asyncio.to_thread(call.sendto, b"x", ("10.66.0.2", 7000))
    await until(lambda: len({e.dependency for e in world.jar.events if isinstance(e, ev.DependencySeen)}) > len(REACH))
    world.jar.observer.count(is_last=True)
    state = fold(world.jar.events)
    views = state.dependencies
    assert {each.id: views[each.id].reach for each in world.speakers} == {
        e.id: REACH[e.address] for e in world.speakers
    }
    assert views["udp://10.66.0.2:7000"].reach is Reach.HOST
    assert (state.open_count, state.group_count) == (1, len(REACH))
    assert [views[each.id].calls for each in world.speakers] == [4, 3, 3, 3, 3]
    assert {pid for each in world.speakers for pid in views[each.id].callers} == {os.getpid()}


async def _sealed() -> None:
    """Not one leaves, also not the first to a group nobody has spoken to; each is counted, by process."""
    world = World()
    for mode in (Mode.REFUSE, Mode.BLACKHOLE, Mode.UNREACHABLE):
        world.want(Wanted(seal=Seal.VACUUM, seal_mode=mode))
        for speaker in world.speakers:
            await speaker.say("not to be heard", 5)
        assert await world.blocked(5 * len(REACH)) == {each.id: {os.getpid(): 5} for each in world.speakers}, mode
        world.jar.events.clear()
        world.want(Wanted())
        for speaker in world.speakers:
            await speaker.say(f"done {speaker.address}")
            assert await world.heard_until(f"done {speaker.address}") == {}, mode


async def _cut_alone() -> None:
    world = World()
    cut, *others = world.speakers
    world.want(Wanted(cuts={cut.id: Mode.REFUSE}))
    for speaker in world.speakers:
        await speaker.say(speaker.address, 2)
    await others[-1].say("done")
    assert await world.heard_until("done") == {each.address: 2 for each in others}
    assert await world.blocked(2) == {cut.id: {os.getpid(): 2}}
    world.want(Wanted())
    await cut.say("again")
    assert await world.heard_until("again") == {}
    opens = frozenset({cut.id})
    world.want(Wanted(seal=Seal.VACUUM, seal_mode=Mode.REFUSE, opens=opens))
    for speaker in reversed(world.speakers):
        await speaker.say(speaker.address)
    assert await world.heard_until(cut.address) == {}, "under a vacuum what is left open passes, and nothing else"


async def _joined() -> None:
    with_neighbour()
    assert broadcasts() >= {SUBNET}
    assert joined_groups() == []
    index = socket.if_nametoindex("here")
    v4, v6 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    v4.setsockopt(
        socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack("4s4si", socket.inet_aton(GROUP4), b"", index)
    )
    packed = socket.inet_pton(socket.AF_INET6, GROUP6)
    v6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed + struct.pack("=I", index))
    assert joined_groups() == [GROUP4, GROUP6]
    v4.close()
    assert joined_groups() == [GROUP6]


async def _reports() -> None:
    """IPv4's join comes first, so that its report would have left when IPv6's has; the last datagram is open."""
    world, last = World(REPORTS), Speaker("10.66.0.2")
    for seal in (Seal.VACUUM, Seal.OPEN):
        world.want(Wanted(seal=seal, seal_mode=Mode.REFUSE, opens=frozenset({last.id})))
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as v4,
            socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as v6,
        ):
            index = socket.if_nametoindex("here")
            joining = struct.pack("4s4si", socket.inet_aton(GROUP4), b"", index)
            await asyncio.to_thread(v4.setsockopt, socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joining)
            await asyncio.sleep(0.05)  # its timer is one tick
            packed = socket.inet_pton(socket.AF_INET6, GROUP6) + struct.pack("=I", index)
            await asyncio.to_thread(v6.setsockopt, socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, packed)
            before = await world.heard_until("mld")
            await last.say("done")
            heard = before + await world.heard_until("done")
            assert (heard["igmp"] > 0) is (seal is Seal.OPEN)


@pytest.mark.skipif(os.geteuid() != 0, reason="a capture needs root")
def test_what_the_kernel_reports_of_groups_is_as_the_readme_says() -> None:
    run_in_namespaces(_reports, unprivileged=False)


@EITHER_WAY
def test_multicast_and_broadcast_are_told_from_dependencies(unprivileged: bool) -> None:
    run_in_namespaces(_told_apart, unprivileged=unprivileged)


@EITHER_WAY
def test_under_a_vacuum_none_leaves_and_each_is_counted(unprivileged: bool) -> None:
    run_in_namespaces(_sealed, unprivileged=unprivileged)


def test_one_group_is_cut_or_left_open_alone() -> None:
    run_in_namespaces(_cut_alone, unprivileged=os.geteuid() != 0)


def test_the_groups_that_the_service_joins_are_seen() -> None:
    run_in_namespaces(_joined, unprivileged=os.geteuid() != 0)
