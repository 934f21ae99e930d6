"""Processes from a real /proc: whose a socket is, who came and who went."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from belljar_tui.agent.processes import Process, ProcessTable

DEADLINE_S = 20


@contextlib.contextmanager
def running(program: str) -> Iterator[subprocess.Popen[str]]:
    """A Python program under way; it has said a first line."""
    child = subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    with child:
        try:
            yield child
        finally:
            os.killpg(child.pid, signal.SIGKILL)


def said(child: subprocess.Popen[str]) -> list[int]:
    """The numbers of the next line."""
    assert child.stdout is not None
    return [int(word) for word in child.stdout.readline().split()]


def told(child: subprocess.Popen[str], line: str) -> None:
    assert child.stdin is not None
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


MAKES_A_SOCKET = """
import os, socket, sys
call = socket.socket()
print(os.fstat(call.fileno()).st_ino, flush=True)
"""
FORKS = """
child = os.fork()
if child == 0:
    grandchild = os.fork()
    if grandchild:
        print(os.getpid(), grandchild, flush=True)
"""
WAITS = "sys.stdin.read()"


def test_a_socket_belongs_to_the_process_that_has_it_open() -> None:
    table = ProcessTable()
    with running(MAKES_A_SOCKET + WAITS) as other, socket.socket() as mine:
        (inode,) = said(other)
        owner = table.owner(inode)
        assert owner is not None
        assert (owner.pid, owner.parent, owner.name) == (other.pid, os.getpid(), _name(other.pid))
        assert "import os, socket, sys" in owner.command
        ours = table.owner(os.fstat(mine.fileno()).st_ino)
        assert ours is not None
        assert ours.pid == os.getpid()


def test_a_socket_nobody_has_belongs_to_nobody() -> None:
    with socket.socket() as gone:
        inode = os.fstat(gone.fileno()).st_ino
    assert ProcessTable().owner(inode) is None


def test_of_several_owners_after_a_fork_the_youngest_is_meant() -> None:
    table = ProcessTable()
    with running(MAKES_A_SOCKET + FORKS + WAITS) as family:
        (inode,) = said(family)
        _child, grandchild = said(family)
        for _ in range(2):  # afresh, and when it is remembered
            owner = table.owner(inode)
            assert owner is not None
            assert owner.pid == grandchild


def test_a_parent_that_called_before_does_not_hide_its_child() -> None:
    table = ProcessTable()
    program = MAKES_A_SOCKET + "sys.stdin.readline()\n" + FORKS + WAITS
    with running(program) as family:
        (inode,) = said(family)
        owner = table.owner(inode, "target")
        assert owner is not None
        assert owner.pid == family.pid
        told(family, "fork")
        _child, grandchild = said(family)
        owner = table.owner(inode, "target")
        assert owner is not None
        assert owner.pid == grandchild


def test_a_socket_of_a_thread_is_its_process() -> None:
    program = (
        """
import os, socket, sys, threading
def call():
    made = socket.socket()
    print(os.fstat(made.fileno()).st_ino, flush=True)
    threading.Event().wait()
threading.Thread(target=call, daemon=True).start()
"""
        + WAITS
    )
    with running(program) as other:
        (inode,) = said(other)
        owner = ProcessTable().owner(inode)
        assert owner is not None
        assert owner.pid == other.pid


def test_an_owner_that_ended_is_forgotten() -> None:
    table = ProcessTable()
    with running(MAKES_A_SOCKET + WAITS) as first:
        (inode,) = said(first)
        assert table.owner(inode, "target") is not None
    with running(MAKES_A_SOCKET + WAITS) as second:
        assert table.owner(inode, "target") is None
        (inode,) = said(second)
        owner = table.owner(inode, "target")
        assert owner is not None
        assert owner.pid == second.pid


def test_a_scan_says_what_came_and_what_went_once() -> None:
    table = ProcessTable()
    table.scan()
    with running(MAKES_A_SOCKET + WAITS) as other:
        said(other)
        assert other.pid in {process.pid for process in table.scan()[0]}
        assert other.pid not in {process.pid for process in table.scan()[0]}
    assert other.pid in table.scan()[1]
    assert other.pid not in table.scan()[1]


def test_an_owner_found_before_a_scan_is_still_news_to_the_scan() -> None:
    table = ProcessTable()
    with running(MAKES_A_SOCKET + WAITS) as other:
        table.owner(*said(other))
        assert other.pid in {process.pid for process in table.scan()[0]}


def test_a_process_that_executes_another_program_is_news() -> None:
    table = ProcessTable()
    again = "import sys; print(1, flush=True); sys.stdin.read()"
    program = f"""
import os, sys
print(0, flush=True)
sys.stdin.readline()
os.execv({sys.executable!r}, ["x", "-c", {again!r}])
"""
    with running(program) as other:
        said(other)
        table.scan()
        told(other, "go")
        assert said(other) == [1]
        fresh = {process.pid: process for process in table.scan()[0]}
        assert fresh[other.pid].command.startswith("x -c import sys")


def test_a_check_and_what_it_starts_are_left_out_of_a_scan() -> None:
    checks: set[int] = set()
    table = ProcessTable(is_check=checks.__contains__)
    with running(MAKES_A_SOCKET + FORKS + WAITS) as check:
        checks.add(check.pid)
        (inode,) = said(check)
        child, grandchild = said(check)
        assert not {check.pid, child, grandchild} & {process.pid for process in table.scan()[0]}
        owner = table.owner(inode)
        assert owner is not None, "but its calls have a name"
        assert owner.pid == grandchild


def test_the_agent_itself_is_never_seen() -> None:
    table = ProcessTable(ignored=(os.getpid(),))
    assert os.getpid() not in {process.pid for process in table.scan()[0]}


def test_a_reused_pid_is_another_process(tmp_path: Path) -> None:
    table = ProcessTable(str(tmp_path))
    write_process(tmp_path, 7, "web", start=100)
    assert table.scan() == ([Process(7, 1, "web", "web")], [])
    write_process(tmp_path, 7, "web", start=200)
    assert table.scan() == ([Process(7, 1, "web", "web")], [])
    assert table.scan() == ([], [])


def test_a_zombie_is_gone_and_odd_names_are_read(tmp_path: Path) -> None:
    table = ProcessTable(str(tmp_path))
    write_process(tmp_path, 7, "a) R (b", start=100)
    write_process(tmp_path, 8, "cut", start=100, state="Z")
    tmp_path.joinpath("9").mkdir()
    assert table.scan() == ([Process(7, 1, "a) R (b", "a) R (b")], [])
    write_process(tmp_path, 7, "a) R (b", start=100, state="Z")
    assert table.scan() == ([], [7])


def write_process(root: Path, pid: int, name: str, *, start: int, state: str = "S") -> None:
    """A process as proc shows it, for what cannot be made to happen."""
    folder = root / str(pid)
    folder.mkdir(exist_ok=True)
    fields = [state, "1", *["0"] * 17, str(start), *["0"] * 30]
    folder.joinpath("stat").write_text(f"{pid} ({name}) {' '.join(fields)}\n")
    folder.joinpath("cmdline").write_bytes(name.encode() + b"\0")


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text().strip()
