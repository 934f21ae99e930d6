"""A real service on a real PostgreSQL that is reached over its socket in the file system, as root and as a user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jarred import BELLJAR, headless
from servers import HAVE_A_WAY_OUT, HAVE_DATABASES, database_by_socket

pytestmark = [pytest.mark.server, HAVE_DATABASES, HAVE_A_WAY_OUT]
SHOP = (sys.executable, str(Path(__file__).parent / "shop.py"))
NOBODY = 65534
DEADLINE_S = 240


class Someone:
    """Who runs `belljar`: we, or, where we are root, a user without rights."""

    def __init__(self, folder: Path, user: int | None) -> None:
        self.user = user
        self.folder = folder
        if user is not None:
            os.chown(folder, user, user)

    def command(self, *words: str) -> list[str]:
        if self.user is None:
            return list(words)
        return ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups", *words]

    def completed(self, *arguments: str, code: int = 0) -> dict[str, Any]:
        """What `belljar ARGUMENT... --json` prints."""
        done = subprocess.run(
            self.command(*BELLJAR, arguments[0], "--json", *arguments[1:]),
            env={**os.environ, "XDG_STATE_HOME": str(self.folder)},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found


@pytest.fixture(params=[pytest.param(None, id="ourselves"), pytest.param(NOBODY, id="nobody")])
def someone(request: pytest.FixtureRequest) -> Iterator[Someone]:
    with tempfile.TemporaryDirectory() as folder:  # pytest's own folders are closed to others
        yield able(Someone(Path(folder), request.param))


def able(made: Someone) -> Someone:
    """The same, or the test is skipped: somebody who can do this at all."""
    if made.user is not None and os.geteuid() != 0:
        pytest.skip("only root can be somebody else")
    # through a shell: setpriv itself still has root's rights when it executes its program
    probe = made.command("sh", "-c", 'exec "$@"', "sh", sys.executable, "-c", "import belljar_tui, psycopg")
    if subprocess.run(probe, capture_output=True, check=False).returncode != 0:
        pytest.skip("a user without rights cannot read this checkout or its virtual environment")
    return made


@pytest.fixture(scope="module")
def address() -> Iterator[Path]:
    with database_by_socket() as path:
        yield path


def arguments(address: Path) -> list[str]:
    """The shop; its cache is one that is not there."""
    shop = ["--health", "http://localhost:8000/ready", "--name", "shop"]
    return [*shop, "--env", "SHOP_DB_HOST", "--env", "SHOP_DB_PORT", "--env", "SHOP_CACHE_PORT", "--", *SHOP]


@pytest.fixture(autouse=True)
def environment(address: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_DB_HOST", str(address.parent))
    monkeypatch.setenv("SHOP_DB_PORT", "5432")
    monkeypatch.setenv("SHOP_CACHE_PORT", "1")


def test_a_database_s_socket_is_seen_cut_restored_and_found_to_be_needed(address: Path, someone: Someone) -> None:
    identity = f"unix:{address}"
    profile = someone.folder / "shop.belljar.yaml"
    found = someone.completed("minimize", "--deadline", "5", "-o", str(profile), *arguments(address))
    assert found["minimal"] == [identity]
    assert found["cut_sets"] == [[identity]]
    held = someone.completed("verify", str(profile))
    assert held["profiles"][0]["verdict"] == "holds"
    profile.write_text(profile.read_text().replace(f"  - {identity}\n", "").replace("allow:\n", "allow: []\n"))
    broken = someone.completed("verify", str(profile), code=1)
    assert broken["profiles"][0]["verdict"] == "broken"
    assert identity in broken["profiles"][0]["blocked"]
    assert "503 database: " in broken["profiles"][0]["detail"]


def test_a_cut_socket_fails_the_shop_at_once_and_is_tied_to_it(address: Path, tmp_path: Path) -> None:
    identity = f"unix:{address}"
    with headless(tmp_path, "run", "--headless", *arguments(address)) as shop:
        shop.wait_for("dependency_seen", lambda e: e["dependency"] == identity and e["pid"] is not None)
        assert shop.wait_for_health("healthy")["detail"].startswith("200 ready")
        shop.say(command="cut", dependency=identity)
        assert f'on socket "{address}" failed: ' in shop.wait_for_health("unhealthy")["detail"]
        blocked = shop.wait_for("call_blocked", lambda e: e["dependency"] == identity)
        assert blocked["process"].startswith("python")
        shop.say(command="restore", dependency=identity)
        shop.wait_for_health("healthy")
        shop.say(command="cut", dependency=identity, mode="unreachable")
        assert "not by unreachable" in shop.wait_for("command_rejected")["reason"]
        assert shop.quit() == 0
