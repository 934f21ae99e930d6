"""`belljar order` as CI and a person use it: exit codes, files, baselines."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from jarred import BELLJAR

PROFILE = """\
belljar: 2
name: {name}
service: {{command: [./{name}]}}
healthy: {{checks: ['http://localhost:8080/ready']}}
recovery: {{kind: {kind}, deadline_s: 5}}
allow: [{allow}]
"""


def write(folder: Path, name: str, *needs: str, kind: str = "cold") -> Path:
    path = folder / f"{name}.belljar.yaml"
    path.write_text(PROFILE.format(name=name, kind=kind, allow=", ".join(f"tcp://{n}.lab:80" for n in needs)))
    return path


def order(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [*BELLJAR, "order", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, "COLUMNS": "200"}
    )


@pytest.fixture
def circle(tmp_path: Path) -> Path:
    write(tmp_path, "a", "b")
    write(tmp_path, "b", "a")
    write(tmp_path, "c")
    return tmp_path


def test_everything_can_start(tmp_path: Path) -> None:
    write(tmp_path, "a", "b", "outside")
    write(tmp_path, "b")
    done = order(tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["waves"] == [["b"], ["a"]]
    assert result["roots"] == ["tcp://outside.lab:80"]
    assert [result[field] for field in ("cycles", "blocked", "breaks")] == [[], [], []]
    assert "Everything can start" in order(tmp_path).stdout


def test_a_cycle_is_exit_code_1_and_a_baseline_allows_it(circle: Path) -> None:
    done = order(circle)
    assert done.returncode == 1
    assert "a waits for b (tcp://b.lab:80), and b waits for a (tcp://a.lab:80)" in done.stdout
    baseline = circle / "baseline.json"
    assert order(circle, "--json", "-o", baseline).returncode == 1
    assert json.loads(baseline.read_text())["breaks"] == [["a", "b"]]
    known = order(circle, "--baseline", baseline)
    assert known.returncode == 0
    assert "all were known before" in known.stdout
    write(circle, "c", "c")
    new = order(circle, "--baseline", baseline)
    assert new.returncode == 1
    assert "new: c waits for itself" in new.stdout


def test_a_runbook_and_pictures_go_to_files(circle: Path) -> None:
    for name, words in (("runbook", "## Wave 1"), ("mermaid", "flowchart TB"), ("dot", "digraph belljar")):
        target = circle / name
        done = order(circle, "--to", name, "-o", target)
        assert (done.returncode, done.stdout) == (1, "")
        assert words in target.read_text()


def test_who_is_who_can_be_told(tmp_path: Path) -> None:
    write(tmp_path, "a", "db-primary")
    write(tmp_path, "db")
    assert json.loads(order(tmp_path, "--json").stdout)["waves"] == [["a", "db"]]
    done = order(tmp_path, "--json", "--provides", "db=db-primary.lab")
    assert json.loads(done.stdout)["waves"] == [["db"], ["a"]]
    assert order(tmp_path, "--root", "nobody").stderr.count("No service needs nobody") == 1


def test_what_cannot_be_read_is_told_and_keep_going_uses_the_rest(circle: Path) -> None:
    bad = circle / "bad.belljar.yaml"
    bad.write_text("belljar: 2\nname: bad\nallow: 3\n")
    done = order(circle)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"{bad}: line 3" in done.stderr
    assert "--keep-going" in done.stderr
    done = order(circle, "--keep-going", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["waves"] == [["c"]]
    assert len(json.loads(done.stdout)["problems"]) == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--json", "--to", "dot"), "cannot be had at once"),
        (("--explore",), "--explore needs a terminal"),
        (("--provides", "a"), "it is not SERVICE=ID"),
        (("--provides", "z=x"), "No cold profile is called 'z'"),
        (("--provides", "a=tcp://x"), "the port is missing"),
        (("--baseline", "no-such-file"), "cannot be read"),
        (("-o", "/no/such/folder/x"), "cannot be written"),
        (("no-such-folder",), "there is no such file"),
    ],
)
def test_a_mistake_is_explained(arguments: tuple[str, ...], words: str, circle: Path) -> None:
    done = order(circle, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_steady_profiles_alone_are_nothing_to_order(tmp_path: Path) -> None:
    write(tmp_path, "a", kind="steady")
    done = order(tmp_path)
    assert done.returncode == 2
    assert "There is nothing to order" in done.stderr


def test_an_empty_folder_is_explained(tmp_path: Path) -> None:
    done = order(tmp_path)
    assert done.returncode == 2
    assert "there is no profile in this folder" in done.stderr
