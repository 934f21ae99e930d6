"""Drills on disk: the built-in ones are sound, and what is wrong with another is told with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from belljar_tui.errors import BadDrill, UsageError
from belljar_tui.headless.drill import FOLDER, drill_of, drills
from belljar_tui.journal.drill_file import read_drill, write_drill
from belljar_tui.journal.drill_progress import Done, keep, read_progress
from belljar_tui.journal.profile_schema import DRILL_SCHEMA_PATH, drill_schema, schema_text

PLAIN = (FOLDER / "1-plain.yaml").read_text()


def test_there_are_eight_over_three_labs() -> None:
    known = drills()
    assert len(known) == 8
    assert {drill.lab for drill in known.values()} == {"checkout", "pool", "bootstrap"}
    assert all(len(drill.hints) >= 2 for drill in known.values())


@pytest.mark.parametrize("name", drills())
def test_a_drill_is_read_as_it_was_written(tmp_path: Path, name: str) -> None:
    drill = drills()[name]
    write_drill(tmp_path / "x.yaml", drill)
    assert read_drill(tmp_path / "x.yaml") == drill


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("lab: checkout", "lab: kiosk", "line 3: there is no lab 'kiosk'"),
        ("how: dead\n  after", "how: melted\n  after", "line 10"),
        ("how: dead\n  after", "how: cold\n  after", "line 10: no host of this lab waits for another"),
        ("host: auth.lab\n  how: dead", "host: time.lab\n  how: hang", "a host of datagrams can only be dead"),
        ("host: auth.lab", "host: auth", "no host auth in this lab"),
        ("dependency: tcp://auth.lab:9000", "dependency: tcp://auth.lab:1", "tcp://auth.lab:1 is not in this lab"),
        ("level: easy", "level: trivial", "line 6"),
        ("minutes: 3", "minute: 3", "line 5"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    path = tmp_path / "x.yaml"
    text = PLAIN.replace("how: dead\n", "how: dead\n  after_s: 0\n", 1)
    assert old in text
    path.write_text(text.replace(old, new, 1))
    with pytest.raises(BadDrill, match=r"x\.yaml: line \d+") as error:
        read_drill(path)
    assert told in str(error.value)


def test_the_schema_is_shipped_as_the_types_say() -> None:
    assert DRILL_SCHEMA_PATH.read_text() == schema_text(drill_schema())
    assert drill_schema()["$defs"]["Fault"]["properties"]["delay_s"]["description"] == "Of each answer, with slow."


@pytest.mark.parametrize("name", ["Friday", "-x", "two words", "ä"])
def test_a_name_that_no_drill_can_have_is_told(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be called"):
        drill_of(Path("nothing"), name)


def test_the_best_play_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "belljar" / "drills.json"
    assert read_progress(path) == {}
    for score in (60, 85, 0):
        keep(path, "plain", score)
    assert read_progress(path) == {"plain": Done(85, 3)}
    path.write_text("{")
    with pytest.raises(UsageError, match=r"drills\.json"):
        keep(path, "plain", 1)
