"""Profiles in folders: found, read, and checked against one another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from belljar_tui.core.profile import Recovery
from belljar_tui.errors import UsageError
from belljar_tui.headless.ordering.baseline import known_pairs
from belljar_tui.headless.ordering.reading import read_all
from belljar_tui.journal.profile_file import profile_text
from tests.unit.order.world import COMPANY, cold


def write(folder: Path, name: str, *allow: str, file: str = "", old: str = "", new: str = "") -> Path:
    path = folder / f"{file or name}.belljar.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(profile_text(cold(name, *allow)).replace(old, new))
    return path


def test_a_folder_stands_for_all_profiles_in_it_but_hidden_ones(tmp_path: Path) -> None:
    write(tmp_path, "a")
    write(tmp_path / "team", "b")
    write(tmp_path / ".git", "c")
    (tmp_path / "other.yaml").write_text("x: 1")
    reading = read_all([str(tmp_path), str(tmp_path / "a.belljar.yaml")])
    assert [entry.profile.name for entry in reading.counted] == ["a", "b"]
    assert not reading.problems


def test_an_empty_folder_says_what_a_profile_is_called(tmp_path: Path) -> None:
    (tmp_path / "db.yaml").write_text("x: 1")
    (problem,) = read_all([str(tmp_path)]).problems
    assert "no profile in this folder" in str(problem)
    assert "1 other YAML" in str(problem)


def test_every_problem_is_told_with_its_line_and_the_rest_is_read(tmp_path: Path) -> None:
    good = write(tmp_path, "a")
    write(tmp_path, "b", old="allow:", new="alow:")
    write(tmp_path, "c", old="sealed: refuse", new="sealed: [")
    reading = read_all([str(tmp_path), str(tmp_path / "none.yaml")])
    assert [entry.path for entry in reading.counted] == [str(good)]
    assert [":" in str(problem) for problem in reading.problems] == [True] * 3
    assert "line " in str(reading.problems[0])


def test_two_services_of_one_name_are_told_with_both_places(tmp_path: Path) -> None:
    write(tmp_path, "db", file="1")
    write(tmp_path, "DB", file="2", old="./DB", new="./other")
    (problem,) = read_all([str(tmp_path)]).problems
    assert "2.belljar.yaml: line " in str(problem)
    assert "another service is called db already" in str(problem)
    assert "1.belljar.yaml: line " in str(problem)


def test_profiles_that_contradict_one_another_are_told(tmp_path: Path) -> None:
    write(tmp_path, "db", file="1")
    second = write(tmp_path, "db", "tcp://x:1", file="2")
    (problem,) = read_all([str(tmp_path)]).problems
    assert "contradicts" in str(problem)
    lines = second.read_text().splitlines()
    assert lines[problem.line - 1].startswith("allow:")


def test_the_same_profile_twice_is_counted_once(tmp_path: Path) -> None:
    write(tmp_path, "db", file="1")
    write(tmp_path, "db", file="2")
    reading = read_all([str(tmp_path)])
    assert len(reading.counted) == 1
    assert not reading.problems
    assert "counted once" in reading.notes[0]


def test_steady_profiles_are_not_counted(tmp_path: Path) -> None:
    import msgspec

    profile = msgspec.structs.replace(COMPANY[0], recovery=Recovery(kind="steady"))
    (tmp_path / "s.belljar.yaml").write_text(profile_text(profile))
    reading = read_all([str(tmp_path)])
    assert not reading.counted
    assert reading.steady[0].profile.name == "orders-db"


def test_a_working_set_that_is_none_is_a_problem_with_a_line(tmp_path: Path) -> None:
    path = tmp_path / "p.belljar.yaml"
    path.write_text(profile_text(cold("pay", "tcp://a:1", other=("nonsense",))))
    (problem,) = read_all([str(path)]).problems
    assert "working_sets" in str(problem)
    assert "working_sets" in path.read_text().splitlines()[problem.line - 1]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "line 1: is not JSON"),
        ("[]", "not the result of an order"),
        ("{}", "no lists of cycles"),
        ('{"cycles": [1]}', "no lists of cycles"),
        ('{"tangled": [["a"]]}', "no lists of cycles"),
        ("\xff", "is not JSON"),
    ],
)
def test_a_baseline_that_is_none_is_explained(text: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UsageError) as caught:
        known_pairs(str(path))
    assert words in str(caught.value)
    assert "belljar order --json" in str(caught.value)


def test_a_baseline_may_be_written_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(json.dumps({"cycles": [["a", "b"], ["c"]]}))
    assert known_pairs(str(path)) == {("a", "b"), ("b", "a"), ("c", "c")}


@pytest.mark.parametrize("name", ["a\x1b[31mred", "two\nlines", "\ud800"])
def test_a_name_that_cannot_be_shown_is_a_problem(name: str, tmp_path: Path) -> None:
    path = tmp_path / "p.belljar.yaml"
    path.write_text(profile_text(cold("good")).replace("name: good", f"name: {json.dumps(name)}"))
    (problem,) = read_all([str(path)]).problems
    assert "cannot be shown" in str(problem)
    assert str(problem).isascii()
    assert path.read_text().splitlines()[problem.line - 1].startswith("name:")
