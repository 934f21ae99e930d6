"""The agent of one jar: it seals, proves the seal, starts the service, carries out messages and tells what it sees.

It starts the service only behind a proven seal (in a jar made ahead: and not before Begin), and when it ends, however
it ends, the kernel ends the service with it. In a container it makes no namespaces and starts nothing: it says when the
service, a container of its own, may start, and is told that it did. Attached to a service that runs, it makes the table
and nothing else, and when it ends the service runs on.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Callable

from belljar_tui.agent import conntrack, contained, mounts
from belljar_tui.agent.apart import NamesApart
from belljar_tui.agent.attached import Attachment
from belljar_tui.agent.claims import Claims
from belljar_tui.agent.closed import ClosedJar
from belljar_tui.agent.contained import Contained
from belljar_tui.agent.directory import Directory
from belljar_tui.agent.enforcer import Enforcer
from belljar_tui.agent.lane_datagrams import DatagramLane
from belljar_tui.agent.lanes import Lanes
from belljar_tui.agent.listening import Listening
from belljar_tui.agent.names import NameServer
from belljar_tui.agent.netlink import Netfilter, NetlinkError
from belljar_tui.agent.network import comes_true, has_default_route, joined_groups
from belljar_tui.agent.nft import AGENT_MARK
from belljar_tui.agent.observer import Observer
from belljar_tui.agent.output import EventWriter
from belljar_tui.agent.probes import HealthLoop
from belljar_tui.agent.processes import ProcessTable
from belljar_tui.agent.proof import prove
from belljar_tui.agent.provoke import provoke
from belljar_tui.agent.resolutions import Resolutions
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.agent.service import Identity, Spawner
from belljar_tui.agent.service_log import ServiceLog
from belljar_tui.agent.sockets import SocketTable
from belljar_tui.agent.unix.sockets import UnixSockets
from belljar_tui.core import events as ev
from belljar_tui.core.model import NAME_SERVICE, Endpoint, Health, Mode, Protocol
from belljar_tui.wire import messages as msg

_FLUSH_S, _IDLE_S = 0.025, 0.1
"""How long blocked calls are gathered before they are said; and how often all else is looked after that has no time of
its own. Waking for nothing took most of the processor time of an agent whose service is well."""
_COUNT_S = 0.5
_KILLED_S = 1.0
"""How long to wait for a killed service, so that its last counts are final."""
_WARM_S = 0.005
"""By then our last word is on its way, and the service busy with loading its own."""
_NEIGHBOURS_S = 0.5
"""How long a target's connections may wait for the names of whom they lead to."""
_AUDIT_EVERY = 20
"""Counting rounds between two self-audits (10 s)."""


