"""An outage from a file, played in the lab; and one made from a recorded session."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from jarred import BELLJAR, Headless, headless

from belljar_tui.core.events import CutApplied, CutRestored
from belljar_tui.journal.reader import read_journal

AUTH, CACHE = "tcp://auth.lab:9000", "tcp://cache.lab:6379"


def belljar(state_home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(state_home)}
    command = [*BELLJAR, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, env=environment)


def stays(lab: Headless, health: str) -> None:
    """Health turns so, and lasts long enough to be expected again."""
    turned = lab.wait_for_health(health)
    lab.wait_for("traffic_counted", lambda e: e["at"] > turned["at"] + 1.5)


def cuts_in(journal: Path) -> list[tuple[str, ...]]:
    """What was cut and restored, in order."""
    told: list[tuple[str, ...]] = []
    for event in read_journal(journal):
        if isinstance(event, CutApplied):
            told.append(("cut", event.dependency, event.mode))
        elif isinstance(event, CutRestored):
            told.append(("restore", event.dependency))
    return told


def test_a_session_by_hand_becomes_a_scenario_that_does_the_same_again(tmp_path: Path) -> None:
    by_hand, again, outage = tmp_path / "hand.jsonl", tmp_path / "again.jsonl", tmp_path / "outage.yaml"
    with headless(tmp_path, "demo", "--headless", "--journal", str(by_hand)) as lab:
        lab.wait_for_health("healthy")
        lab.say(command="cut", dependency=AUTH)
        stays(lab, "unhealthy")
        lab.say(command="cut", dependency=CACHE, mode="blackhole")
        lab.wait_for("cut_applied", lambda e: e["dependency"] == CACHE)
        lab.wait_for("call_blocked", lambda e: e["dependency"] == CACHE)
        lab.say(command="restore_all")
        stays(lab, "healthy")
        assert lab.quit() == 0
    assert belljar(tmp_path, "scenario", str(by_hand), "-o", str(outage)).returncode == 0
    done = belljar(tmp_path, "demo", "--scenario", str(outage), "--json", "--journal", str(again))
    result: dict[str, Any] = json.loads(done.stdout)
    assert (done.returncode, result["verdict"]) == (0, "met"), done.stdout + done.stderr
    assert [one["expect"] for one in result["expectations"]] == ["unhealthy", "healthy"]
    assert sorted(cuts_in(again)[-2:]) == sorted(cuts_in(by_hand)[-2:])
    assert cuts_in(again)[:-2] == cuts_in(by_hand)[:-2]


def test_what_was_not_as_expected_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "outage.yaml"
    path.write_text(
        "belljar_scenario: 1\nname: hope\nclock: healthy\nsteps:\n"
        f"  - {{at: 0, cut: '{AUTH}'}}\n  - {{expect: healthy, by: 3}}\n"
    )
    done = belljar(tmp_path, "demo", "--headless", "--scenario", str(path))
    assert done.returncode == 1
    assert f"{path}:6: expected healthy by 3 s: unhealthy since" in done.stderr
    assert '"event":"session_ended"' in done.stdout.splitlines()[-1]


def test_what_makes_no_sense_is_said_before_anything_starts(tmp_path: Path) -> None:
    path = tmp_path / "outage.yaml"
    path.write_text("belljar_scenario: 1\nname: x\nsteps:\n  - {at: 0, cut: 'tcp://nowhere.lab:1'}\n")
    done = belljar(tmp_path, "demo", "--headless", "--scenario", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{path}: line 4: tcp://nowhere.lab:1 is not in this lab" in done.stderr
    path.write_text("belljar_scenario: 1\nname: x\nsteps:\n  - {expect: healthy, by: 1}\n")
    assert "nothing measures it" in belljar(tmp_path, "run", "--json", "--scenario", str(path), "--", "true").stderr
    assert "--scenario FILE" in belljar(tmp_path, "demo", "--json").stderr


def test_commands_go_beside_a_scenario_and_quit_ends_it(tmp_path: Path) -> None:
    path = tmp_path / "outage.yaml"
    path.write_text(
        "belljar_scenario: 1\nname: long\nclock: healthy\nsteps:\n"
        f"  - {{at: 0, cut: '{CACHE}'}}\n  - {{expect: healthy, by: 60}}\n"
    )
    with headless(tmp_path, "demo", "--headless", "--scenario", str(path)) as lab:
        lab.wait_for("cut_applied", lambda e: e["dependency"] == CACHE)
        lab.say(command="cut", dependency=AUTH)
        lab.wait_for("cut_applied", lambda e: e["dependency"] == AUTH)
        assert lab.quit() == 1
        assert f"{path}:6: expected healthy by 60 s: the session ended at" in lab.words()
