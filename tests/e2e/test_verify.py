"""`belljar verify` as CI sees it: every exit code really reached, and what each report says."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest
from jarred import BELLJAR, DEADLINE_S
from junitparser import Failure, JUnitXml

pytestmark = pytest.mark.kernel

AUTH, RECS = "tcp://auth.lab:9000", "tcp://recs.lab:8081"
NEEDED = ("dns:", "tcp://orders-db.lab:5432", AUTH, "tcp://config.lab:8500", "tcp://pay-a.lab:7000")
TOLERATED = ("tcp://cache.lab:6379", RECS, "udp://time.lab:123", "udp://metrics.lab:8125", "tcp://10.77.1.44:443")


def profile_at(
    folder: Path,
    *,
    allow: tuple[str, ...] = NEEDED,
    known: tuple[str, ...] = (*NEEDED, *TOLERATED, "tcp://pay-b.lab:7000"),
    recovery: str = "{kind: cold, deadline_s: 3}",
    name: str = "checkout",
) -> Path:
    """A profile of the lab `checkout`."""
    path = folder / f"{name}.belljar.yaml"
    members = "".join(f"\n  - '{one}'" for one in allow) or " []"
    path.write_text(f"""\
belljar: 2
name: checkout
lab: checkout
recovery: {recovery}
healthy: {{checks: ['http://localhost:8080/ready'], every_s: 0.2}}
allow:{members}
sealed: refuse
evidence: {{never_exercised: {json.dumps(known)}}}
""")
    return path


def belljar(tmp_path: Path, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    plain = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    return subprocess.run(
        [*BELLJAR, "verify", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        env={**plain, "XDG_STATE_HOME": str(tmp_path / "state"), **environment},
        check=False,
    )


def the_one(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    (result,) = json.loads(done.stdout)["profiles"]
    assert isinstance(result, dict)
    return result


def test_it_holds_0(tmp_path: Path) -> None:
    done = belljar(tmp_path, "--json", profile_at(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    result = the_one(done)
    assert (result["verdict"], result["new_dependencies"], result["no_longer_needed"]) == ("holds", [], [])
    assert 0 < result["healthy_after_s"] < 3
    assert done.stderr == "", "no progress where there is no terminal"


def test_without_a_need_it_is_broken_1_within_its_deadline(tmp_path: Path) -> None:
    began = time.monotonic()
    without = tuple(one for one in NEEDED if one != AUTH)
    done = belljar(tmp_path, profile_at(tmp_path, allow=without, recovery="{kind: cold, deadline_s: 2}"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "It was not healthy within 2 s." in done.stdout
    assert "the check says: 503 auth.lab: connection refused" in done.stdout
    assert time.monotonic() - began < 10


def test_without_name_service_it_is_broken_1(tmp_path: Path) -> None:
    done = belljar(tmp_path, "--json", profile_at(tmp_path, allow=NEEDED[1:], recovery="{deadline_s: 2}"))
    assert done.returncode == 1, done.stdout + done.stderr
    assert "name not resolved" in the_one(done)["detail"]
    assert "dns:" in the_one(done)["blocked"]


def test_a_call_the_profile_does_not_know_is_a_drift_3(tmp_path: Path) -> None:
    known = tuple(one for one in (*NEEDED, *TOLERATED, "tcp://pay-b.lab:7000") if one != RECS)
    done = belljar(tmp_path, "--json", profile_at(tmp_path, known=known))
    assert done.returncode == 3, done.stdout + done.stderr
    result = the_one(done)
    assert (result["verdict"], result["new_dependencies"]) == ("drifted", [RECS])
    assert result["healthy_after_s"] is not None


def test_a_jar_that_cannot_be_made_is_unsealed_4(tmp_path: Path) -> None:
    done = belljar(tmp_path, profile_at(tmp_path), PATH="/nowhere")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "unshare is not installed" in done.stdout
    assert "apt install util-linux" in done.stdout


def test_a_session_that_cannot_be_kept_is_inconclusive_5(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = belljar(tmp_path, "--json", profile_at(tmp_path), XDG_STATE_HOME=str(tmp_path / "file" / "state"))
    assert done.returncode == 5, done.stdout + done.stderr
    assert the_one(done)["verdict"] == "inconclusive"
    assert "Set XDG_STATE_HOME" in the_one(done)["why"]


def test_interrupted_130_it_says_what_was_learned_so_far(tmp_path: Path) -> None:
    long = "{kind: cold, deadline_s: 50}"
    holds = profile_at(tmp_path)
    broken = profile_at(tmp_path, allow=NEEDED[:2], recovery=long, name="broken")
    later = profile_at(tmp_path, name="later")
    junit = tmp_path / "junit.xml"
    running = subprocess.Popen(
        [*BELLJAR, "verify", str(holds), str(broken), str(later), "--junit", str(junit)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state")},
    )
    end = time.monotonic() + DEADLINE_S
    while '"unhealthy"' not in "".join(
        j.read_text() for j in sorted(tmp_path.glob("state/belljar/sessions/*/*.jsonl"))[1:]
    ):
        assert time.monotonic() < end, "the second run did not begin"
        time.sleep(0.1)
    running.send_signal(signal.SIGINT)
    said, _ = running.communicate(timeout=DEADLINE_S)
    assert running.returncode == 130
    assert f"holds  {holds}" in said
    assert f"interrupted  {broken}" in said
    assert "Interrupted; until then the service was unhealthy." in said
    assert f"interrupted  {later}" in said
    assert [len(case.result) for suite in JUnitXml.fromfile(str(junit)) for case in suite] == [0, 1, 1]


def test_several_profiles_all_run_side_by_side_and_the_worst_decides(tmp_path: Path) -> None:
    fails = profile_at(tmp_path, allow=(), recovery="{deadline_s: 1}", name="fails")
    holds = profile_at(tmp_path, name="holds")
    done = belljar(tmp_path, "--json", "--jobs", "2", fails, holds)
    assert done.returncode == 1, done.stdout + done.stderr
    results = json.loads(done.stdout)["profiles"]
    assert [(Path(one["profile"]).name, one["verdict"]) for one in results] == [
        ("fails.belljar.yaml", "broken"),
        ("holds.belljar.yaml", "holds"),
    ]


def test_strict_proves_that_each_member_is_still_needed(tmp_path: Path) -> None:
    done = belljar(tmp_path, "--strict", "--json", "--jobs", "2", profile_at(tmp_path))
    assert done.returncode == 0, done.stdout + done.stderr
    members = {one["id"]: one["need"] for one in the_one(done)["members"]}
    assert members == dict.fromkeys(NEEDED, "needed")


def test_strict_names_a_member_that_is_no_longer_needed_3(tmp_path: Path) -> None:
    junit, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    profile = profile_at(tmp_path, allow=(*NEEDED, RECS))
    marks = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary), "GITHUB_WORKSPACE": str(tmp_path)}
    assert belljar(tmp_path, profile).returncode == 0, "without --strict it holds"
    done = belljar(tmp_path, "--strict", "--jobs", "2", "--junit", junit, profile, **marks)
    assert done.returncode == 3, done.stdout + done.stderr
    assert f"no longer needed: {RECS} (healthy without it" in done.stdout
    line = 1 + profile.read_text().splitlines().index(f"  - '{RECS}'")
    wanted = f"::error file=checkout.belljar.yaml,line={line},title=no longer needed%3A tcp%3A//recs.lab%3A8081::"
    assert wanted in done.stdout
    assert f"| `{RECS}` |" in summary.read_text()
    cases = {case.name: case.result for suite in JUnitXml.fromfile(str(junit)) for case in suite}
    (failure,) = cases[f"{RECS} is still needed"]
    assert isinstance(failure, Failure)
    assert cases[f"{AUTH} is still needed"] == []


def test_steady_is_cut_once_it_is_healthy_and_must_stay_so(tmp_path: Path) -> None:
    recovery = "{kind: steady, deadline_s: 5, soak_s: 1.5}"
    without_config = tuple(one for one in NEEDED if "config" not in one)  # only read at a start
    holds = belljar(tmp_path, "--json", profile_at(tmp_path, allow=without_config, recovery=recovery))
    assert holds.returncode == 0, holds.stdout + holds.stderr
    assert the_one(holds)["stayed_healthy_s"] == 1.5
    without_auth = tuple(one for one in without_config if one != AUTH)
    broken = belljar(tmp_path, "--json", profile_at(tmp_path, allow=without_auth, recovery=recovery))
    assert broken.returncode == 1, broken.stdout + broken.stderr
    assert re.fullmatch(r"It was unhealthy \d\.\d s after the cut\.", the_one(broken)["why"])


def test_steady_that_is_not_even_healthy_uncut_is_inconclusive_5(tmp_path: Path) -> None:
    done = belljar(tmp_path, "--json", profile_at(tmp_path, recovery="{kind: steady, deadline_s: 0.1}"))
    assert done.returncode == 5, done.stdout + done.stderr
    assert "raise recovery.deadline_s" in the_one(done)["why"]


@pytest.mark.skipif(not shutil.which("pasta"), reason="needs pasta (the passt package)")
@pytest.mark.skipif(not os.access("/dev/net/tun", os.W_OK), reason="/dev/net/tun is closed to this user")
def test_a_service_that_gets_healthy_and_falls_is_broken_1(tmp_path: Path) -> None:
    path, up = tmp_path / "falls.belljar.yaml", tmp_path / "up"
    path.write_text(f"""\
