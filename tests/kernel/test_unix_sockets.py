"""Unix sockets of the machine in a native jar: seen, named, tied to a process, cut and restored."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import TypeVar

import psutil
import pytest
from worlds import ROOT

from belljar_tui.agent.network import comes_true
from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode, Seal, Settings, Wanted
from belljar_tui.jars.namespaces import NamespaceJar
from belljar_tui.wire.messages import Checks, Prepare

pytestmark = pytest.mark.kernel
CALLER = Path(__file__).parent / "unix_caller.py"
DEADLINE_S = 20.0
Kind = TypeVar("Kind", bound=ev.AnyEvent)


class Server:
    """Something of the machine's that listens on a path; it answers whoever speaks."""

    def __init__(self, path: Path, kind: int = socket.SOCK_STREAM) -> None:
        self.path = path
        self.kind = kind
        self.arrived = 0
        self._is_over = False
        self._connections: list[socket.socket] = []
        self._socket = socket.socket(socket.AF_UNIX, kind)
        self._socket.bind(str(path))
        if kind == socket.SOCK_STREAM:
            self._socket.listen(64)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    @property
    def id(self) -> str:
        return f"unix:{self.path}"

    def close(self) -> None:
        """End, and leave no file."""
        self._is_over = True
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, self.kind) as waker:
            waker.connect(str(self.path))
            waker.send(b"!")
        self._thread.join(10)
        self._socket.close()
        for each in self._connections:
            each.close()
        self.path.unlink(missing_ok=True)

    def _serve(self) -> None:
        while not self._is_over:
            if self.kind == socket.SOCK_DGRAM:
                self._socket.recv(100)
            else:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._speak, args=(connection,), daemon=True).start()
            self.arrived += 1

    def _speak(self, connection: socket.socket) -> None:
        self._connections.append(connection)
        with contextlib.suppress(OSError):
            while said := connection.recv(1):
                connection.send(said)


class Jar:
    """A jar whose service calls what it is told to."""

    def __init__(self, client: NamespaceJar, folder: Path, zero: float) -> None:
        self.client = client
        self.zero = zero
        """CLOCK_MONOTONIC at the session's start."""
        self.events: list[ev.AnyEvent] = []
        self._moved = asyncio.Event()
        self._ask = os.open(folder / "ask", os.O_RDWR)
        self._answer = os.open(folder / "answer", os.O_RDWR)
        self._reading = asyncio.create_task(self._read())

    async def does(self, *words: object) -> str:
        """What the service answers to a command: `ok`, an errno's name, or what it read."""
        os.write(self._ask, (" ".join(map(str, words)) + "\n").encode())
        return await asyncio.to_thread(self._line)

    async def want(self, wanted: Wanted, said: type[ev.AnyEvent] | None = ev.CutApplied) -> None:
        """Want this, and wait until an event says that it is so."""
        before = len(self.events)
        await self.client.want(wanted)
        if said is not None:
            await self.until(lambda: any(isinstance(event, said) for event in self.events[before:]))

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not is_so():
                self._moved.clear()
                await self._moved.wait()

    def of(self, kind: type[Kind], dependency: str) -> list[Kind]:
        return [event for event in self.events if isinstance(event, kind) and event.dependency == dependency]  # type: ignore[union-attr]

    def blocked(self, dependency: str) -> int:
        return sum(event.count for event in self.of(ev.CallBlocked, dependency))

    def calls(self, dependency: str) -> int:
        return max((event.calls for event in self.of(ev.TrafficCounted, dependency)), default=0)

    async def finish(self) -> None:
        await self.client.finish()
        await self._reading
        os.close(self._ask)
        os.close(self._answer)

    async def _read(self) -> None:
        async for event in self.client.events():
            self.events.append(event)
            self._moved.set()

    def _line(self) -> str:
        line = b""
        while not line.endswith(b"\n"):
            assert select.select([self._answer], [], [], DEADLINE_S)[0], f"no answer, only {line!r}"
            line += os.read(self._answer, 1)
        return line.decode().strip()


