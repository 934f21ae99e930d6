from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belljar_tui.core.profile import VERSION, Profile, claim_of, wanted_of
from belljar_tui.errors import BadProfile
from belljar_tui.journal import profile_migrate
from belljar_tui.journal.profile_file import profile_text, read_profile, write_profile
from belljar_tui.journal.profile_schema import SCHEMA_PATH, profile_schema, schema_text
from tests.unit.strategies import profiles

GOOD = """\
belljar: 2
name: checkout
service:
  command: [./server, --port, '8080']
  environment:
    - HOME
forward:
  - 5432
recovery: {kind: cold, deadline_s: 60}
healthy:
  checks:
    - http://localhost:8080/ready
allow:
  - tcp://orders-db:5432
  - tcp://auth:9000  # a comment is welcome
sealed: refuse
"""


def complaint(path: Path) -> BadProfile:
    with pytest.raises(BadProfile) as caught:
        read_profile(path)
    assert str(caught.value).startswith(str(path))
    return caught.value


@given(profiles)
@settings(max_examples=60)
def test_a_profile_reads_back_as_it_was_written(profile: Profile) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "p.belljar.yaml")
        write_profile(path, profile)
        assert read_profile(path) == msgspec.structs.replace(profile, claim=claim_of(profile))


@given(st.text() | st.text(alphabet=" \n-:[]{}&*!?<>'\"#|%@0x_ab"))
def test_any_text_is_a_profile_or_a_bad_one_and_nothing_else(text: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "p.yaml")
        path.write_bytes(text.encode())
        complaint(path)


