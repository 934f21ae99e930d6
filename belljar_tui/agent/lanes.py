"""Lanes: calls to a dependency that is slow or hangs go through us, those and no others.

A caller's SYN is held by the kernel (`WaitingRoom`) while we call whom it calls, with our mark. Only when that has
accepted is the SYN let go, translated to our own port; so a real refusal is one to the caller too, ECONNREFUSED before
it is connected, and "no route to host" likewise (measured, over IPv4 and IPv6). Where the kernel has no queue, or it is
full, the caller is connected first, and a refusal reaches it as a reset.

Closed when in doubt: a lane nobody listens on refuses, and so does one without descriptors. Either is an event.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import resource
import socket
import struct
from collections.abc import Callable

from belljar_tui.agent.lane_flow import RESET, LaneFlow, Room
from belljar_tui.agent.lane_pace import Pace, Wire
from belljar_tui.agent.packets import Flow
from belljar_tui.agent.queue import LetGo
from belljar_tui.agent.ruleset_lanes import NO_WAY, REACHED, REFUSED
from belljar_tui.agent.sockets import Address
from belljar_tui.core.model import Endpoint, Protocol

_SO_MARK, _ORIGINAL_DST = 36, 80
_WAITING_AT_MOST = 8 << 20
_BACKLOG = 4096
_AT_ONCE = 64
_NOBODY = 1
"""A port where nobody listens: whoever is diverted there is refused."""
_ATTEMPTS = 8
_KEPT_S = 5.0
"""How long a connection waits for the caller it was made for."""
_CLOSED, _CLOSE_WAIT = 7, 8
_NO_ROOM = (errno.EMFILE, errno.ENFILE)
_NO_WAYS = (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EACCES, errno.EPERM)
_Call = tuple[Address, Endpoint]
"""Who calls, and whom."""


class _Lane:
    """An endpoint's: how it goes now, and the wires of the dependency behind it."""

    def __init__(self, pace: Pace, wires: tuple[Wire, Wire]) -> None:
        self.pace = pace
        self.wires = wires