@asynccontextmanager
async def jar(folder: Path, wanted: Wanted | None = None, checks: tuple[str, ...] = ()) -> AsyncIterator[Jar]:
    for name in ("ask", "answer"):
        os.mkfifo(folder / name)
    prepare = Prepare(
        service=(sys.executable, str(CALLER), str(folder)),
        wanted=wanted or Wanted(),
        health=Checks(checks, every_s=0.1),
        environment=dict(os.environ),
        directory=str(ROOT),
        user=os.geteuid(),
        group=os.getegid(),
    )
    zero = time.monotonic()
    client = NamespaceJar(prepare, lab="checkout", clock_zero=zero)
    await client.start()
    made = Jar(client, folder, zero)
    try:
        yield made
    finally:
        await made.finish()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def own_mounts() -> str:
    """Every mount that this process sees."""
    return Path("/proc/self/mountinfo").read_text()


@contextmanager
def listening(path: Path, kind: int = socket.SOCK_STREAM) -> Iterator[Server]:
    server = Server(path, kind)
    try:
        yield server
    finally:
        server.close()


def relative_to(folder: Path, path: Path) -> str:
    return os.path.relpath(path, folder)


def cut(*servers: Server, mode: Mode = Mode.REFUSE) -> Wanted:
    return Wanted(cuts={server.id: mode for server in servers})


# Seen


async def test_every_call_is_seen_by_path_process_and_number(folder: Path) -> None:
    (folder / "link.sock").symlink_to(folder / "app.sock")
    with listening(folder / "app.sock") as server:
        async with jar(folder) as made:
            assert await made.does("measured", 20, server.path) == "ok"
            assert await made.does("in_a_thread", server.path) == "ok"
            assert await made.does("in_a_child", server.path) == "ok"
            assert await made.does("call", "stream", folder / "link.sock") == "ok", "another way to the same socket"
            assert await made.does("call", "stream", relative_to(ROOT, server.path)) == "ok"
            await made.until(lambda: made.calls(server.id) == 24)
        callers = {event.process for event in made.of(ev.DependencySeen, server.id)}
        assert len(callers) == 1, "the child was named too, though it is gone"
        assert callers <= {"python", "python3"}
        pids = [event.pid for event in made.of(ev.DependencySeen, server.id)]
        assert len(pids) == 2
        assert {event.dependency for event in made.events if isinstance(event, ev.DependencySeen)} == {server.id}


async def test_a_datagram_is_a_call_connected_or_not(folder: Path) -> None:
    with listening(folder / "log.sock", socket.SOCK_DGRAM) as server:
        async with jar(folder) as made:
            assert await made.does("call", "dgram", server.path) == "ok"
            assert await made.does("sendto", server.path) == "ok"
            await made.until(lambda: made.calls(server.id) == 2)


async def test_what_the_service_listens_on_itself_is_no_dependency(folder: Path) -> None:
    async with jar(folder) as made:
        assert await made.does("listen", folder / "own.sock") == "ok"
        assert await made.does("call", "stream", folder / "own.sock") == "ok"
        assert await made.does("call", "stream", folder / "absent.sock") == "ENOENT"
        with listening(folder / "app.sock") as server:
            assert await made.does("call", "stream", server.path) == "ok"
            await made.until(lambda: made.calls(server.id) == 1)
    assert {event.dependency for event in made.events if isinstance(event, ev.DependencySeen)} == {server.id}


async def test_an_abstract_socket_of_the_machine_s_is_out_of_reach(folder: Path) -> None:
    name = f"belljar-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0{name}")
        server.listen(1)
        async with jar(folder) as made:
            assert await made.does("abstract", name) == "ECONNREFUSED"


async def test_a_call_that_looks_like_one_to_an_ip_address_is_seen_while_it_lasts(folder: Path) -> None:
    """An address of 16 bytes is passed unheld, so that TCP is not slowed: a path of 13 letters, told by its length."""
    short = Path(f"/tmp/bj{os.getpid() % 10**6:06d}")
    short = short.with_name(short.name.ljust(8, "x")[:8])
    assert len(str(short)) == 13
    with listening(short) as server:
        async with jar(folder) as made:
            assert await made.does("keep", "one", "stream", server.path) == "ok"
            await made.until(lambda: made.calls(server.id) >= 1)
            await made.want(cut(server))
            assert await made.does("call", "stream", server.path) == "ECONNREFUSED"
            assert await made.does("read", "one") == "end"


