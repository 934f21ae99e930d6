"""A real service on a real PostgreSQL and a real Redis, led into the jar from this machine's loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from jarred import headless
from test_demo import verify

PATHS = [os.environ["PATH"], *map(str, Path("/usr/lib/postgresql").glob("*/bin"))]
INITDB = shutil.which("initdb", path=os.pathsep.join(PATHS))
pytestmark = [
    pytest.mark.server,
    pytest.mark.skipif(not (INITDB and shutil.which("redis-server")), reason="needs postgresql and redis-server"),
    pytest.mark.skipif(not shutil.which("pasta"), reason="needs pasta (the passt package)"),
    pytest.mark.skipif(not os.access("/dev/net/tun", os.W_OK), reason="/dev/net/tun is closed to this user"),
]
SHOP = (sys.executable, str(Path(__file__).parent / "shop.py"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_open(port: int) -> None:
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            assert time.monotonic() < end, f"nothing listens on {port}"
            time.sleep(0.05)
            continue
        return


@contextmanager
def running(command: list[str], port: int, user: str | None) -> Iterator[None]:
    """A server of this test's own, ended with it."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, user=user, group=user)
    try:
        wait_until_open(port)
        yield
    finally:
        process.terminate()
        process.wait(20)


@pytest.fixture
def servers() -> Iterator[tuple[int, int]]:
    """Ports of a PostgreSQL and a Redis on this machine's loopback."""
    assert INITDB is not None
    user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to be root
    data = Path(subprocess.check_output(["mktemp", "-d"], text=True).strip())
    if user is not None:
        shutil.chown(data, user)
    database, cache = free_port(), free_port()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, data, ignore_errors=True)
        initdb = [INITDB, "-D", str(data / "db"), "-U", "postgres", "--auth=trust", "--no-sync"]
        subprocess.run(initdb, check=True, user=user, group=user, stdout=subprocess.DEVNULL, cwd=data)
        postgres = [str(Path(INITDB).parent / "postgres"), "-D", str(data / "db"), "-p", str(database)]
        stack.enter_context(running([*postgres, "-k", str(data), "-c", "fsync=off"], database, user))
        redis = ["redis-server", "--port", str(cache), "--save", "", "--dir", str(data)]
        stack.enter_context(running(redis, cache, user))
        yield database, cache


def test_a_real_service_is_explored_saved_and_verified(servers: tuple[int, int], tmp_path: Path) -> None:
    database, cache = servers
    profile = tmp_path / "shop.belljar.yaml"
    os.environ["SHOP_DB_PORT"], os.environ["SHOP_CACHE_PORT"] = str(database), str(cache)
    arguments = ["--forward", str(database), "--forward", str(cache), "--health", "http://localhost:8000/ready"]
    with headless(tmp_path, "run", "--headless", "--name", "shop", *arguments, "--", *SHOP) as shop:
        assert shop.wait_for_health("healthy")["detail"].startswith("200 ready")
        shop.say(command="cut", dependency=f"tcp://localhost:{cache}")
        blocked = shop.wait_for("call_blocked", lambda e: e["dependency"] == f"tcp://localhost:{cache}")
        assert blocked["pid"] is not None
        before = len(shop.events)
        shop.say(command="cut", dependency=f"tcp://localhost:{database}")
        blocked = shop.wait_for("call_blocked", lambda e: e["dependency"] == f"tcp://localhost:{database}")
        assert blocked["pid"] is not None
        cut_off = shop.wait_for_health("unhealthy")
        assert cut_off["detail"].startswith("503 database:")
        while_redis_was_cut = [e["health"] for e in shop.events[:before] if e["event"] == "health_changed"]
        assert while_redis_was_cut[-1] == "healthy", "the cache is tolerated"
        shop.say(command="restore", dependency=f"tcp://localhost:{database}")
        shop.wait_for_health("healthy")
        shop.say(command="save", path=str(profile))
        shop.wait_for("profile_saved")
        assert shop.quit() == 0
    held = verify(profile, tmp_path)
    assert held["verdict"] == "holds"
    text = profile.read_text().replace("deadline_s: 60", "deadline_s: 5")
    profile.write_text(text.replace(f"  - tcp://localhost:{database}\n", "").replace("allow:\n", "allow: []\n"))
    broken = verify(profile, tmp_path, code=1)
    assert broken["verdict"] == "broken"
    assert f"tcp://localhost:{database}" in broken["blocked"]
    assert "503 database:" in broken["detail"]
