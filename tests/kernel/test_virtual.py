"""Two names on one address: each is cut, counted and attributed alone, by an address of the jar's own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
import time
from typing import cast

import dns.message
import dns.query
import dns.rdatatype
import dns.reversename
import dns.rrset
import pytest
from namespaces import EITHER_WAY, run_in_namespaces
from worlds import NEIGHBOUR4, NEIGHBOUR6, keep_holding, met, met_udp, syns_sent_again, with_neighbour

from belljar_tui.agent import mounts
from belljar_tui.agent.apart import NamesApart
from belljar_tui.agent.directory import Directory
from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.agent.lanes import Lanes
from belljar_tui.agent.names import NameServer
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.nft import AGENT_MARK, FIRST, FOLLOWERS, LANES, OPENED, QUEUE
from belljar_tui.agent.observer import Observer
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.processes import ProcessTable
from belljar_tui.agent.provoke import provoke
from belljar_tui.agent.queue import CallQueue, LetGo, WaitingRoom
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.core import events as ev
from belljar_tui.core.model import Endpoint, Mode, Seal, Settings, Wanted

pytestmark = pytest.mark.kernel

UPSTREAM = ("10.66.0.1", 53)
NOBODYS = "10.66.0.99"
DEADLINE_S = 10.0
A, B = "tcp://a.lab:7000", "tcp://b.lab:7000"
ALIASES = {"alias.lab": "a.lab", "one.lab": "third.lab", "other.lab": "third.lab"}
_TCP, _UDP = (socket.SOCK_STREAM, 0, b"x"), (socket.SOCK_DGRAM, 0, b"x")
_ECHO4, _ECHO6 = struct.pack(">BBHHH", 8, 0, 0, 1, 1), struct.pack(">BBHHH", 128, 0, 0, 1, 1)
_FAST_OPEN = 0x20000000
WAYS: dict[str, tuple[int, int, int, bytes]] = {
    "tcp": (socket.AF_INET, *_TCP),
    "tcp over IPv6": (socket.AF_INET6, *_TCP),
    "multipath": (socket.AF_INET, socket.SOCK_STREAM, 262, b"x"),
    "fast open": (socket.AF_INET, *_TCP),
    "a datagram": (socket.AF_INET, *_UDP),
    "fragments": (socket.AF_INET, socket.SOCK_DGRAM, 0, bytes(30_000)),
    "ping": (socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP, _ECHO4),
    "ping over IPv6": (socket.AF_INET6, socket.SOCK_DGRAM, socket.IPPROTO_ICMPV6, _ECHO6),
}
INSIDE = {"inside.lab": "10.66.0.1", "loop.lab": "127.0.0.1"}


class Upstream(asyncio.DatagramProtocol):
    """Every name is the neighbour's, some by way of another one."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        response = dns.message.make_response(dns.message.from_wire(data))
        question = response.question[0]
        name = question.name.to_text(omit_final_dot=True)
        host = ALIASES.get(name, name)
        if host != name:
            response.answer.append(dns.rrset.from_text(question.name, 60, "IN", "CNAME", f"{host}."))
        six = question.rdtype == dns.rdatatype.AAAA
        address = NEIGHBOUR6 if six else INSIDE.get(host, NEIGHBOUR4)
        response.answer.append(dns.rrset.from_text(f"{host}.", 60, "IN", "AAAA" if six else "A", address))
        self.transport.sendto(response.to_wire(), addr)