belljar: 2
name: falls
service: {{command: [sh, -c, "touch {up}; sleep 1; rm {up}; exec sleep 60"]}}
recovery: {{kind: cold, deadline_s: 3, soak_s: 2}}
healthy: {{checks: ['exec:test -e {up}'], every_s: 0.1}}
allow: []
""")
    done = belljar(tmp_path, "--json", path)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "but not for long, and the deadline of 3 s passed" in the_one(done)["why"]


@pytest.mark.parametrize(
    ("wrong", "right", "words"),
    [("lab: checkout", "lab: harbour", "line 3: there is no lab 'harbour'"), ("belljar: 2", "belljar: 9", "newer")],
)
def test_a_bad_profile_is_annotated_before_anything_runs_2(tmp_path: Path, wrong: str, right: str, words: str) -> None:
    path = profile_at(tmp_path)
    path.write_text(path.read_text().replace(wrong, right))
    done = belljar(tmp_path, path, GITHUB_ACTIONS="true")
    assert done.returncode == 2
    assert f"::error file={path},line={3 if 'lab' in wrong else 1},title=not a profile::" in done.stderr
    assert words in done.stderr


def test_a_report_with_no_place_to_go_is_refused_before_anything_runs_2(tmp_path: Path) -> None:
    done = belljar(tmp_path, "--junit", tmp_path / "no" / "such" / "file.xml", profile_at(tmp_path))
    assert done.returncode == 2
    assert "there is no such folder" in done.stderr
    assert done.stdout == ""


def test_on_a_terminal_it_shows_how_far_it_is(tmp_path: Path) -> None:
    path = profile_at(tmp_path, allow=(), recovery="{deadline_s: 2}")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "TERM": "xterm-256color"}
    terminal = pexpect.spawn(
        sys.executable,
        ["-m", "belljar_tui", "verify", str(path)],
        env=environment,
        encoding="utf-8",
        dimensions=(24, 200),
        timeout=DEADLINE_S,
    )
    terminal.expect(r"a sealed run .* 1 / 2 s")
    terminal.expect("broken")
    terminal.expect(pexpect.EOF)
    terminal.close()
    assert terminal.exitstatus == 1
