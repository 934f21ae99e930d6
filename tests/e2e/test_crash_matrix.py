"""Every row of the crash matrix, for real: nothing is left, and the journal is readable to the last whole event."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from crashes import CRASHES, CUT, SERVICE, Crash, World, table
from full_disk import on_small_disk
from jarred import DEADLINE_S, all_gone, headless, mounts

from belljar_tui.journal.reader import read_journal

ROOT = Path(__file__).parents[2]


@contextmanager
def under_way(home: Path) -> Iterator[World]:
    """A healthy service under vacuum, whose calls are blocked."""
    sealed = ("--headless", "--seal", "vacuum")
    check = ("--health", "http://localhost:8080/", "--health-timeout", "0.5")
    with headless(home, "run", *sealed, *check, "--", sys.executable, str(SERVICE), through=on_small_disk(home)) as run:
        run.wait_for_health("healthy")
        if not any(e["event"] == "call_blocked" for e in run.events):
            run.wait_for("call_blocked")
        yield World(run, home)


def _ended(world: World, crash: Crash) -> int:
    return world.run.quit() if crash.leaves else world.run.process.wait(DEADLINE_S)


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("pasta") is None, reason="pasta is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")
@pytest.mark.parametrize("crash", CRASHES, ids=lambda c: f"{c.part}: {c.how}")
def test_what_comes_of_it(crash: Crash, tmp_path: Path) -> None:
    if crash.needs is not None and not os.access(crash.needs, os.W_OK):
        pytest.skip(f"{crash.needs} cannot be written to")
    before = mounts()
    with under_way(tmp_path) as world:
        disk = os.open(world.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            crash.do(world)
            assert _ended(world, crash) == crash.code
            assert all_gone(world.family), [p for p in world.family if p.is_running()]
            (journal,) = Path(f"/proc/self/fd/{disk}").glob("belljar/sessions/*/journal.belljar.jsonl")
            events = [type(event).__name__ for event in read_journal(journal)]
            whole = [json.loads(line) for line in journal.read_bytes().split(b"\n")[:-1]]
        finally:
            os.close(disk)
    assert len(events) == len(whole) - 1, "the header, and then every whole line is an event"
    assert {"SealProven", "CallBlocked", "HealthChanged"} <= set(events)
    assert (events[-1] == "SessionEnded") == (crash.code not in (-9, 70))
    assert CUT in {e["dependency"] for e in world.run.events if e["event"] == "call_blocked"}
    assert mounts() == before


JUMPING = """
import os, time
_time, _ns = time.time, time.time_ns
time.time = lambda: _time() + {by_s} * os.path.exists({marker!r})
time.time_ns = lambda: _ns() + {by_s} * 10**9 * os.path.exists({marker!r})
"""
"""What Python loads before anything of ours: a clock that jumps once the marker is there."""


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("pasta") is None, reason="pasta is not installed")
@pytest.mark.parametrize("by_s", [-3600, 3600])
def test_a_machine_whose_clock_is_set_anew_changes_nothing(by_s: int, tmp_path: Path) -> None:
    marker = tmp_path / "another hour"
    (tmp_path / "sitecustomize.py").write_text(JUMPING.format(marker=str(marker), by_s=by_s))
    path = os.pathsep.join([str(tmp_path), str(ROOT)])
    check = ("--health", "http://localhost:8080/", "--name", "calling")
    service = (sys.executable, str(SERVICE))
    with headless(tmp_path, "run", "--headless", *check, "--", *service, through=("env", f"PYTHONPATH={path}")) as run:
        run.wait_for_health("healthy")
        marker.touch()
        run.say(command="cut", dependency=CUT, mode="refuse", for_s=1.5)
        cut = run.wait_for("cut_applied")
        restored = run.wait_for("cut_restored")
        assert 1.3 < restored["at"] - cut["at"] < 5
        run.say(command="note", text="later")
        run.wait_for("note_added")
        assert run.quit() == 0
    (journal,) = tmp_path.glob("belljar/sessions/*/journal.belljar.jsonl")
    events = read_journal(journal)
    by_app = [event.at for event in events if type(event).__name__ in ("NoteAdded", "SessionEnded")]
    assert by_app == sorted(by_app)
    assert by_app[0] >= restored["at"]
    assert all(0 <= event.at < 60 for event in events)


def test_the_tests_own_readme_has_the_table() -> None:
    assert table() in (ROOT / "tests" / "README.md").read_text()