class Jar:
    """The agent's parts, put together as the agent does; calls are made in threads."""

    def __init__(self, *, is_on: bool = True, at_most: int = 100, has_world: bool = False) -> None:
        if not has_world:
            with_neighbour()
        self.events: list[ev.AnyEvent] = []
        self.sockets = SocketTable()
        self.directory = Directory(keeps_owners=is_on)
        self.apart = (
            NamesApart(
                self.directory,
                lambda v, real: self.ruleset.translate(v, real),
                lambda: self._lost(),
                self._broke,
                at_most,
            )
            if is_on
            else None
        )
        self.server = NameServer(
            [UPSTREAM],
            AGENT_MARK,
            lambda name, addresses, _: self.enforcer.learn(name, addresses),
            lambda: None,
            lambda _, __: None,
            lambda _, __: None,
            lambda name: self.enforcer.answer_of(name),
            lambda name, peer: self.observer.on_name_failed(name, peer),
            apart=self.apart,
        )

    async def start(self) -> Jar:
        await asyncio.get_running_loop().create_datagram_endpoint(Upstream, UPSTREAM)
        self.netfilter = Netfilter()
        self.ruleset = Ruleset(self.netfilter, await self.server.start(), [], self._open)
        self.ruleset.create()
        self.enforcer = Enforcer(self.ruleset, self.directory, self._destroy, self.events.append, time.monotonic)
        processes = ProcessTable(ignored=())
        processes.scan()
        self.observer = Observer(
            self.enforcer,
            self.sockets,
            processes,
            frozenset(),
            self.events.append,
            time.monotonic,
            self.apart.real_of if self.apart else lambda _: None,
        )
        self.lanes = Lanes(AGENT_MARK, self.enforcer.pace_of, self.sockets.has_owner, self._broke)
        for number, on_call in (
            (QUEUE, self.observer.on_held),
            (FIRST, lambda flow: self.observer.on_held(flow, is_first=True)),
            (OPENED, lambda flow: self.observer.on_flow(flow, is_counted=True)),
            (FOLLOWERS, lambda _: None),
        ):
            CallQueue(number, on_call, lambda _: None).start()
        self.living = keep_holding(self.ruleset)
        return self

    def _destroy(self, endpoints: list[Endpoint], mode: Mode) -> int:
        if mode is Mode.RESET and self.apart is not None:
            provoke(self.sockets.flows_to(endpoints, AGENT_MARK))
        return self.sockets.destroy_all(endpoints, AGENT_MARK)

    def _open(self) -> int:
        WaitingRoom(LANES, self._on_waiting, lambda _: None).start()
        return self.lanes.open()

    def _on_waiting(self, flow: Flow, let_go: LetGo) -> None:
        self.observer.on_held(flow)
        self.lanes.on_waiting(flow, let_go)

    def _broke(self, detail: str) -> None:
        self.events.append(ev.LaneBroke(at=0.0, detail=detail))

    def _lost(self) -> None:
        self.events.append(ev.EventsLost(at=0.0, source="virtual", count=1))

    def want(
        self, mode: Mode | None, *cut: str, seal: Seal = Seal.OPEN, opens: tuple[str, ...] = (), **settings: object
    ) -> None:
        of = Settings(**settings)  # type: ignore[arg-type]
        cuts = dict.fromkeys(cut, mode) if mode is not None else {}
        wanted = Wanted(seal, Mode.REFUSE, cuts, frozenset(opens), dict.fromkeys(cuts, of))
        self.observer.change(lambda: self.enforcer.want(wanted))
        self.lanes.refresh()

    def counted(self) -> dict[str, tuple[int, int]]:
        """Open and blocked calls of each dependency, as they were said."""
        self.observer.count(is_last=True)
        opened = {each.dependency: each.calls for each in self.events if isinstance(each, ev.TrafficCounted)}
        blocked: dict[str, int] = {}
        for each in self.events:
            if isinstance(each, ev.CallBlocked):
                blocked[each.dependency] = blocked.get(each.dependency, 0) + each.count
        return {d: (opened.get(d, 0), blocked.get(d, 0)) for d in (*opened, *blocked)}

    def callers(self) -> dict[str, set[int | None]]:
        """Who was said to call each dependency."""
        found: dict[str, set[int | None]] = {}
        for each in self.events:
            if isinstance(each, ev.DependencySeen | ev.CallBlocked):
                found.setdefault(each.dependency, set()).add(each.pid)
        return found

    def troubles(self) -> list[str]:
        return [each.detail for each in self.events if isinstance(each, ev.AuditFailed | ev.LaneBroke)]


async def resolved(name: str, kind: str = "A") -> str:
    """The address that the service gets."""
    query = dns.message.make_query(name, kind)
    response = await asyncio.to_thread(dns.query.udp, query, NOBODYS, DEADLINE_S)
    return str(response.answer[-1][0].address)


