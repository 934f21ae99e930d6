"""A jar without its way out tells nothing about the service, so it ends and says why."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from jarred import BELLJAR, all_gone, family_of, headless

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(shutil.which("pasta") is None, reason="pasta is not installed"),
]


def test_an_agent_that_dies_is_said_at_once_though_pasta_lives_on(tmp_path: Path) -> None:
    with headless(tmp_path, "run", "--headless", "--", "sleep", "1000") as run:
        run.wait_for("service_started")
        family = family_of(run.process.pid)
        next(p for p in family if p.name() == "unshare").kill()
        assert run.process.wait(20) == 4
        assert "agent ended by signal 9" in run.words()
        assert all_gone(family)


def test_a_pasta_that_cannot_start_gives_its_own_words(tmp_path: Path) -> None:
    pasta = tmp_path / "pasta"
    pasta.write_text("#!/bin/sh\necho Failed to open tun socket in namespace >&2\nexit 1\n")
    pasta.chmod(0o755)
    done = subprocess.run(
        [*BELLJAR, "run", "--headless", "--", "true"],
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path), "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == 4
    assert "Failed to open tun" in done.stderr
    assert "chmod 666 /dev/net/tun" in done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["event"] == "session_ended"
