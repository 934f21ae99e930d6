"""Nothing gets out of a jar under vacuum, and what is a call is seen: every way of `escapes` is tried in a real jar."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest
from escapes import ESCAPES, table
from lab_jar import lab_jar
from namespaces import EITHER_WAY, ROOT, as_nobody

from belljar_tui.core.events import CallBlocked
from belljar_tui.core.model import NAME_SERVICE, Mode, Seal, Wanted

pytestmark = pytest.mark.kernel

DEADLINE_S = 100.0
VACUUM = Wanted(seal=Seal.VACUUM, seal_mode=Mode.REFUSE)


class Tried(msgspec.Struct):
    """What came of the battery."""

    results: dict[str, tuple[bool, str]] = {}
    """Escape -> whether it got out, and its words."""
    blocked: dict[str, int] = {}
    """Dependency -> blocked calls."""
    blocked_of: set[tuple[str, int | None]] = set()
    """Dependency and process of each blocked call."""
    pids: dict[str, int] = {}
    """Escape -> the process that tried it."""


async def tried(wanted: Wanted, log: Path) -> Tried:
    """Every escape in a jar of the lab, until all are tried and all that was blocked is told."""
    jar = lab_jar((sys.executable, str(Path(__file__).with_name("escapes.py")), "try"), wanted, log)
    await jar.start()
    found = Tried()
    try:
        async with asyncio.timeout(DEADLINE_S):
            async for event in jar.events():
                if isinstance(event, CallBlocked):
                    found.blocked[event.dependency] = found.blocked.get(event.dependency, 0) + event.count
                    found.blocked_of.add((event.dependency, event.pid))
                if "all tried" in await asyncio.to_thread(log.read_text):
                    await jar.end_service()
    finally:
        await jar.finish()
    for line in (await asyncio.to_thread(log.read_text)).splitlines():
        result = json.loads(line)
        found.results[result["escape"]] = (result["got_out"], result["said"])
        found.pids[result["escape"]] = result.get("pid", 0)
    return found


PROGRAM = """
import asyncio, sys
from pathlib import Path
import msgspec
import test_escapes as t
found = asyncio.run(t.tried(msgspec.json.decode(sys.argv[1], type=t.Wanted), Path(sys.argv[2])))
print(msgspec.json.encode(found).decode())
"""


def as_user(wanted: Wanted, folder: Path, *, unprivileged: bool) -> Tried:
    """The battery as root, or as a user without rights."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}
    command: Sequence[str] = [*(as_nobody() if unprivileged else ()), sys.executable, "-c", PROGRAM]
    done = subprocess.run(
        [*command, msgspec.json.encode(wanted).decode(), str(folder / "service.log")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S + 20,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return msgspec.json.decode(done.stdout, type=Tried)


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that everybody may write to. (Those of pytest are shut to other users whenever another pytest starts.)"""
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o777)
        yield Path(made)


@EITHER_WAY
def test_nothing_gets_out_and_every_call_is_seen(folder: Path, unprivileged: bool) -> None:
    with socket.socket(socket.AF_UNIX) as witness:
        witness.bind("\0belljar-escape-witness")
        witness.listen()
        found = as_user(
            msgspec.structs.replace(VACUUM, cuts={NAME_SERVICE: Mode.REFUSE}), folder, unprivileged=unprivileged
        )
    assert set(found.results) == {*ESCAPES, ""}
    assert {name: said for name, (got_out, said) in found.results.items() if got_out} == {}
    assert {one.blocked for one in ESCAPES.values() if one.blocked} - set(found.blocked) == set()
    calls = {name: (one.blocked, found.pids[name]) for name, one in ESCAPES.items() if one.blocked}
    assert {name for name, call in calls.items() if call not in found.blocked_of} == set(), "each is its own process's"


def test_with_everything_open_what_is_a_call_goes_through(folder: Path) -> None:
    """The battery can tell: the same attempts do get out where nothing stops them."""
    found = as_user(Wanted(), folder, unprivileged=False)
    got_out = {name for name, (is_out, _) in found.results.items() if is_out}
    calls = {name for name, one in ESCAPES.items() if one.blocked} - {"broadcast", "fragments"}  # nobody answers these
    assert got_out >= calls
    assert not got_out & {name for name, one in ESCAPES.items() if not one.blocked and name != "protocol"}


def test_the_tests_own_readme_has_the_table() -> None:
    assert table() in (ROOT / "tests" / "README.md").read_text()