async def _each_alone() -> None:
    jar, before = await Jar().start(), syns_sent_again()
    for kind, real in (("A", NEIGHBOUR4), ("AAAA", NEIGHBOUR6)):
        a, b = await resolved("a.lab", kind), await resolved("b.lab", kind)
        assert (a, b != real) == (real, True)
        assert (await resolved("a.lab", kind), await resolved("b.lab", kind)) == (a, b), "and so it stays"
        assert await met(a, 7000) == await met(b, 7000) == "echo"
        for cut, open_, dependency in ((b, a, B), (a, b, A)):
            jar.want(Mode.REFUSE, dependency, dependency.replace("tcp", "udp"))
            assert await met(cut, 7000) == await met_udp(cut, 7000) == "ECONNREFUSED"
            assert await met(open_, 7000) == await met_udp(open_, 7000) == "echo"
            jar.want(Mode.BLACKHOLE, dependency, dependency.replace("tcp", "udp"))
            assert await met(cut, 7000, 0.2) == await met_udp(cut, 7000, 0.2) == "timeout"
            assert await met(open_, 7000) == await met_udp(open_, 7000) == "echo"
            jar.want(Mode.UNREACHABLE, dependency)
            assert await met(cut, 7000) == "EHOSTUNREACH"
            jar.want(None)
            assert await met(cut, 7000) == await met_udp(cut, 7000) == "echo"
    # in each family one of the two is cut at a time: what met no cut is open
    counts = jar.counted()
    assert {d: counts[d][0] for d in (A, B)} == {A: 8, B: 8}
    assert {d: counts[d.replace("tcp", "udp")] for d in (A, B)} == {A: (6, 4), B: (6, 4)}
    again = syns_sent_again() - before
    assert (counts[A][1] - 6) + (counts[B][1] - 6) == again, "each cut call, and each SYN that the kernel sent again"
    assert min(counts[A][1], counts[B][1]) >= 6
    assert {pid for callers in jar.callers().values() for pid in callers} == {os.getpid()}
    seen = {each.virtual for each in jar.events if isinstance(each, ev.DependencySeen) and each.dependency == B}
    assert len(seen) == 2, "the real endpoint, and by which address it is reached"
    assert {e.endpoint for e in jar.events if isinstance(e, ev.DependencySeen) and e.dependency == B} == {
        f"tcp {NEIGHBOUR4}:7000",
        f"tcp [{NEIGHBOUR6}]:7000",
    }
    assert jar.troubles() == []


async def _established() -> None:
    """Pooled connections of the one are aborted, reset and resumed; the other's go on."""
    jar = await Jar().start()
    for kind in ("A", "AAAA"):
        a, b = await resolved("a.lab", kind), await resolved("b.lab", kind)
        pools = [await asyncio.to_thread(_pooled, address) for address in (a, b)]
        assert pools[1].getpeername()[0] == b, "what the service sees of its peer is the virtual address"
        jar.want(Mode.BLACKHOLE, B)
        assert await asyncio.to_thread(_goes, pools[0]) == "echo"
        assert await asyncio.to_thread(_goes, pools[1], 0.3) == "TimeoutError"
        jar.want(None)
        pools[1].settimeout(DEADLINE_S)  # each time the kernel waits twice as long
        assert await asyncio.to_thread(pools[1].recv, 1) == b"x", "what was sent meanwhile is sent again"
        jar.want(Mode.REFUSE, B)
        assert [await asyncio.to_thread(_goes, pool) for pool in pools] == ["echo", "ConnectionAbortedError"]
        jar.want(None)
        again = await asyncio.to_thread(_pooled, b)
        waiting = asyncio.create_task(asyncio.to_thread(again.recv, 1))
        jar.want(Mode.RESET, B)
        with pytest.raises(ConnectionResetError):
            await waiting
        assert await asyncio.to_thread(_goes, pools[0]) == "echo"
        jar.want(None)
        for pool in (*pools, again):
            pool.close()


