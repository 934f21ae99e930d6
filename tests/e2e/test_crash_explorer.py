"""The explorer without memory, and on a full disk: it says so, the terminal is as it was, and nothing is left."""

from __future__ import annotations

import os
import re
from pathlib import Path

import psutil
import pytest
from explored import explored
from full_disk import fill, on_small_disk
from jarred import all_gone, mounts

from belljar_tui.journal.reader import read_journal

pytestmark = [pytest.mark.kernel, pytest.mark.terminal]


def test_without_memory_it_says_so_and_leaves_the_terminal_as_it_was(tmp_path: Path) -> None:
    mounted = mounts()
    with explored(tmp_path) as explorer:
        size = explorer.app.memory_info().vms
        explorer.app.rlimit(psutil.RLIMIT_AS, (size, size))
        explorer.pastes_until_it_ends()
        assert explorer.ends() == 70
        assert all_gone(explorer.family), [p for p in explorer.family if p.is_running()]
        assert explorer.settings() == explorer.before
    said = rb"out of memory; the session ends, and its jar with it\s+The journal has everything up to then"
    assert re.search(said, explorer.last), explorer.last
    assert b"\x1b[?25h" in explorer.last, "the cursor is to be seen"
    assert b"\x1b[?1000l" in explorer.written, "the mouse is the terminal's again"
    assert b"Traceback" not in explorer.last
    (journal,) = tmp_path.glob("belljar/sessions/*/journal.belljar.jsonl")
    assert "SealProven" in [type(event).__name__ for event in read_journal(journal)]
    assert mounts() == mounted


@pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")
def test_on_a_full_disk_it_goes_on_and_says_what_is_not_kept(tmp_path: Path) -> None:
    mounted = mounts()
    with explored(tmp_path, (*on_small_disk(tmp_path), "env", "-C", str(tmp_path))) as explorer:
        home = Path(f"/proc/{explorer.app.pid}/root") / str(tmp_path).lstrip("/")
        disk = os.open(home, os.O_RDONLY | os.O_DIRECTORY)
        try:
            (home / "checkout.belljar.yaml").write_text("what was there\n")
            fill(home)
            explorer.types(b"n" + b"nobody keeps this " * 10 + b"\r")
            explorer.says(b"Its disk takes no more events")
            explorer.types(b"s")
            explorer.says(b"Save what is open now as a profile", b"checkout.belljar.yaml")
            explorer.types(b"\r")
            explorer.says(b"cannot be written")
            assert (home / "checkout.belljar.yaml").read_text() == "what was there\n"
            assert sorted(each.name for each in home.iterdir()) == ["belljar", "checkout.belljar.yaml", "filler"]
            explorer.types(b"q")
            assert explorer.ends() == 0
            (journal,) = Path(f"/proc/self/fd/{disk}").glob("belljar/sessions/*/journal.belljar.jsonl")
            assert "SealProven" in [type(event).__name__ for event in read_journal(journal)]
        finally:
            os.close(disk)
        assert all_gone(explorer.family), [p for p in explorer.family if p.is_running()]
        assert explorer.settings() == explorer.before
    assert re.search(rb"the journal lacks \d+ events: No space left on device", explorer.last), explorer.last
    assert mounts() == mounted