def test_the_file_opens_with_its_claim(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(GOOD)
    lines = profile_text(read_profile(path)).splitlines()
    assert lines[0].startswith("# checkout becomes healthy within 60 s of a cold start with only orders-db and auth")
    assert next(line for line in lines if line and not line.startswith("#")).startswith("claim: checkout becomes")


@pytest.mark.parametrize(
    ("good", "bad", "line", "says"),
    [
        ("allow:", "alow:", 13, "unknown field alow.\nDid you mean allow?"),
        ("  command:", "  comand:", 4, "unknown field service.comand.\nDid you mean command?"),
        ("'8080'", "8080", 4, "service.command[3]: expected text, got a whole number.\nPut it in quotes"),
        ("'8080']", "'8080'", 5, "broken YAML"),
        ("5432\nrec", "70000\nrec", 8, "forward[1]: expected a whole number <= 65535"),
        ("5432\nrec", "0\nrec", 8, "forward[1]: expected a whole number >= 1"),
        ("5432\nrec", "many\nrec", 8, "forward[1]: expected a whole number, got text"),
        ("belljar: 2", "belljar: 3", 1, "newer BellJar; this one reads up to 2.\nUpgrade"),
        ("belljar: 2", "belljar: one", 1, "'one' is not a format version"),
        ("belljar: 2", "belljar: true", 1, "is not a format version"),
        ("belljar: 2\n", "", 1, "the format's version, is missing.\nA profile says which format it has: belljar: 2"),
        ("name: checkout\n", "", 1, "the field name is missing"),
        ("name: checkout", "name: checkout\nname: other", 3, "the field 'name' is there twice"),
        ("name: checkout", "name: !!python/object x", 2, "has no meaning in a profile"),
        ("name: checkout", "name: 0x_", 2, "'0x_' is not a value"),
        ("name: checkout", "name: &a [*a]", 2, "*a stands for a value written elsewhere"),
        ("name: checkout", "name: *a", 2, "*a stands for a value written elsewhere"),
        ("name: checkout", "name: '\a'", 2, "a character YAML does not allow (U+0007)"),
        ("tcp://auth:9000", "auth", 15, "'auth' is not a dependency id"),
        ("tcp://auth:9000", "tcp://auth:90000", 15, "the port '90000' is not a number from 1 to 65535"),
        ("http://localhost", "gopher://localhost", 12, "is not a health check: it starts with none of"),
        ("http://localhost:8080", "http://localhost:80800", 12, "the port '80800' is not a number"),
        ("- HOME", "- HOME=/root", 6, "never with its value.\nWrite only HOME"),
        ("deadline_s: 60", "deadline_s: 0", 9, "recovery.deadline_s: expected a number > 0"),
        ("deadline_s: 60", "deadline_s: .inf", 9, "the number has no end"),
        ("deadline_s: 60", "deadline_s: soon", 9, "recovery.deadline_s: expected a number, got text"),
        ("kind: cold", "kind: warm", 9, "invalid enum value 'warm'.\nIt can be: cold, steady."),
        ("sealed: refuse", "sealed: gently", 16, "invalid enum value 'gently'.\nIt can be: refuse, blackhole"),
        ("sealed: refuse", "sealed: refuse\n---\na: 1", 17, "broken YAML"),
        ("    - http://localhost:8080/ready", "    []", 10, "there is no health check"),
        ("  command: [./server, --port, '8080']\n", "", 3, "the service has no command"),
    ],
)  # fmt: skip
def test_each_flaw_is_told_with_its_line_and_what_to_do(
    tmp_path: Path, good: str, bad: str, line: int, says: str
) -> None:
    assert good in GOOD
    path = tmp_path / "p.yaml"
    path.write_text(GOOD.replace(good, bad, 1))
    error = complaint(path)
    assert f"{path}: line {line}: " in str(error)
    assert says in str(error)
    assert "`" not in str(error)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b"# only a comment\n", "is empty"),
        (b"- a\n- b\n", "a profile is a mapping of fields"),
        (b"just words", "a profile is a mapping of fields"),
        (b"\x7fELF\x02\x01\xff\xfe", "line 1: is not text (UTF-8)"),
        (b"a: 1\nb: \0", "line 2: is not text"),
        (b"[" * 5000, "nested too deeply"),
        (b"a" * 1_000_001, "too large"),
    ],
)
def test_a_file_that_is_no_profile_at_all_is_refused(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    assert says in str(complaint(path))


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    assert "there is no such file" in str(complaint(tmp_path / "none.yaml"))
    assert "cannot be read: Is a directory" in str(complaint(tmp_path))


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(GOOD)
    profile = read_profile(tmp_path / "good.yaml")
    target = tmp_path / "taken"
    target.mkdir()
    with pytest.raises(BadProfile, match="cannot be written"):
        write_profile(target, profile)
    with pytest.raises(BadProfile, match="cannot be written: No such file or directory"):
        write_profile(tmp_path / "no" / "such.yaml", profile)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good.yaml", "taken"]


def test_the_shipped_schema_is_current() -> None:
    assert SCHEMA_PATH.read_text() == schema_text()


OLD = Path(__file__).with_name("version_1.belljar.yaml")


def test_a_profile_of_format_1_keeps_its_meaning_name_service_stays_open() -> None:
    profile = read_profile(OLD)
    assert profile.belljar == VERSION
    assert profile.allow == ("tcp://orders-db:5432", "tcp://auth:9000", "dns:")
    assert wanted_of(profile).cuts == {}


def test_a_flaw_in_a_profile_of_format_1_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(OLD.read_text().replace("tcp://auth:9000", "auth"))
    line = 1 + OLD.read_text().splitlines().index("  - tcp://auth:9000")
    assert f"line {line}: 'auth' is not a dependency id" in str(complaint(path))
    path.write_text(OLD.read_text().replace("allow:\n  - tcp://orders-db:5432\n  - tcp://auth:9000\n", "allow: 3\n"))
    assert "allow: expected a list, got a whole number" in str(complaint(path))


def test_a_member_of_format_1_is_not_added_twice() -> None:
    assert profile_migrate.migrated({"belljar": 1, "allow": ["dns:"]}, 1) == {"belljar": VERSION, "allow": ["dns:"]}


def test_there_is_a_step_from_every_old_format() -> None:
    assert sorted(profile_migrate.STEPS) == list(range(1, VERSION))


def test_the_schema_explains_fields_in_the_words_beside_them() -> None:
    recovery = profile_schema()["$defs"]["Recovery"]["properties"]
    assert recovery["kind"]["description"] == "`cold`: from a fresh start; `steady`: cut while running."
