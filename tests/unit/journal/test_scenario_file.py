from __future__ import annotations

from pathlib import Path

import pytest

from belljar_tui.core.scenario import Scenario
from belljar_tui.errors import BadScenario
from belljar_tui.journal.profile_schema import SCENARIO_SCHEMA_PATH, scenario_schema, schema_text
from belljar_tui.journal.scenario_file import line_of_step, read_scenario, write_scenario
from belljar_tui.labs import LABS

TEXT = """belljar_scenario: 1
name: outage
steps:
  - {at: 0, cut: "tcp://auth.lab:9000", mode: blackhole}
  - at: 20
    cut: tcp://orders-db.lab:5432
  - {at: 60, restore: all}
  - {expect: healthy, by: 90}
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "outage.yaml"
    path.write_text(text)
    return path


def test_a_scenario_is_read_and_written_back_the_same(tmp_path: Path) -> None:
    read = read_scenario(written(tmp_path, TEXT))
    write_scenario(tmp_path / "again.yaml", read)
    again = read_scenario(tmp_path / "again.yaml")
    assert again.steps == read.steps
    assert (tmp_path / "again.yaml").read_text().startswith("# outage, counted from its start: at 0 s cut tcp://auth")


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("belljar_scenario: 1", "belljar_scenario: 2", "line 1: it has format 2 and was written by a newer BellJar"),
        ("belljar_scenario: 1", "belljar: 2", "line 1: the field belljar_scenario, the format's version, is missing"),
        ("at: 60", "at: 6", "line 7: 6 s is in the past"),
        ("at: 0,", "at: -1,", "line 4: steps[1].at"),
        ("restore: all", "restor: all", "line 7: unknown field steps[3].restor."),
        ("blackhole", "blackhoul", "line 4: steps[1].mode: invalid enum value"),
        ("auth.lab:9000", "auth.lab", "line 4: 'tcp://auth.lab' is not a dependency id"),
        ("by: 90}", "by: 90", "broken YAML"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = written(tmp_path, TEXT.replace(old, new))
    with pytest.raises(BadScenario) as caught:
        read_scenario(path)
    assert str(caught.value).startswith(str(path))
    assert says in str(caught.value)


def test_a_dependency_the_lab_does_not_have_is_told_with_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT.replace("orders-db.lab:5432", "order-db.lab:5432"))
    with pytest.raises(BadScenario, match=r"line 6: tcp://order-db\.lab:5432 is not in this lab") as caught:
        read_scenario(path, LABS["checkout"].dependencies)
    assert "Did you mean tcp://orders-db.lab:5432?" in str(caught.value)
    assert isinstance(read_scenario(path), Scenario)


def test_a_step_has_a_line(tmp_path: Path) -> None:
    path = written(tmp_path, TEXT)
    assert [line_of_step(path, number) for number in (1, 2, 3)] == [4, 5, 7]


def test_the_schema_is_shipped_as_the_types_say() -> None:
    assert SCENARIO_SCHEMA_PATH.read_text() == schema_text(scenario_schema())