# Cut and restored


async def test_a_refused_stream_fails_at_once_counted_and_comes_back(folder: Path) -> None:
    with listening(folder / "app.sock") as server:
        async with jar(folder) as made:
            assert await made.does("keep", "old", "stream", server.path) == "ok"
            await made.want(cut(server))
            arrived = server.arrived
            for _ in range(10):
                assert await made.does("call", "stream", server.path) == "ECONNREFUSED"
            assert await made.does("read", "old") == "end", "what was connected before is ended, too"
            await made.until(lambda: made.blocked(server.id) == 10)
            assert server.arrived == arrived
            assert {event.pid for event in made.of(ev.CallBlocked, server.id)} == {2}
            await made.want(Wanted(), ev.CutRestored)
            assert await made.does("call", "stream", server.path) == "ok"
        assert made.blocked(server.id) == 10


async def test_a_blackhole_answers_nobody_and_a_restore_lets_through_who_waited(folder: Path) -> None:
    with listening(folder / "app.sock") as server:
        async with jar(folder) as made:
            await made.want(cut(server, mode=Mode.BLACKHOLE))
            assert await made.does("wait", 0.2, server.path) == "EAGAIN", "it waited as long as it was told to"
            assert await made.does("call", "stream", server.path) == "EAGAIN", "it said that it would not wait"
            waiting = asyncio.create_task(made.does("wait", 15, server.path))
            await made.until(lambda: made.blocked(server.id) == 3)
            await made.want(Wanted(), ev.CutRestored)
            assert await waiting == "ok"
            assert await made.does("call", "stream", server.path) == "ok"


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.BLACKHOLE])
async def test_a_datagram_socket_is_cut_connected_or_not(folder: Path, mode: Mode) -> None:
    with listening(folder / "log.sock", socket.SOCK_DGRAM) as server:
        async with jar(folder) as made:
            assert await made.does("keep", "old", "dgram", server.path) == "ok"
            assert await made.does("send", "old") == "ok"
            await made.want(cut(server, mode=mode))
            assert await made.does("send", "old") == "ECONNREFUSED", "as if the server had died"
            assert await made.does("call", "dgram", server.path) == (
                "ECONNREFUSED" if mode is Mode.REFUSE else "EAGAIN"
            )
            await made.until(lambda: made.blocked(server.id) == 1)
            await made.want(Wanted(), ev.CutRestored)
            assert await made.does("call", "dgram", server.path) == "ok"
            assert await made.does("sendmsg", server.path) == "ok"


async def test_what_is_not_held_is_cut_all_the_same(folder: Path) -> None:
    with listening(folder / "log.sock", socket.SOCK_DGRAM) as server:
        async with jar(folder) as made:
            await made.want(cut(server))
            assert await made.does("sendmsg", server.path) == "ECONNREFUSED"


async def test_a_server_that_starts_anew_stays_cut(folder: Path) -> None:
    async with jar(folder) as made:
        with listening(folder / "app.sock") as server:
            await made.want(cut(server))
            assert await made.does("call", "stream", server.path) == "ECONNREFUSED"
        assert await made.does("call", "stream", server.path) == "ENOENT"
        with listening(folder / "app.sock") as server:
            assert await made.does("call", "stream", server.path) == "ECONNREFUSED"
            await made.until(lambda: made.blocked(server.id) == 2)
            assert server.arrived == 0
            await made.want(Wanted(), ev.CutRestored)
            assert await made.does("call", "stream", server.path) == "ok"


async def test_the_service_cannot_undo_a_cut(folder: Path) -> None:
    with listening(folder / "app.sock") as server:
        async with jar(folder) as made:
            await made.want(cut(server))
            assert await made.does("unmount", server.path) == "EPERM"
            assert await made.does("inside", "unmount", server.path) == "EINVAL", "in mounts of its own it is locked"
            assert await made.does("inside", "call", "stream", server.path) == "ECONNREFUSED"


