"""The demo without a screen: cut, see, restore, undo, seal, save, verify."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from jarred import BELLJAR, headless

pytestmark = pytest.mark.kernel
AUTH = "tcp://auth.lab:9000"


def test_a_cut_shows_blocked_calls_and_health_and_a_restore_recovers(tmp_path: Path) -> None:
    with headless(tmp_path, "demo", "--headless") as demo:
        assert demo.wait_for("seal_proven")["ok"]
        demo.wait_for_health("healthy")
        demo.say(command="cut", dependency=AUTH, mode="refuse")
        assert demo.wait_for("cut_applied")["dependency"] == AUTH
        unhealthy = demo.wait_for_health("unhealthy")
        blocked = demo.wait_for("call_blocked")
        assert (blocked["dependency"], blocked["process"]) == (AUTH, "web")
        assert blocked["pid"] > 1
        assert unhealthy.get("detail") == "503 auth.lab: connection refused"
        demo.say(command="restore", dependency=AUTH)
        demo.wait_for("cut_restored")
        demo.wait_for_health("healthy")
        assert demo.quit() == 0
    assert not [e for e in demo.events if e["event"] in ("audit_failed", "events_lost")]
    assert demo.events[-1]["event"] == "session_ended"


def test_every_dependency_of_the_lab_is_seen_and_named_and_attributed(tmp_path: Path) -> None:
    wanted = {
        "tcp://orders-db.lab:5432": 2,
        AUTH: 2,
        "tcp://config.lab:8500": 2,
        "tcp://pay-a.lab:7000": 2,
        "tcp://pay-b.lab:7000": 2,
        "tcp://cache.lab:6379": 2,
        "tcp://recs.lab:8081": 2,
        "udp://time.lab:123": 2,
        "udp://metrics.lab:8125": 2,
        "tcp://10.77.1.44:443": 3,
        "dns:": 2,
    }
    with headless(tmp_path, "demo", "--headless") as demo:
        found: dict[str, int] = {}
        while found.keys() != wanted.keys():
            event = demo.wait_for("dependency_seen")
            found[event["dependency"]] = event["pid"]
        assert found == wanted


def test_the_vacuum_cuts_all_and_undo_brings_it_back(tmp_path: Path) -> None:
    with headless(tmp_path, "demo", "--headless") as demo:
        demo.wait_for_health("healthy")
        demo.say(command="seal", seal="vacuum")
        demo.wait_for("seal_changed", lambda e: e["seal"] == "vacuum")
        demo.wait_for_health("unhealthy")
        demo.say(command="undo")
        demo.wait_for("seal_changed", lambda e: e["seal"] == "open")
        demo.wait_for_health("healthy")


def test_what_breaks_when_refused_and_what_only_when_it_hangs(tmp_path: Path) -> None:
    cache = "tcp://cache.lab:6379"
    with headless(tmp_path, "demo", "--headless") as demo:
        demo.wait_for_health("healthy")
        demo.say(command="cut", dependency=cache, mode="refuse")
        demo.wait_for("call_blocked", lambda e: e["dependency"] == cache)
        refused_until = len(demo.events)
        demo.say(command="cut", dependency=cache, mode="blackhole")
        assert "no answer" in demo.wait_for_health("unhealthy")["detail"]
        unhealthy = [e for e in demo.events[:refused_until] if e["event"] == "health_changed"]
        assert unhealthy[-1]["health"] == "healthy", "refused, the cache is tolerated"
        demo.say(command="restore", dependency=cache)
        demo.wait_for_health("healthy")


def test_a_bad_command_is_rejected_and_the_session_goes_on(tmp_path: Path) -> None:
    with headless(tmp_path, "demo", "--headless") as demo:
        demo.say(command="explode")
        demo.wait_for("command_rejected", lambda e: "explode" in e["reason"])
        demo.say(command="cut", dependency="auth")
        demo.wait_for("command_rejected", lambda e: "not a dependency id" in e["reason"])
        demo.say(command="undo")
        demo.wait_for("command_rejected", lambda e: "nothing to undo" in e["reason"])
        demo.say(command="note", text="still here")
        demo.wait_for("note_added")
        assert demo.quit() == 0


def test_a_saved_profile_holds_and_without_a_need_it_is_broken(tmp_path: Path) -> None:
    profile = tmp_path / "checkout.belljar.yaml"
    with headless(tmp_path, "demo", "--headless") as demo:
        demo.wait_for_health("healthy")
        for tolerated in ("tcp://recs.lab:8081", "tcp://10.77.1.44:443", "udp://time.lab:123"):
            demo.say(command="cut", dependency=tolerated)
        demo.wait_for("cut_applied", lambda e: e["dependency"] == "udp://time.lab:123")
        demo.say(command="save", path=str(profile))
        demo.wait_for("profile_saved")
    assert verify(profile, tmp_path)["verdict"] == "holds"
    text = profile.read_text().replace("deadline_s: 60", "deadline_s: 4")
    profile.write_text(text.replace(f"  - {AUTH}\n", ""))
    broken = verify(profile, tmp_path, code=1)
    assert broken["verdict"] == "broken"
    assert broken["detail"] == "503 auth.lab: connection refused"
    assert AUTH in broken["blocked"]


def verify(profile: Path, state_home: Path, code: int = 0) -> dict[str, Any]:
    done = subprocess.run(
        [*BELLJAR, "verify", "--json", str(profile)],
        env={**os.environ, "XDG_STATE_HOME": str(state_home)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    (result,) = json.loads(done.stdout)["profiles"]
    assert isinstance(result, dict)
    return result
