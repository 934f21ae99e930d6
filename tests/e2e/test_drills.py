"""Every drill, solved and failed by a script as a learner would: real labs, real faults, nothing but what is seen."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jarred import BELLJAR, Headless, headless

from belljar_tui.headless.drill import drills

pytestmark = pytest.mark.kernel
DRILLS = drills()
SAYS = {
    "plain": "auth.lab: connection refused",
    "restart": "config.lab: connection refused",
    "silent": "no answer",
    "starved": "503",
    "stranger": "503 not ready",
    "circle": "identity.lab: waiting; storage.lab: waiting; vault.lab: waiting",
}


def belljar(state_home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(state_home)}
    done = subprocess.run(
        [*BELLJAR, *arguments], capture_output=True, text=True, timeout=20, check=False, env=environment
    )
    assert "Traceback" not in done.stderr
    return done


@contextmanager
def played(state_home: Path, name: str, *arguments: str) -> Iterator[Headless]:
    with headless(state_home, "drill", name, "--headless", *arguments) as game:
        game.wait_for("service_started")
        yield game


def ended(game: Headless) -> tuple[int, dict[str, object]]:
    """The exit code, and the debrief: the last line, which is no event."""
    code = game.process.wait(20)
    game._reader.join(5)
    return code, game.events[-1]


def told_by(game: Headless, words: str) -> None:
    """Wait until the check says so: at the very first the service itself does not listen yet."""
    game.wait_for("health_changed", lambda e: e["health"] == "unhealthy" and words in e["detail"])


def find(game: Headless, name: str, culprit: str) -> None:
    """Probe as the drill's shortest way says, and see what it says."""
    match name:
        case "half":
            game.wait_for_health("healthy")
            cut(game, "tcp://pay-b.lab:7000")
            told_by(game, "pay-b.lab")
        case "silent" | "starved":
            told_by(game, SAYS[name])
            cut(game, culprit)
            game.wait_for_health("healthy")
        case "names":
            game.wait_for_health("healthy")
            game.wait_for_health("unhealthy")
        case _:
            told_by(game, SAYS[name])
    if name == "stranger" and not any(event.get("dependency") == culprit for event in game.events):
        game.wait_for("dependency_seen", lambda e: e["dependency"] == culprit)


def cut(game: Headless, dependency: str) -> None:
    game.say(command="cut", dependency=dependency)
    game.wait_for("cut_applied", lambda e: e["dependency"] == dependency)


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_is_solved(tmp_path: Path, name: str) -> None:
    culprit = DRILLS[name].culprit
    with played(tmp_path, name) as game:
        find(game, name, culprit.dependency)
        game.say(command="answer", dependency=culprit.dependency, how=culprit.how)
        code, told_at_end = ended(game)
        assert code == 0
        assert (told_at_end["is_found"], told_at_end["score"], told_at_end["hints"]) == (True, 100, 0)
        assert told_at_end["timeline"]
        assert told_at_end["shortest"]
        assert json.loads((tmp_path / "belljar" / "drills.json").read_text())["drills"][name] == {
            "best": 100,
            "plays": 1,
        }


@pytest.mark.parametrize("name", DRILLS)
def test_a_drill_is_failed(tmp_path: Path, name: str) -> None:
    with played(tmp_path, name) as game:
        game.say(command="hint")
        assert game.wait_for("note_added")["text"] == f"hint 1: {DRILLS[name].hints[0]}"
        game.say(command="answer", dependency="tcp://nowhere.lab:1", how="dead")
        assert game.wait_for("note_added")["text"].endswith("wrong")
        game.say(command="quit")
        code, told = ended(game)
        assert code == 1
        assert (told["is_found"], told["score"], told["hints"], told["wrong"]) == (False, 0, 1, 1)


def test_before_the_answer_nothing_tells_it(tmp_path: Path) -> None:
    with played(tmp_path, "silent") as game:
        told_by(game, "no answer")
        assert not any("fault" in json.dumps(event) or '"hang"' in json.dumps(event) for event in game.events)
        view = [event for event in game.events if event["event"] == "cut_applied"]
        assert view == [], "the fault is the world's, not a cut"
        game.say(command="quit")
        ended(game)


def test_a_cut_must_be_foretold_and_is_judged(tmp_path: Path) -> None:
    journal = tmp_path / "play.belljar.jsonl"
    with played(tmp_path, "half", "--predict", "--journal", str(journal)) as game:
        game.wait_for_health("healthy")
        game.say(command="cut", dependency="tcp://pay-b.lab:7000")
        assert "First say what this cut will do" in game.wait_for("command_rejected")["reason"]
        game.process.stdin.write('{"command":"predict","breaks":true,"sure":0.9}\n')  # type: ignore[union-attr]
        game.say(command="cut", dependency="tcp://pay-b.lab:7000")
        game.wait_for_health("unhealthy")
        game.say(command="quit")
        _, told = ended(game)
        assert told["calibration"] == {"count": 1, "right": 1, "brier": pytest.approx(0.01)}
    assert "`belljar drill half`" in belljar(tmp_path, "report", str(journal), "--to", "md").stdout
    assert "cut: tcp://pay-b.lab:7000" in belljar(tmp_path, "scenario", str(journal)).stdout
    assert "lab: checkout\n" in belljar(tmp_path, "drill", "--make", str(journal)).stdout


def test_a_drill_is_made_from_a_recorded_incident_and_solved(tmp_path: Path) -> None:
    journal, made = tmp_path / "incident.belljar.jsonl", tmp_path / "friday.yaml"
    with headless(tmp_path, "demo", "--headless", "--journal", str(journal)) as incident:
        incident.wait_for_health("healthy")
        cut(incident, "tcp://auth.lab:9000")
        incident.wait_for_health("unhealthy")
        incident.say(command="restore_all")
        incident.wait_for("cut_restored")
        incident.say(command="quit")
        assert incident.process.wait(20) == 0
    done = belljar(tmp_path, "drill", "--make", str(journal), "-o", str(made))
    assert done.returncode == 0
    assert "broken to the end in the drill: tcp://auth.lab:9000" in done.stderr
    assert "name: friday\n" in made.read_text()
    assert "name: night\n" in belljar(tmp_path, "drill", "--make", str(journal), "--name", "night").stdout
    with played(tmp_path, str(made)) as game:
        told_by(game, "auth.lab: connection refused")
        game.say(command="answer", dependency="tcp://auth.lab:9000", how="dead")
        assert ended(game)[0] == 0


def test_bad_input_is_told(tmp_path: Path) -> None:
    unknown = belljar(tmp_path, "drill", "plan", "--headless")
    assert unknown.returncode == 2
    assert "There is no drill 'plan'" in unknown.stderr
    assert "plain, silent" in unknown.stderr
    assert "needs a terminal" in belljar(tmp_path, "drill", "plain").stderr
    nothing = tmp_path / "nothing.belljar.jsonl"
    nothing.write_text('{"belljar_journal":1,"written_by":"0.1.0"}\n')
    assert "nothing was recorded" in belljar(tmp_path, "drill", "--make", str(nothing)).stderr
    broken = tmp_path / "broken.yaml"
    broken.write_text("belljar_drill: 1\nname: x\nlab: nowhere\n")
    assert f"{broken}: " in belljar(tmp_path, "drill", str(broken), "--headless").stderr
    listed = json.loads(belljar(tmp_path, "drill", "--json").stdout)["drills"]
    assert [each["name"] for each in listed] == list(DRILLS)