class Lanes:
    """All of a jar's.

    Args:
        mark: socket mark of our own calls, so that they pass the seal.
        pace_of: the dependency (an id) behind an endpoint, and how it goes now.
        is_there: whether some process still has the socket that calls (first) an endpoint.
        on_broken: what went wrong, in words.
    """

    def __init__(
        self,
        mark: int,
        pace_of: Callable[[Endpoint], tuple[str, Pace]],
        is_there: Callable[[Address, Endpoint], bool],
        on_broken: Callable[[str], None],
    ) -> None:
        self._mark, self._pace_of, self._is_there, self._on_broken = mark, pace_of, is_there, on_broken
        self._port = 0
        self._listeners: dict[str, socket.socket] = {}
        self._broken: set[str] = set()
        """Where we should listen and do not."""
        self._lanes: dict[Endpoint, _Lane] = {}
        self._wires: dict[str, tuple[Wire, Wire]] = {}
        self._flows: dict[LaneFlow, Endpoint] = {}
        self._reaching: dict[_Call, asyncio.Task[None]] = {}
        self._reached: dict[_Call, tuple[socket.socket, float]] = {}
        """Connections made for callers that are let go and not here yet, and since when."""
        self._late: set[asyncio.Task[None]] = set()
        self._room = Room(_WAITING_AT_MOST)
        self._spare = -1
        self._said: set[str] = set()
        """What has been said to be wrong, until the next sweep."""

    def open(self) -> int:
        """Begin to listen, once. Returns the port; one where calls are refused, when there is none to be had."""
        if self._port:
            return self._port
        _raise_descriptor_limit()
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
        for _ in range(_ATTEMPTS):
            try:
                self._listen("127.0.0.1", 0)
                self._port = self._listeners["127.0.0.1"].getsockname()[1]
                if socket.has_ipv6:
                    self._listen("::1", self._port)
            except OSError as error:
                if error.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL) and self._port:
                    return self._port  # no IPv6 here, and so nobody who calls over it
                self._stop_listening()
                why = str(error)
            else:
                return self._port
        self._say(f"no port to listen on ({why}): calls to what is slow or hangs are refused")
        self._port = _NOBODY
        return self._port

    @property
    def waiting_bytes(self) -> int:
        """Bytes of all flows that wait here."""
        return self._room.used

    def __len__(self) -> int:
        return len(self._flows)

    def on_waiting(self, flow: Flow, let_go: LetGo) -> None:
        """A caller's SYN is held: reach whom it calls, then let it go."""
        call = ((flow.source, flow.source_port), flow.endpoint)
        if call in self._reaching or call in self._reached:
            let_go(None)  # sent again while the first one waits
            return
        task = asyncio.get_running_loop().create_task(self._reach(call, let_go))
        self._reaching[call] = task
        task.add_done_callback(lambda done: self._on_task_done(done, call))

    def refresh(self) -> None:
        """The wanted state has changed: every flow goes as it is to go now."""
        for endpoint, lane in list(self._lanes.items()):
            dependency, pace = self._pace_of(endpoint)
            if pace != lane.pace:
                lane.pace, lane.wires = pace, self._wires_of(dependency)
                for flow in [flow for flow, called in self._flows.items() if called == endpoint]:
                    flow.go_on()

    def sweep(self) -> None:
        """Close what nobody waits for any more, and listen again where that had broken. Now and then."""
        now = asyncio.get_running_loop().time()
        for call, (callee, since) in list(self._reached.items()):
            if now - since > _KEPT_S:
                del self._reached[call]
                callee.close()
        for flow, endpoint in [each for each in self._flows.items() if self._lanes[each[1]].pace.is_stalled]:
            if self._has_left(flow, endpoint):
                flow.break_off()
        self._said.clear()
        for address in self._broken.copy():
            with contextlib.suppress(OSError):
                self._listen(address, self._port)
                self._broken.discard(address)

    def close(self) -> None:
        """Break every flow off, and listen no more."""
        for task in (*self._reaching.values(), *self._late):
            task.cancel()
        for flow in list(self._flows):
            flow.break_off()
        for callee, _ in self._reached.values():
            callee.close()
        self._broken.clear()
        self._stop_listening()

    def _has_left(self, flow: LaneFlow, endpoint: Endpoint) -> bool:
        """Whether a caller that is not read from is gone; one that only said its last word has its socket still."""
        try:
            state = flow.caller_state()
            return state == _CLOSED or (state == _CLOSE_WAIT and not self._is_there(flow.caller_address(), endpoint))
        except OSError:
            return True

    async def _reach(self, call: _Call, let_go: LetGo) -> None:
        mark: int | None = REFUSED  # whatever goes wrong
        try:
            callee = await self._connect(call[1])
            self._reached[call] = (callee, asyncio.get_running_loop().time() + 2 * self._lane(call[1]).pace.delay_s)
            if not self._lane(call[1]).pace.is_stalled:
                await asyncio.sleep(self._lane(call[1]).pace.wait_s())
            mark = REACHED
        except TimeoutError:
            mark = None
        except OSError as error:
            mark = NO_WAY if error.errno in _NO_WAYS else REFUSED
            self._say_no_room(error)
        finally:
            let_go(mark)

    async def _connect(self, endpoint: Endpoint) -> socket.socket:
        """Raises OSError: what whoever is called said to us."""
        made = socket.socket(socket.AF_INET6 if ":" in endpoint.address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            made.setsockopt(socket.SOL_SOCKET, _SO_MARK, self._mark)
            await asyncio.get_running_loop().sock_connect(made, (endpoint.address, endpoint.port))
        except BaseException:
            made.close()
            raise
        return made

    def _on_connection(self, address: str) -> None:
        """Callers that were let go."""
        listener = self._listeners[address]
        for _ in range(_AT_ONCE):
            try:
                caller, peer = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno in _NO_ROOM:
                    self._turn_away(listener)
                    self._say_no_room(error)
                    continue
                self._stop_listening(address)
                self._broken.add(address)
                self._say(f"its port was closed ({error}): new calls to what is slow or hangs are refused")
                return
            caller.setblocking(False)
            self._take(caller, (peer[0], peer[1]))

    def _take(self, caller: socket.socket, peer: Address) -> None:
        endpoint = _called(caller)
        if endpoint is None or endpoint.port == self._port:  # called by our own address: nobody is behind it
            _reset(caller)
            return
        reached = self._reached.pop((peer, endpoint), None)
        if reached is not None:
            self._begin(caller, reached[0], endpoint)
            return
        task = asyncio.get_running_loop().create_task(self._begin_late(caller, endpoint))
        self._late.add(task)
        task.add_done_callback(self._on_late_done)

    async def _begin_late(self, caller: socket.socket, endpoint: Endpoint) -> None:
        """A caller that came without having waited."""
        try:
            callee = await self._connect(endpoint)
        except OSError as error:
            _reset(caller)
            self._say_no_room(error)
        else:
            self._begin(caller, callee, endpoint)

    def _begin(self, caller: socket.socket, callee: socket.socket, endpoint: Endpoint) -> None:
        lane = self._lane(endpoint)
        try:
            flow = LaneFlow(caller, callee, lane.wires, self._room, lambda: lane.pace, self._on_flow_closed)
        except OSError:  # one of them is gone already
            _reset(caller)
            callee.close()
            return
        self._flows[flow] = endpoint
        flow.go_on()

    def _on_flow_closed(self, flow: LaneFlow) -> None:
        self._flows.pop(flow, None)

    def _on_task_done(self, task: asyncio.Task[None], call: _Call) -> None:
        self._reaching.pop(call, None)
        self._say_failure(task)

    def _on_late_done(self, task: asyncio.Task[None]) -> None:
        self._late.discard(task)
        self._say_failure(task)

    def _say_failure(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and task.exception() is not None:
            self._say(f"a call failed in it: {task.exception()!r}")

    def _lane(self, endpoint: Endpoint) -> _Lane:
        if endpoint not in self._lanes:
            dependency, pace = self._pace_of(endpoint)
            self._lanes[endpoint] = _Lane(pace, self._wires_of(dependency))
        return self._lanes[endpoint]

    def _wires_of(self, dependency: str) -> tuple[Wire, Wire]:
        return self._wires.setdefault(dependency, (Wire(), Wire()))

    def _listen(self, address: str, port: int) -> None:
        made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
        try:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            made.setblocking(False)
            made.bind((address, port))
            made.listen(_BACKLOG)
        except OSError:
            made.close()
            raise
        self._listeners[address] = made
        asyncio.get_running_loop().add_reader(made.fileno(), self._on_connection, address)

    def _stop_listening(self, address: str = "") -> None:
        for each in [address] if address else list(self._listeners):
            listener = self._listeners.pop(each)
            asyncio.get_running_loop().remove_reader(listener.fileno())
            listener.close()

    def _turn_away(self, listener: socket.socket) -> None:
        """No descriptor is left: use the one kept for this to refuse who waits."""
        os.close(self._spare)
        with contextlib.suppress(OSError):
            _reset(listener.accept()[0])
        self._spare = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)

    def _say_no_room(self, error: OSError) -> None:
        if error.errno in _NO_ROOM:
            self._say(f"no descriptors are left ({error}): calls to what is slow or hangs are refused")

    def _say(self, what: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._on_broken(what)


def _called(caller: socket.socket) -> Endpoint | None:
    """Whom an accepted caller believes to have called; None when the kernel does not know."""
    try:
        if caller.family == socket.AF_INET6:
            found = caller.getsockopt(socket.IPPROTO_IPV6, _ORIGINAL_DST, 28)
            return Endpoint(socket.inet_ntop(socket.AF_INET6, found[8:24]), Protocol.TCP, _port(found))
        found = caller.getsockopt(socket.SOL_IP, _ORIGINAL_DST, 16)
        return Endpoint(socket.inet_ntop(socket.AF_INET, found[4:8]), Protocol.TCP, _port(found))
    except OSError:
        return None


def _port(address: bytes) -> int:
    port: int = struct.unpack_from(">H", address, 2)[0]
    return port


def _reset(caller: socket.socket) -> None:
    with contextlib.suppress(OSError):
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    caller.close()


def _raise_descriptor_limit() -> None:
    """A flow needs two, and the usual limit is 1,024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
