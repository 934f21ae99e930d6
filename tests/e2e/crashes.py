"""The crash matrix: each part of a native jar, each way it can fail, and what must come of it.

A way returns when it has done its harm and seen what it foretells; `test_crash_matrix` looks at the exit code, at what
is left, and at the journal. The table in tests/README.md is written from here.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil
from full_disk import fill
from jarred import DEADLINE_S, Headless, family_of

SERVICE = Path(__file__).with_name("calling.py")
_MEMORY = Path("/sys/fs/cgroup/memory")
_TAKES_ALL = """
import sys
sys.stdin.read()
taken = []
while True:
    taken.append(b"x" * (1 << 20))
"""
CUT = "tcp://198.51.100.1:9000"


class World:
    """A `belljar run` with everything under way: a service that is healthy, calls what is cut, and prints it."""

    def __init__(self, run: Headless, home: Path) -> None:
        self.run = run
        self.home = home
        family = family_of(run.process.pid)
        self.family = family
        self.app = next(p for p in family if "belljar_tui" in p.cmdline())
        self.agent = next(p for p in family if "belljar_tui.agent.main" in p.cmdline() and "--" not in p.cmdline())
        self.service = next(p for p in family if p.cmdline()[-1:] == [str(SERVICE)] and p.ppid() == self.agent.pid)
        self.pasta = next(p for p in family if "--config-net" in p.cmdline())

    @property
    def folder(self) -> Path:
        """Its files, as it sees them: on a disk of its own."""
        return Path(f"/proc/{self.app.pid}/root") / str(self.home).lstrip("/")

    def refused(self) -> int:
        """How many calls the service itself has seen refused."""
        (log,) = self.folder.glob("belljar/sessions/*/service.log")
        return log.read_text().count("ECONNREFUSED")

    def goes_on(self, more: int = 5) -> None:
        """Wait until the service has met so many refusals more."""
        before, end = self.refused(), time.monotonic() + DEADLINE_S
        while self.refused() < before + more:
            assert time.monotonic() < end, "the service's calls to what is cut stand still"
            time.sleep(0.05)

    def has_told(self, name: str, key: str, value: str) -> None:
        """Wait for an event that may have been passed over already."""
        end = time.monotonic() + DEADLINE_S
        while not any(e["event"] == name and e[key] == value for e in self.run.events):
            assert time.monotonic() < end, f"no {name} of {value}; the last: {self.run.events[-5:]}"
            time.sleep(0.05)

    def has_ended_with(self, words: str) -> None:
        self.run.process.wait(DEADLINE_S)
        said = self.run.words()
        assert words in said, said
        assert "Traceback" not in said


class Row(NamedTuple):
    """What the table says of a crash that is seen elsewhere."""

    part: str
    how: str
    happens: str
    sees: str
    code: int


class Crash(msgspec.Struct, frozen=True):
    """One row."""

    part: str
    how: str
    do: Callable[[World], object]
    happens: str
    sees: str
    code: int = 0
    """The exit code: of a session that goes on, after `quit`."""
    leaves: bool = True
    """Whether it goes on until `quit`."""
    needs: Path | None = None
    """Where it must be possible to write."""


def _stop_app(world: World) -> None:
    world.app.suspend()
    world.goes_on()
    world.app.resume()
    world.run.say(command="note", text="on again")
    world.run.wait_for("note_added")


def _starve_app(world: World) -> None:
    _no_more_memory(world.app)
    try:
        for _ in range(3000):
            world.run.say(command="note", text="x" * 1000)
    except BrokenPipeError:
        pass
    world.has_ended_with("out of memory")


def _stop_agent(world: World) -> None:
    world.agent.suspend()
    world.run.wait_for("jar_stalled", lambda e: e["part"] == "agent")
    time.sleep(2)  # by then nothing new is held
    world.goes_on()
    world.agent.resume()
    for name, key, value in (("jar_went_on", "part", "agent"), ("events_lost", "source", "callers")):
        world.has_told(name, key, value)  # in whichever order
    world.run.wait_for("call_blocked", lambda e: e["pid"] is not None)


def _starve_agent(world: World) -> None:
    _no_more_memory(world.agent)
    try:
        for number in range(2000):
            world.run.say(command="cut", dependency=f"tcp://10.1.{number // 250}.{number % 250}:80", mode="refuse")
    except BrokenPipeError:
        pass
    world.has_ended_with("out of memory")


def _no_more_memory(process: psutil.Process) -> None:
    size = process.memory_info().vms
    process.rlimit(psutil.RLIMIT_AS, (size, size))


def _kill_agent(world: World) -> None:
    world.agent.kill()
    world.has_ended_with("agent ended by ")


def _kill_service(world: World) -> None:
    world.service.kill()
    assert world.run.wait_for("service_exited")["code"] == -signal.SIGKILL


def _stop_service(world: World) -> None:
    world.service.suspend()
    world.run.wait_for_health("unhealthy")
    world.service.resume()
    world.run.wait_for_health("healthy")


def _starve_service(world: World) -> None:
    """The kernel's own killer, in a memory cgroup of the service's."""
    with _little_memory() as members:
        members.write_text(str(world.service.pid))
        world.service.send_signal(signal.SIGUSR1)
        assert world.run.wait_for("service_exited")["code"] == -signal.SIGKILL


@contextmanager
def _little_memory() -> Iterator[Path]:
    """A memory cgroup of 64 MiB; the file that takes its members."""
    group = _MEMORY / f"belljar-crash-{os.getpid()}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(64 << 20))
        yield group / "cgroup.procs"
    finally:
        end = time.monotonic() + DEADLINE_S
        while (group / "cgroup.procs").read_text() and time.monotonic() < end:
            time.sleep(0.05)
        group.rmdir()


def _kill_pasta(world: World) -> None:
    world.pasta.kill()
    world.has_ended_with("lost its way out: pasta ended")


def _stop_pasta(world: World) -> None:
    world.pasta.suspend()
    world.run.wait_for("jar_stalled", lambda e: e["part"] == "way out")
    world.goes_on()
    world.pasta.resume()
    world.run.wait_for("jar_went_on")


def _starve_pasta(world: World) -> None:
    """The kernel's killer once more: another process takes the memory, and pasta is the one to go first."""
    with (
        _little_memory() as members,
        subprocess.Popen([sys.executable, "-c", _TAKES_ALL], stdin=subprocess.PIPE) as hog,
    ):
        Path(f"/proc/{world.pasta.pid}/oom_score_adj").write_text("1000")
        for each in (world.pasta.pid, hog.pid):
            members.write_text(str(each))
        hog.communicate(b"now")
        assert hog.returncode == -signal.SIGKILL
        world.has_ended_with("lost its way out: pasta ended")


