"""All of a target that attaching could have changed, before and after: nothing may differ."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil
from docker.models.containers import Container

DEADLINE_S = 20.0
LOOK = "import socket; print(socket.gethostbyname('front'))"
_SHOWN = (
    ("nft", "--stateless", "list", "ruleset"),
    ("ip", "-4", "route", "show", "table", "all"),
    ("ip", "-6", "route", "show", "table", "all"),
    ("ip", "rule"),
    ("ip", "-o", "address"),
    ("ip", "-o", "link"),
    ("ss", "-Hlntu"),
    ("sysctl", "-a", "--pattern", r"^net\.(ipv4|ipv6|netfilter)\..*(mark|forward|localnet|redirect|unprivileged)"),
)
"""What the network namespace is asked; the last but one: who listens there."""
_OWN_CHECK = "is-ready"
"""The engine runs the target's HEALTHCHECK whenever it is time, also while a picture is taken."""


def picture(container: Container) -> dict[str, Any]:
    """The network namespace as the kernel has it, its mounts and processes, and the container as the engine does."""
    container.reload()
    pid = container.attrs["State"]["Pid"]
    shown: dict[str, Any] = {" ".join(words): _inside(pid, *words) for words in _SHOWN}
    with open(f"/proc/{pid}/mountinfo") as mounts:  # noqa: PTH123
        shown["mounts"] = mounts.read()
    shown["processes"] = sorted(command for command in _living_with(pid) if not command.endswith(_OWN_CHECK))
    state = {key: value for key, value in container.attrs["State"].items() if key != "Health"}
    return {**shown, "inspect": {**container.attrs, "State": state, "ExecIDs": None}}


def _living_with(pid: int) -> Iterator[str]:
    """Command lines in a process's PID namespace: `docker top` wants a cgroup, which a rootless engine may lack."""
    namespace = os.readlink(f"/proc/{pid}/ns/pid")
    for other in psutil.process_iter():
        with contextlib.suppress(OSError, psutil.Error):
            if os.readlink(f"/proc/{other.pid}/ns/pid") == namespace:
                yield " ".join(other.cmdline())


def network_of(pid: int) -> dict[str, str]:
    """The same of any process's network namespace."""
    return {" ".join(words): _inside(pid, *words) for words in _SHOWN}


@contextmanager
def as_it_was(container: Container) -> Iterator[None]:
    """Fails when, some time after the body, the target differs from what it was; its name service must work at once."""
    before = picture(container)
    yield
    end = time.monotonic() + DEADLINE_S
    while (after := picture(container)) != before and time.monotonic() < end:
        time.sleep(0.1)
    assert {key: after[key] for key in before if after[key] != before[key]} == {}
    code, said = container.exec_run(["timeout", "2", "python3", "-c", LOOK])
    assert (code, bytes(said).startswith(b"1")) == (0, True), said  # type: ignore[arg-type]  # no stream was asked for


def has_table(container: Container) -> bool:
    """Whether the seal is there."""
    container.reload()
    return "belljar" in _inside(container.attrs["State"]["Pid"], "nft", "list", "tables")


def wait_until_open(container: Container) -> None:
    """Fails when the seal is still there after a while."""
    end = time.monotonic() + DEADLINE_S
    while has_table(container):
        assert time.monotonic() < end, "the seal is still there"
        time.sleep(0.05)


def _inside(pid: int, *words: str) -> str:
    done = subprocess.run(["nsenter", "-t", str(pid), "-n", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