async def _modes() -> None:
    jar = await Jar().start()
    a, b = await resolved("a.lab"), await resolved("b.lab")
    jar.want(Mode.REFUSE, B, until=time.monotonic() + 1.5)
    assert (await met(b, 7000), await met(a, 7000)) == ("ECONNREFUSED", "echo")
    end = time.monotonic() + DEADLINE_S
    while await met(b, 7000) != "echo":
        assert time.monotonic() < end, "the kernel did not end the cut"
    jar.want(Mode.FLAKY, B, fraction=1.0)
    assert (await met(a, 7000), await met(b, 7000)) == ("echo", "ECONNREFUSED")
    jar.want(Mode.DNS, B)
    query = dns.message.make_query("b.lab", "A")
    assert not (await asyncio.to_thread(dns.query.udp, query, NOBODYS, DEADLINE_S)).answer
    assert (await met(a, 7000), await met(b, 7000), await resolved("a.lab")) == ("echo", "echo", a)
    jar.want(Mode.RESET, B, after_bytes=20_000)
    with await asyncio.to_thread(_pooled, b) as flow, pytest.raises(ConnectionResetError):
        await asyncio.to_thread(_carry, flow, 100)
    jar.want(None, seal=Seal.VACUUM, opens=(B,))
    assert (await met(a, 7000), await met(b, 7000)) == ("ECONNREFUSED", "echo")
    jar.want(None, seal=Seal.VACUUM, opens=(A,))
    assert (await met(a, 7000), await met(b, 7000)) == ("echo", "ECONNREFUSED")
    c = await resolved("c.lab")
    assert await met(c, 7000) == await met(a, 7001) != "echo", "its first call fails as anybody's"
    assert await met(c, 7000) == "ECONNREFUSED"
    assert jar.troubles() == []


async def _lanes() -> None:
    """First a lane and then an address, and the other way round; slow, hang, restored, and a real refusal."""
    jar, fresh = await Jar().start(), B.replace("7000", "7001")
    jar.want(Mode.SLOW, "tcp://nobody.lab:1", delay_s=0.5)
    for kind in ("A", "AAAA"):
        a, b = await resolved("a.lab", kind), await resolved("b.lab", kind)
        jar.want(Mode.SLOW, B, B.replace("7000", "7999"), delay_s=0.5)
        assert await asyncio.to_thread(_took_s, a) < 0.5 <= await asyncio.to_thread(_took_s, b)
        assert await met(b, 7999) == "ECONNREFUSED", "nobody listens there"
        flow = await asyncio.to_thread(_pooled, b)
        jar.want(Mode.HANG, B)
        assert (await met(a, 7000), await met(b, 7000, 0.3)) == ("echo", "timeout")
        jar.want(None)
        assert await asyncio.to_thread(_goes, flow) == "echo", "a flow in the lane goes on, at full speed"
        flow.close()
        assert (await met(a, 7000), await met(b, 7000)) == ("echo", "echo")
        jar.want(Mode.HANG, fresh)  # no flow from before, whose last word would be a call into the void
        jar.want(Mode.BLACKHOLE, fresh)
        assert (await met(a, 7000), await met(b, 7001, 0.3)) == ("echo", "timeout")
        jar.want(None)
    counts = jar.counted()
    assert counts == {A: (8, 0), B: (6, 2), fresh: (0, 2), B.replace("7000", "7999"): (2, 0)}, counts
    assert jar.troubles() == []


async def _aliases() -> None:
    await Jar().start()
    assert await resolved("a.lab") == NEIGHBOUR4
    assert await resolved("alias.lab") == NEIGHBOUR4, "an alias of who has the address is the same dependency"
    one, other = await resolved("one.lab"), await resolved("other.lab")
    assert len({one, other, NEIGHBOUR4}) == 3, "two names, both asked for"
    assert (await resolved("inside.lab"), await resolved("loop.lab")) == ("10.66.0.1", "127.0.0.1")
    pointer = dns.message.make_query(dns.reversename.from_address(one), "PTR")
    response = await asyncio.to_thread(dns.query.udp, pointer, NOBODYS, DEADLINE_S)
    assert response.answer[0][0].target.to_text() == "one.lab."


async def _off() -> None:
    jar = await Jar(is_on=False).start()
    assert await resolved("a.lab") == await resolved("b.lab") == NEIGHBOUR4
    jar.want(Mode.REFUSE, A)
    assert await met(NEIGHBOUR4, 7000) == "ECONNREFUSED"
    jar.want(Mode.REFUSE, B)
    assert await met(NEIGHBOUR4, 7000) == "echo", "it is the first one's"
    assert set(jar.counted()) == {A}


