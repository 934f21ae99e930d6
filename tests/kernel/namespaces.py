"""Runs a test's body in fresh network, mount and PID namespaces, as root or as a normal user would have them.

`worlds` adds a neighbour to call; here is only what a jar itself has: loopback.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60
_FRESH = ("--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc")
_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

EITHER_WAY = pytest.mark.parametrize(
    "unprivileged",
    [
        pytest.param(
            False, id="root", marks=pytest.mark.skipif(os.geteuid() != 0, reason="plain namespaces need root")
        ),
        pytest.param(True, id="unprivileged"),
    ],
)
"""Runs a test in root's own namespaces (root only) and in a user namespace of an unprivileged user."""

Body = Callable[[], Awaitable[None]]


def run_in_namespaces(body: Body | Path | str, *, unprivileged: bool) -> None:
    """Run `body` with loopback up; its failure, with what it printed, is ours.

    Args:
        body: a coroutine function of a test module, a Python file, or Python source.
        unprivileged: through a user namespace; as root, one of a user who is not.
    """
    done = subprocess.run(
        [*_user(unprivileged), *_FRESH, sys.executable, "-c", _program(body)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def enter(module: str, name: str) -> None:
    """Inside: run a coroutine function, for no longer than the outside waits."""
    body: Body = getattr(importlib.import_module(module), name)
    asyncio.run(_bounded(body))


def raise_loopback() -> None:
    """Inside: bring loopback up."""
    subprocess.run([shutil.which("ip") or "/sbin/ip", "link", "set", "lo", "up"], check=True)


async def _bounded(body: Body) -> None:
    async with asyncio.timeout(DEADLINE_S - 10):
        await body()


def as_nobody() -> tuple[str, ...]:
    """What makes a command run as an unprivileged user; nothing where we are one. Skips where that user cannot."""
    if os.geteuid() != 0:
        return ()
    # through a shell: setpriv itself still has root's rights when it executes its program
    script = ["sh", "-c", 'exec "$@"', "sh", sys.executable, "-c", f"open({__file__!r})"]
    can_read = subprocess.run([*_NOBODY, *script], capture_output=True, check=False)
    if can_read.returncode != 0:
        pytest.skip("an unprivileged user cannot read this checkout or its virtual environment")
    return _NOBODY


def _user(unprivileged: bool) -> tuple[str, ...]:
    if not unprivileged:
        return ("unshare",)
    return (*as_nobody(), "unshare", "--user", "--map-root-user")


def _program(body: Body | Path | str) -> str:
    start = "import namespaces; namespaces.raise_loopback(); "
    if isinstance(body, str):
        return f"{start}exec({body!r})"
    if isinstance(body, Path):
        return f"{start}import runpy; runpy.run_path({str(body)!r}, run_name='__main__')"
    return f"{start}namespaces.enter({body.__module__!r}, {body.__name__!r})"