async def test_a_cut_that_cannot_reach_the_caller_s_own_mounts_fails_the_held_call(folder: Path) -> None:
    with listening(folder / "app.sock") as server:
        async with jar(folder) as made:
            assert await made.does("own_mounts") == "ok"
            assert await made.does("call", "stream", server.path) == "ok"
            await made.want(cut(server))
            for _ in range(2):
                assert await made.does("call", "stream", server.path) == "ECONNREFUSED"
            await made.until(lambda: made.blocked(server.id) == 2)
            holes = [event for event in made.events if isinstance(event, ev.HoleFound)]
            assert [(event.path, event.kind) for event in holes] == [(str(server.path), "mounts")]
            assert holes[0].source.endswith("(2)")


async def test_a_cut_leaves_the_machine_s_own_view_alone(folder: Path) -> None:
    with listening(folder / "app.sock") as server:
        before = own_mounts()
        async with jar(folder, cut(server)) as made:
            assert await made.does("call", "stream", server.path) == "ECONNREFUSED"
            assert own_mounts() == before
            with socket.socket(socket.AF_UNIX) as outside:
                outside.connect(str(server.path))


async def test_a_cut_with_a_time_limit_ends(folder: Path) -> None:
    with listening(folder / "app.sock") as server:
        async with jar(folder) as made:
            settings = {server.id: Settings(until=time.monotonic() - made.zero + 3.0)}
            await made.want(Wanted(cuts={server.id: Mode.REFUSE}, settings=settings))
            await made.until(lambda: bool(made.of(ev.CutRestored, server.id)))
            assert await made.does("call", "stream", server.path) == "ok"


async def test_set_user_id_programs_work_as_before(folder: Path) -> None:
    async with jar(folder) as made:
        assert await made.does("new_privileges") == "0"


# The vacuum


async def test_a_vacuum_cuts_what_is_open_now_and_what_comes_later(folder: Path) -> None:
    with listening(folder / "one.sock") as one, listening(folder / "two.sock") as two:
        wanted = Wanted(seal=Seal.VACUUM, opens=frozenset({two.id}))
        async with jar(folder, wanted) as made:
            assert await made.does("call", "stream", one.path) == "ECONNREFUSED"
            assert await made.does("call", "stream", two.path) == "ok"
            with listening(folder / "later.sock") as later:
                assert await made.does("call", "stream", later.path) == "ECONNREFUSED"
                await made.until(lambda: made.blocked(one.id) == made.blocked(later.id) == 1)
                assert [event.by for event in made.of(ev.CutApplied, later.id)] == ["seal"]
                assert later.arrived == one.arrived == 0
                await made.want(Wanted(), ev.CutRestored)
                assert await made.does("call", "stream", later.path) == "ok"
        assert not [event for event in made.events if isinstance(event, (ev.AuditFailed, ev.EventsLost))]


async def test_a_vacuum_covers_a_socket_before_anybody_calls_it(folder: Path) -> None:
    """`sendmsg` is not held: only what lies over the path already stops it."""
    with listening(folder / "log.sock", socket.SOCK_DGRAM) as server:
        async with jar(folder, Wanted(seal=Seal.VACUUM)) as made:
            assert await made.does("sendmsg", server.path) == "ECONNREFUSED"


# What the agent keeps


async def test_a_program_that_has_ended_leaves_nothing_open_in_the_agent(folder: Path) -> None:
    os.mkfifo(folder / "checked")
    checked = os.open(folder / "checked", os.O_RDWR)
    async with jar(folder, checks=(f"exec:printf x >> {folder}/checked",)) as made:
        await asyncio.to_thread(read_bytes, checked, 2)
        agent = agent_of(made)
        few = agent.num_fds()
        await asyncio.to_thread(read_bytes, checked, 30)
        assert await comes_true(lambda: agent.num_fds() <= few + 3, DEADLINE_S), "one that runs has some, for a moment"
    os.close(checked)


def read_bytes(descriptor: int, count: int) -> None:
    """Wait for so many."""
    for _ in range(count):
        assert select.select([descriptor], [], [], DEADLINE_S)[0]
        os.read(descriptor, 1)


def agent_of(made: Jar) -> psutil.Process:
    """PID 1 of the jar, as this side sees it."""
    process = made.client._running()
    family = psutil.Process(process.pid).children(recursive=True)
    return next(each for each in family if each.cmdline()[1:] == ["-P", "-m", "belljar_tui.agent.main"])