def _fill_disk(world: World) -> None:
    fill(world.folder)
    for number in range(5):  # more than the last page of the file still has room for
        world.run.say(command="note", text="nobody keeps this" + " at all" * 1000 + str(number))
    world.run.wait_for("note_added", lambda e: e["text"].endswith("4"))
    world.run.say(command="save", path=str(world.home / "full.belljar.yaml"))
    rejected = world.run.wait_for("command_rejected")
    assert "No space left on device" in rejected["reason"]
    assert not (world.folder / "full.belljar.yaml").exists(), "no half of a profile"
    told = [e for e in world.run.events if e["event"] == "events_lost" and e["source"] == "journal"]
    assert len(told) == 1, "told once"
    before = len([e for e in world.run.events if e["event"] == "call_blocked"])
    end = time.monotonic() + DEADLINE_S
    while len([e for e in world.run.events if e["event"] == "call_blocked"]) < before + 5:
        assert time.monotonic() < end, "the service or the agent stands still"
        time.sleep(0.05)
    (world.folder / "filler").unlink()
    world.run.say(command="note", text="there is room again")
    world.run.wait_for("note_added", lambda e: e["text"] == "there is room again")
    world.run.say(command="save", path=str(world.home / "full.belljar.yaml"))
    world.run.wait_for("profile_saved")


