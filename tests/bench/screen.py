"""Figures of the explorer: frames and keys with 1,000 dependencies, and how long a blocked call takes to the screen."""

from __future__ import annotations

import asyncio
import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import msgspec
import psutil
from fake import OPENING, FakeAgent

from belljar_tui.core import events as ev
from belljar_tui.core.model import Mode, Wanted
from belljar_tui.headless.asked import asked_for_lab
from belljar_tui.headless.opening import open_session
from belljar_tui.session import Session
from belljar_tui.tui.app import ExplorerApp
from belljar_tui.tui.graph import GraphView

Figures = dict[str, dict[str, float]]
_AUTH = "tcp://auth.lab:9000"
_CALLS, _PER_S = 5000, 1000
_CALLER = f"""
import socket, time
time.sleep(2)
address = (socket.gethostbyname("auth.lab"), 9000)
start = time.monotonic()
for number in range({_CALLS}):
    time.sleep(max(0, start + number / {_PER_S} - time.monotonic()))
    call = socket.socket()
    made = time.monotonic()
    call.connect_ex(address)
    call.close()
    print(made)
print("done", flush=True)
time.sleep(60)
"""


def thousand() -> list[ev.AnyEvent]:
    """Seven processes that call 1,000 dependencies between them."""
    pids = range(2, 9)
    return [
        ev.ServiceStarted(at=0.1, pid=2, command=["./service"]),
        *(ev.ProcessSeen(at=0.1, pid=pid, parent=1, name=f"p{pid}", command="./service") for pid in pids),
        *(
            ev.DependencySeen(at=0.2, dependency=f"tcp://d{n}.test:80", endpoint=_endpoint(n), pid=2 + n % 7)
            for n in range(1000)
        ),
    ]


def _endpoint(number: int) -> str:
    return f"tcp 10.0.{number // 250}.{number % 250}:80"


async def frames() -> Figures:
    agent = FakeAgent(thousand())
    app = ExplorerApp(Session(agent, OPENING, write=lambda _: True, save=lambda *_: None))
    frame: list[float] = []
    keys: list[float] = []
    async with app.run_test(size=(200, 60)) as pilot:
        while len(app.session.state.dependencies) < 1000:
            await pilot.pause(0.05)
        graph = app.query_one(GraphView)
        for _ in range(30):
            await pilot.pause(0.02)
            app._is_stale = True
            start = time.perf_counter()
            app._frame()
            for row in range(graph.size.height):
                graph.render_line(row)
            frame.append((time.perf_counter() - start) * 1e3)
        for _ in range(20):
            before = _is_cut(app, graph)
            start = time.perf_counter()
            app.simulate_key("space")
            while _is_cut(app, graph) is before:  # noqa: ASYNC110  # polled, so that nothing of it runs while timed
                await asyncio.sleep(0.001)
            keys.append((time.perf_counter() - start) * 1e3)
            await pilot.pause(0.02)
    return {
        "frame_1000_ms": {"belljar": statistics.median(frame)},
        "key_to_row_ms": {"belljar": statistics.median(keys)},
    }


def _is_cut(app: ExplorerApp, graph: GraphView) -> bool:
    return "✂" in "".join(segment.text for segment in graph.render_line(0)) if app.is_running else False


async def blocked_to_screen() -> Figures:
    """Against the lab's real agent: from the caller's own clock just before each call, to the paint that has it."""
    asked = asked_for_lab("checkout", Wanted(cuts={_AUTH: Mode.REFUSE}))
    opened = open_session(msgspec.structs.replace(asked, command=(sys.executable, "-c", _CALLER)))
    app = ExplorerApp(opened.session)
    painted: list[tuple[float, int]] = []
    display = app._display

    def paint(screen: object, renderable: object) -> None:
        display(screen, renderable)  # type: ignore[arg-type]
        painted.append((time.monotonic(), app.query_one(GraphView).state.blocked))

    told: list[tuple[float, float, int]] = []
    """When the agent said so, when the app heard it, and blocked calls by then."""
    zero = time.monotonic() - app.session.now()

    async with app.run_test(size=(120, 30)) as pilot:
        app._display = paint  # type: ignore[method-assign]
        take = app.session.on_event

        def hear(event: ev.AnyEvent) -> None:
            if take is not None:
                take(event)
            if isinstance(event, ev.CallBlocked):
                told.append((zero + event.at, time.monotonic(), app.session.state.blocked))

        app.session.on_event = hear
        while "done" not in opened.log.read_text():  # noqa: ASYNC110  # another program's file
            await asyncio.sleep(0.2)
        await asyncio.sleep(2)
        memory = max(p.memory_info().rss for p in psutil.Process().children(recursive=True) if _is_agent(p))
        app._leave()
        await pilot.pause(0.5)
    made = [float(line) for line in opened.log.read_text().split() if line != "done"]
    stages = {
        "agent": [(at, count) for at, _, count in told],
        "app": [(at, count) for _, at, count in told],
        "screen": painted,
    }
    waits = {stage: sorted(_waits_ms(made, moments)) for stage, moments in stages.items()}
    p99 = {stage: each[int(len(each) * 0.99)] for stage, each in waits.items()}
    return {
        "blocked_to_screen_ms": {"belljar p99": p99["screen"], "median": statistics.median(waits["screen"])},
        "of_that_p99_ms": {"said by the agent": p99["agent"], "heard by the app": p99["app"]},
        "agent_memory_mb": {"belljar": memory / 1e6},
    }


def _waits_ms(made: list[float], moments: list[tuple[float, int]]) -> list[float]:
    """Of each call: how long until the first moment that has it."""
    following = iter(moments)
    at, count = next(following)
    waits = []
    for number, call in enumerate(made, 1):
        while count < number:
            at, count = next(following)
        waits.append((at - call) * 1e3)
    return waits


def _is_agent(process: psutil.Process) -> bool:
    words = process.cmdline()
    return "belljar_tui.agent.main" in words and "--" not in words


def measure() -> Figures:
    with tempfile.TemporaryDirectory() as state_home:
        os.environ["XDG_STATE_HOME"] = str(Path(state_home))
        return dict(itertools.chain(asyncio.run(frames()).items(), asyncio.run(blocked_to_screen()).items()))
