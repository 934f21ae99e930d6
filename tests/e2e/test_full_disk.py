"""Every command that writes a file, on a full disk: it says so, and what was there is as it was."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from full_disk import fill, on_small_disk
from jarred import BELLJAR

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.geteuid() != 0, reason="a disk of its own needs root")]

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "sessions" / "checkout-by-hand"
JOURNAL, PROFILE = str(RECORDED / "journal.belljar.jsonl"), str(RECORDED / "checkout.belljar.yaml")
WRITES = {
    "report": ("report", JOURNAL, "-o", "kept.html"),
    "scenario": ("scenario", JOURNAL, "-o", "kept.yaml"),
    "drill --make": ("drill", "--make", JOURNAL, "-o", "kept.yaml"),
    "order": ("order", PROFILE, "-o", "kept.txt"),
    "export": ("export", PROFILE, "--to", "networkpolicy", "-o", "kept.yaml"),
    "report > FILE": ("report", JOURNAL, "--to", "md"),
    "order > FILE": ("order", PROFILE),
    "demo --headless > FILE": ("demo", "--headless"),
}
WAS = "what was there\n"


def _try(folder: Path) -> None:
    """Each in turn, on the disk at `folder`, which is filled up first; prints what came of it."""
    os.chdir(folder)
    for name in ("html", "yaml", "txt"):
        Path(f"kept.{name}").write_text(WAS)
    Path("out").touch()
    fill(folder)
    was = sorted(os.listdir())
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XDG_STATE_HOME": sys.argv[2]}
    for name, words in WRITES.items():
        with Path("out").open("w") as out:
            command, nothing = [*BELLJAR, *words], subprocess.DEVNULL
            done = subprocess.run(
                command, stdin=nothing, stdout=out, stderr=subprocess.PIPE, env=environment, text=True, check=False
            )
        kept = all(Path(f"kept.{each}").read_text() == WAS for each in ("html", "yaml", "txt"))
        is_clean = sorted(os.listdir()) == was
        print(json.dumps({"name": name, "code": done.returncode, "said": done.stderr, "kept": kept, "clean": is_clean}))


def test_a_full_disk_costs_nothing_that_was_there(tmp_path: Path) -> None:
    disk, state = tmp_path / "disk", tmp_path / "state"
    disk.mkdir()
    command = [*on_small_disk(disk), sys.executable, str(Path(__file__)), str(disk), str(state)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(Path(__file__).parent)])}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert [result["name"] for result in results] == list(WRITES)
    for result in results:
        assert result["code"] == 2, result
        assert "cannot be written: No space left on device." in result["said"], result
        assert "Make room" in result["said"], result
        assert "Traceback" not in result["said"], result
        assert result["kept"], result
        assert result["clean"], result


if __name__ == "__main__":
    _try(Path(sys.argv[1]))