_GONE = "the kernel ends the rest"
ELSEWHERE = (
    Row(
        "app, the explorer",
        "out of memory",
        _GONE,
        "the terminal as it was, and `out of memory; the session ends`",
        70,
    ),
    Row(
        "app, the explorer",
        "a full disk",
        "the session goes on; `s` saves nothing, and the profile that was there stays",
        "once: `Its disk takes no more events`; at the end how many the journal lacks",
        0,
    ),
    Row(
        "any command with `-o`, or to a file",
        "a full disk",
        "the file that was there stays, nothing lies beside it; a headless session ends with its jar",
        "`cannot be written: No space left on device`, and what to do",
        2,
    ),
    Row("the machine", "its clock jumps an hour, either way", "nothing: what counts is a clock that cannot", "–", 0),
)
"""Rows with a test of their own: `test_crash_explorer`, `test_full_disk`, and the last ones of `test_crash_matrix`."""

CRASHES = (
    Crash("app", "SIGKILL", lambda w: w.app.kill(), _GONE, "its shell says `Killed`", -9, leaves=False),
    Crash("app", "SIGSTOP", _stop_app, "service and cuts go on", "a screen that stands still; SIGCONT: all of it"),
    Crash("app, headless", "out of memory", _starve_app, _GONE, "`out of memory; the session ends`", 70, leaves=False),
    Crash("agent", "SIGKILL", _kill_agent, _GONE, "`The jar's agent ended by a signal …`", 4, leaves=False),
    Crash(
        "agent",
        "SIGSTOP",
        _stop_agent,
        "what was held waits; after 2 s calls fail and pass as before",
        "`the agent is stopped`; SIGCONT: exact counts, the unnamed as `lost`",
    ),
    Crash(
        "agent",
        "SIGSTOP, then `q`",
        lambda w: w.agent.suspend(),
        "it is killed after 4 s, and the kernel ends the rest",
        "nothing",
    ),
    Crash("agent", "out of memory", _starve_agent, _GONE, "`agent ended …: out of memory`", 4, leaves=False),
    Crash("service", "SIGKILL", _kill_service, "the session stays", "`the service ended with code -9`"),
    Crash("service", "SIGSTOP", _stop_service, "the check fails until SIGCONT", "unhealthy, with the check's words"),
    Crash(
        "service",
        "out of memory",
        _starve_service,
        "the session stays",
        "`the service ended with code -9`",
        needs=_MEMORY,
    ),
    Crash(
        "pasta", "SIGKILL", _kill_pasta, "the jar is ended", "`The jar lost its way out: pasta ended`", 4, leaves=False
    ),
    Crash(
        "pasta",
        "out of memory",
        _starve_pasta,
        "the jar is ended",
        "`The jar lost its way out: pasta ended`",
        4,
        leaves=False,
        needs=_MEMORY,
    ),
    Crash(
        "pasta",
        "SIGSTOP",
        _stop_pasta,
        "what is open hangs; cuts hold; trials and `verify` learn nothing",
        "`the way out is stopped: what is open hangs`",
    ),
    Crash(
        "app (headless), agent, service, pasta",
        "a full disk",
        _fill_disk,
        "the session goes on; the service's prints fail as on any full disk; no half profile is left",
        "once: `Its disk takes no more events`; at the end how many the journal lacks",
    ),
)


def table() -> str:
    lines = ["| what | how | what happens | what you see | exit |", "|---|---|---|---|---|"]
    lines += [
        f"| {c.part} | {c.how} | {c.happens} | {c.sees} | {c.code if c.code >= 0 else 128 - c.code} |"
        for c in (*CRASHES, *ELSEWHERE)
    ]
    return "\n".join(lines)