class Agent:
    """One jar's agent, from the Prepare message to its end."""

    def __init__(
        self, prepare: msg.Prepare, writer: EventWriter, folder: int | None = None, closed: ClosedJar | None = None
    ) -> None:
        self._prepare = prepare
        self._closed = closed
        self._writer = writer
        self._emit = writer.emit
        self._sockets = SocketTable()
        self._is_contained = prepare.place is not msg.Place.NATIVE
        self._attachment = Attachment(prepare.target) if prepare.place is msg.Place.ATTACHED else None
        self._processes = ProcessTable(
            ignored=(os.getpid(),),
            is_check=self._is_check,
            is_inside=self._attachment.is_inside if self._attachment else lambda _: True,
        )
        self._directory = Directory(keeps_owners=prepare.has_virtual_addresses)
        self._apart: NamesApart | None = None
        self._unix = UnixSockets.of_jar(folder, prepare.machine_sockets, self._processes) if folder else None
        self._groups: list[str] = []
        self._service: int | None = None
        self._has_begun = False
        self._has_seen_standing = False
        self._ended: asyncio.Future[int] | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._log = ServiceLog(prepare.log_path)

    def now(self) -> float:
        """Seconds since the session started (one monotonic clock for the whole machine)."""
        return time.monotonic() - self._prepare.clock_zero

    async def start(self) -> None:
        """Seal, prove, then start the service unless it is to wait. Raises OSError when the kernel refuses."""
        prepare = self._prepare
        if prepare.has_virtual_addresses:
            self._apart = NamesApart(
                self._directory,
                lambda virtual, real: self._ruleset.translate(virtual, real),
                lambda: self._on_lost("virtual", 1),
                self._on_broken,
            )
        self._names = self._name_server()
        if self._attachment is not None:
            self._attachment.require_loopback()
            self._names.warm()  # before there is a table: the target's queries are not to wait for it
            conntrack.remember(self._sockets.connections(AGENT_MARK))
        self._port = await self._names.start()
        self._netfilter = Netfilter()
        self._ruleset = Ruleset(self._netfilter, self._port, prepare.forwarded, self._open_lanes)
        self._ruleset.create()
        self._enforcer = Enforcer(self._ruleset, self._directory, self._destroy, self._emit, self.now, self._unix)
        real_of = self._apart.real_of if self._apart is not None else lambda _: None
        self._resolutions = Resolutions(self._enforcer, real_of, self._emit, self.now)
        self._observer = Observer(
            self._enforcer,
            self._sockets,
            self._processes,
            frozenset(prepare.forwarded),
            self._emit,
            self.now,
            real_of,
        )
        if self._unix is not None:
            self._unix.on_call, self._unix.on_hole = self._observer.on_unix_call, self._observer.on_unix_hole
        self._claims = Claims(self._ruleset, self._directory.dependency_of, self._emit, self.now)
        self._datagrams = DatagramLane(self._enforcer.pace_of, lambda count: self._on_lost("lane", count))
        self._listening = Listening(self._ruleset, self._observer, self._claims, self._datagrams, self._on_lost)
        self._lanes = Lanes(AGENT_MARK, self._enforcer.pace_of, self._sockets.has_owner, self._on_lane_broken)
        self._contained = Contained(self._enforcer, self._emit, self.now)
        if self._attachment is not None:
            self._take_hold()
        proof = await prove(self._ruleset, self.now, self._unix.prove if self._unix else None)
        self._listen()
        if not prepare.is_waiting:
            self._emit(proof)
        if self._attachment is None:
            self._learn_hosts(mounts.hosts())
            self._enforcer.want(prepare.wanted)
        if self._closed is not None and proof.ok:
            self._closed.open(asyncio.get_running_loop().call_later)
        await self._network_is_ready()
        self._spawner = Spawner(
            Identity(prepare.user, prepare.group), prepare.environment, prepare.directory, self._hold
        )
        if prepare.is_waiting:
            self._emit(proof)  # only now: it tells that the jar is ready
        elif proof.ok or not self._is_contained:
            self._start_service()

    def _name_server(self) -> NameServer:
        """Not yet listening. What it tells goes to parts that are made later: nothing asks it before."""
        return NameServer(
            [_address_and_port(text) for text in self._prepare.nameservers or self._own_nameservers()],
            AGENT_MARK,
            lambda name, addresses, detail: self._resolutions.on_resolved(name, addresses, detail),
            self._fate_of_all_names,
            lambda size, peer: self._observer.on_query(size, peer),
            lambda mode, peer: self._observer.on_query_blocked(mode, peer),
            lambda name: self._enforcer.answer_of(name),
            lambda name, peer: self._observer.on_name_failed(name, peer),
            self._meant_for,
            self._apart,
        )

    def _fate_of_all_names(self) -> Mode | None:
        """How name service as a whole fails; with `dns` it lives, and each name is answered as the cut says."""
        mode = self._enforcer.mode_of(NAME_SERVICE)
        return None if mode is Mode.DNS else mode

    def take(self, message: msg.AnyMessage) -> None:
        """Carry out a message that came after Prepare. Raises OSError when a log cannot be opened."""
        match message:
            case msg.Want(wanted):
                self._change(lambda: self._enforcer.want(wanted))
            case msg.Begin():
                self._begin(message)
            case msg.ServiceBegan(command):
                self._on_began(self._contained.find_service(), list(command))
            case msg.ServiceEnded(code):
                self._on_exit(code)
            case msg.CheckAnswered():
                self._contained.take_answer(message)
            case msg.NeighboursKnown():
                self._contained.take_neighbours(message)
                self._see_standing()
            case _:
                pass

    def _change(self, apply: Callable[[], None]) -> None:
        """Change the wanted state; what is in a lane goes as it is to go now."""
        self._observer.change(apply)
        self._lanes.refresh()
        self._datagrams.refresh()

    async def finish(self, grace_s: float) -> None:
        """End the service: SIGTERM, and what is still there after `grace_s` dies with us. A target is let go."""
        for task in self._tasks:
            task.cancel()
        if self._attachment is not None:
            self._observer.count(is_last=True)
            self._lanes.close()
            self._datagrams.close()
            await self._attachment.let_go(self._netfilter.close, self._names, self._port)
            return
        if self._service is None or self._ended is None or self._ended.done():
            return
        os.kill(self._service, signal.SIGTERM if grace_s else signal.SIGKILL)
        await asyncio.wait([self._ended], timeout=grace_s or _KILLED_S)

    def _take_hold(self) -> None:
        """Of a service that runs: what it calls already falls under the wanted state at once."""
        attachment = self._attachment
        if attachment is None:
            return
        self._learn_hosts(attachment.hosts())
        self._enforcer.want(self._prepare.wanted)
        conntrack.forget_answered()

    def _see_standing(self) -> None:
        """Connections from before us, once: as soon as the engine has named who they lead to."""
        if self._attachment is not None and not self._has_seen_standing:
            self._has_seen_standing = True
            for connection in self._sockets.connections(AGENT_MARK):
                self._observer.on_standing(connection)

    def _learn_hosts(self, hosts: dict[str, str]) -> None:
        for address, name in hosts.items():
            self._enforcer.learn(name, [address])

    def _begin(self, begin: msg.Begin) -> None:
        """Start the service of a jar made ahead. A second time nothing happens."""
        if not self._prepare.is_waiting or self._has_begun:
            return
        self._has_begun = True
        if begin.log_path:
            self._log = ServiceLog(begin.log_path)
        self._spawner.environment.update(begin.environment)
        self._enforcer.want(begin.wanted)
        self._start_service()

    async def _network_is_ready(self) -> None:
        """Wait for the way out: a route, and a listener on every port that leads out. Without them, say so."""
        ports = {(Protocol.TCP, port) for port in self._prepare.forwarded}
        deadline_s = self._prepare.wait_for_network_s
        if deadline_s and not await comes_true(
            lambda: has_default_route() and ports <= self._sockets.listeners(), deadline_s
        ):
            self._emit(ev.AuditFailed(at=self.now(), detail="the jar has no way out: pasta gave it no route in time"))

    def _start_service(self) -> None:
        """Start it where there is one; where it is a container of its own, say that it may start."""
        command = list(self._prepare.service)
        asyncio.get_running_loop().call_later(_WARM_S, self._names.warm)
        if self._attachment is not None:
            self._on_began(self._attachment.service, command)
            asyncio.get_running_loop().call_later(_NEIGHBOURS_S, self._see_standing)
        elif self._is_contained:
            for hole in contained.holes(self.now()):
                self._emit(hole)
            self._emit(ev.ServiceAwaited(at=self.now()))
        elif command:
            self._service, self._ended = self._spawner.start(command, self._log.descriptor)
            self._ended.add_done_callback(lambda ended: self._on_exit(ended.result()))
            self._on_began(self._service, command)
        else:
            self._watch()

    def _on_began(self, pid: int, command: list[str]) -> None:
        """It runs: say so, and begin to watch."""
        self._emit(ev.ServiceStarted(at=self.now(), pid=pid, command=command))
        self._watch()

    def _watch(self) -> None:
        if self._tasks:
            return
        health = self._prepare.health
        self._tasks = [asyncio.create_task(self._flush()), asyncio.create_task(self._count())]
        if health.checks:
            loop = HealthLoop(health, AGENT_MARK, self._on_health, self._run_check)
            self._tasks.append(asyncio.create_task(loop.run()))

    async def _run_check(self, command: str) -> tuple[int, str]:
        """A check that is a command: ours to run, or the engine's."""
        return await (self._contained if self._is_contained else self._spawner).run_check(command)

    def _is_check(self, pid: int) -> bool:
        if self._attachment is not None:
            return self._attachment.is_check(pid)
        return self._is_contained and self._contained.is_check(pid)

    def _own_nameservers(self) -> tuple[str, ...]:
        if self._attachment is not None:
            return self._attachment.nameservers()
        return contained.nameservers() if self._is_contained else ()

    def _meant_for(self, peer: tuple[str, int], over_tcp: bool) -> tuple[str, int] | None:
        return self._sockets.believed_target(Protocol.TCP if over_tcp else Protocol.UDP, peer)

    def _on_exit(self, code: int) -> None:
        self._observer.count(is_last=True)
        self._emit(ev.ServiceExited(at=self.now(), code=code))

    def _listen(self) -> None:
        """Hear of calls from now on; what this kernel lacks is said."""
        queue, log = self._listening.start()
        can_destroy = self._sockets.can_destroy()
        lacks, unix = list(self._ruleset.lacks), self._unix is not None
        self._emit(ev.AgentStarted(at=self.now(), queue=queue, log=log, destroy=can_destroy, lacks=lacks, unix=unix))

    def _hold(self, descriptor: int | None) -> None:
        """Calls to unix sockets of a program that starts are told of here; None: this kernel does not let us."""
        if descriptor is None:
            self._on_lost("unix", 1)
        elif self._unix is not None:
            self._unix.hold(descriptor)

    def _open_lanes(self) -> int:
        """The first lane is wanted."""
        try:
            self._listening.hold_for_lanes(self._lanes.on_waiting)
        except NetlinkError as error:
            self._on_lane_broken(f"its calls cannot be held ({error}): a real refusal looks like a reset")
        return self._lanes.open()

    def _on_lane_broken(self, detail: str) -> None:
        self._emit(ev.LaneBroke(at=self.now(), detail=detail))

    def _on_broken(self, detail: str) -> None:
        self._emit(ev.AuditFailed(at=self.now(), detail=detail))

    def _destroy(self, endpoints: list[Endpoint], mode: Mode) -> int:
        if mode is Mode.RESET:
            provoke(self._sockets.flows_to(endpoints, AGENT_MARK))
        return self._sockets.destroy_all(endpoints, AGENT_MARK) if self._sockets.can_destroy() else 0

    def _on_health(self, health: Health, check: str, detail: str) -> None:
        self._emit(ev.HealthChanged(at=self.now(), health=health, check=check, detail=detail))

    def _on_lost(self, source: str, count: int) -> None:
        self._emit(ev.EventsLost(at=self.now(), source=source, count=count))

    async def _flush(self) -> None:
        loop, is_unsaid = asyncio.get_running_loop(), asyncio.Event()
        self._observer.on_unsaid = is_unsaid.set
        while True:
            idle = loop.call_later(_IDLE_S, is_unsaid.set)
            await is_unsaid.wait()
            idle.cancel()
            is_unsaid.clear()
            if self._observer.flush():
                await asyncio.sleep(_FLUSH_S)
            self._listening.catch_up()
            self._log.trim()
            if self._enforcer.is_due():
                self._change(self._enforcer.expire)

    async def _count(self) -> None:
        rounds = 0
        while True:
            self._listening.renew()
            self._see_processes()
            self._see_groups()
            self._observer.count()
            self._lanes.sweep()
            self._datagrams.sweep()
            self._claims.sweep()
            if self._unix is not None:
                self._unix.renew()
                self._unix.look()
            rounds += 1
            if rounds % _AUDIT_EVERY == 0:
                self._enforcer.audit()
            await asyncio.sleep(_COUNT_S)

    def _see_groups(self) -> None:
        groups = joined_groups()
        if groups != self._groups:
            self._groups = groups
            self._emit(ev.GroupsJoined(at=self.now(), groups=groups))

    def _see_processes(self) -> None:
        if self._attachment is not None:
            self._attachment.forget()
        fresh, gone = self._processes.scan()
        for process in fresh:
            self._emit(
                ev.ProcessSeen(
                    at=self.now(),
                    pid=process.pid,
                    parent=process.parent,
                    name=process.name,
                    command=process.command,
                )
            )
        for pid in gone:
            self._emit(ev.ProcessGone(at=self.now(), pid=pid))


def _address_and_port(text: str) -> tuple[str, int]:
    address, _, port = text.partition("#")
    return address, int(port or 53)
