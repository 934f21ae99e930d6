"""A real service on a real PostgreSQL and a real Redis, led into the jar from this machine's loopback."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from jarred import headless
from servers import HAVE_A_WAY_OUT, HAVE_DATABASES
from test_demo import verify

pytestmark = [pytest.mark.server, HAVE_DATABASES, HAVE_A_WAY_OUT]
SHOP = (sys.executable, str(Path(__file__).parent / "shop.py"))


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