async def _all_given_out() -> None:
    jar = await Jar(at_most=1).start()
    assert [await resolved(f"{name}.lab") == NEIGHBOUR4 for name in "abc"] == [True, False, True]
    await resolved("c.lab")
    assert [each.count for each in jar.events if isinstance(each, ev.EventsLost)] == [1], "said once"


async def _ways_out() -> None:
    """Under vacuum nothing reaches the real address by a virtual one, whatever the protocol, and each call is seen."""
    mounts.open_low_ports()
    jar = await Jar().start()
    await resolved("a.lab")
    await resolved("a.lab", "AAAA")
    four, six = await resolved("b.lab"), await resolved("b.lab", "AAAA")
    for way in WAYS:
        assert await asyncio.to_thread(_gets_out, way, four, six), f"it can tell: {way}"
    jar.want(None, seal=Seal.VACUUM, opens=(A, A.replace("tcp", "udp"), "icmp://a.lab"))
    for way in WAYS:
        assert not await asyncio.to_thread(_gets_out, way, four, six), way
    blocked = {d: count for d, (_, count) in jar.counted().items() if count}
    assert blocked == {B: 4, B.replace("tcp", "udp"): 2, "icmp://b.lab": 2}, blocked


def _gets_out(way: str, four: str, six: str) -> bool:
    family, kind, protocol, data = WAYS[way]
    with socket.socket(family, kind, protocol) as out:
        out.settimeout(None if way == "fast open" else 2)
        address = (six if family == socket.AF_INET6 else four, 7000)
        try:
            if way == "fast open":
                out.sendto(data, _FAST_OPEN, address)
            else:
                out.connect(address)
                out.send(data)
            return bool(out.recv(64))
        except OSError:
            return False


async def _killed() -> None:
    """The table goes with its owner; what is left leads nowhere."""
    jar = await Jar().start()
    a, b = await resolved("a.lab"), await resolved("b.lab")
    assert await met(b, 7000) == "echo"
    jar.living.cancel()
    jar.netfilter.close()
    assert await met(a, 7000) == "echo"
    assert await met(b, 7000, 0.3) != "echo"


def _pooled(address: str) -> socket.socket:
    made = socket.create_connection((address, 7000), 5)
    made.sendall(b"x")
    assert made.recv(1) == b"x"
    return made


def _carry(flow: socket.socket, pieces: int) -> None:
    for _ in range(pieces):
        flow.sendall(bytes(1000))
        flow.recv(1000)


def _goes(pool: socket.socket, timeout_s: float = DEADLINE_S) -> str:
    pool.settimeout(timeout_s)
    try:
        pool.sendall(b"x")
        return "echo" if pool.recv(1) == b"x" else "closed"
    except OSError as error:
        return type(error).__name__
    finally:
        with contextlib.suppress(OSError):
            pool.settimeout(DEADLINE_S)


def _took_s(address: str) -> float:
    start = time.monotonic()
    _pooled(address).close()
    return time.monotonic() - start


@EITHER_WAY
def test_names_on_one_address_are_cut_counted_and_attributed_alone(unprivileged: bool) -> None:
    run_in_namespaces(_each_alone, unprivileged=unprivileged)


def test_flows_from_before_are_cut_alone() -> None:
    run_in_namespaces(_established, unprivileged=False)


def test_every_mode_meets_the_one_it_is_for() -> None:
    run_in_namespaces(_modes, unprivileged=False)


def test_lanes_take_the_one_they_are_for() -> None:
    run_in_namespaces(_lanes, unprivileged=False)


def test_aliases_are_one_and_what_is_inside_is_left_alone() -> None:
    run_in_namespaces(_aliases, unprivileged=False)


def test_switched_off_names_on_one_address_fall_together() -> None:
    run_in_namespaces(_off, unprivileged=False)


def test_when_all_addresses_are_given_out_names_fall_together_and_it_is_said() -> None:
    run_in_namespaces(_all_given_out, unprivileged=False)


def test_no_way_leads_around_the_seal_by_a_virtual_address() -> None:
    run_in_namespaces(_ways_out, unprivileged=False)


def test_without_its_agent_a_virtual_address_leads_nowhere() -> None:
    run_in_namespaces(_killed, unprivileged=False)
