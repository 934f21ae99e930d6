from __future__ import annotations

from xml.etree import ElementTree as Xml

from hypothesis import given
from hypothesis import strategies as st
from junitparser import Error, Failure, JUnitXml, Skipped, TestSuite

from belljar_tui.headless.junit import junit_xml
from belljar_tui.headless.verifying.result import Member, Need, Verdict, Verified

HOLDS = Verified(profile="a.yaml", verdict=Verdict.HOLDS, healthy_after_s=1.5, claim="a holds", spent_s=2.25)
BROKEN = Verified(
    profile="b.yaml",
    verdict=Verdict.BROKEN,
    why="It was not healthy within 10 s.",
    detail='503 auth: "refused" <&>',
    blocked={"tcp://auth:9000": 4},
    log=["bad \x1b[31mthings\x00"],
    spent_s=10.5,
)
STRICT = Verified(
    profile="c.yaml",
    verdict=Verdict.DRIFTED,
    why="It is healthy without tcp://old:1 too.",
    no_longer_needed=["tcp://old:1"],
    members=[
        Member(id="tcp://db:5432", need=Need.NEEDED, detail="503 db", spent_s=1.0),
        Member(id="tcp://old:1", need=Need.NO_LONGER_NEEDED, healthy_after_s=0.5),
        Member(id="tcp://x:1", need=Need.INCONCLUSIVE, detail="a full disk"),
    ],
)
UNSEALED = Verified(profile="d.yaml", verdict=Verdict.UNSEALED, why="unshare is not installed.")
INTERRUPTED = Verified(profile="e.yaml", verdict=Verdict.INCONCLUSIVE, why="Interrupted", is_interrupted=True)
ALL = [HOLDS, BROKEN, STRICT, UNSEALED, INTERRUPTED]


def written(*results: Verified) -> bytes:
    return junit_xml(results, started="2026-01-01T12:00:00", version="1.0")


def parsed(*results: Verified) -> TestSuite:
    (suite,) = JUnitXml.fromstring(written(*results))
    assert isinstance(suite, TestSuite)
    return suite


def test_a_parser_reads_a_case_per_profile_and_per_member() -> None:
    suite = parsed(*ALL)
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (8, 3, 2, 1)
    assert [case.name for case in suite][2:6] == [
        "c.yaml",
        "tcp://db:5432 is still needed",
        "tcp://old:1 is still needed",
        "tcp://x:1 is still needed",
    ]
    properties = {one.get("name"): one.get("value") for one in Xml.fromstring(written(*ALL)).iter("property")}
    assert properties["a.yaml healthy_after_s"] == "1.500"
    assert suite.time == 13.75


def test_a_failure_has_the_checks_own_words_and_an_error_says_what_was_wrong() -> None:
    by_name = {case.name: case.result for case in parsed(*ALL)}
    assert by_name["a.yaml"] == []
    (broken,) = by_name["b.yaml"]
    assert isinstance(broken, Failure)
    assert (broken.type, broken.message) == ("broken", '503 auth: "refused" <&>')
    assert "blocked: tcp://auth:9000 (4)" in str(broken.text)
    (unsealed,) = by_name["d.yaml"]
    assert isinstance(unsealed, Error)
    assert unsealed.message == "unshare is not installed."
    (unclear,) = by_name["tcp://x:1 is still needed"]
    assert isinstance(unclear, Error)
    (skipped,) = by_name["e.yaml"]
    assert isinstance(skipped, Skipped)


def test_the_shape_is_the_one_every_reader_knows() -> None:
    suite = Xml.fromstring(written(*ALL))
    required = {"name", "timestamp", "hostname", "tests", "failures", "errors", "time"}
    assert suite.tag == "testsuite"
    assert required <= suite.attrib.keys() <= required | {"skipped"}
    tags = [child.tag for child in suite]
    assert tags == ["properties", *["testcase"] * (len(tags) - 3), "system-out", "system-err"]
    for case in suite.iter("testcase"):
        assert case.attrib.keys() == {"name", "classname", "time"}
        assert len(case) <= 1
        assert all(child.tag in ("skipped", "failure", "error") for child in case)
    for told in [*suite.iter("failure"), *suite.iter("error")]:
        assert told.attrib.keys() == {"type", "message"}


@given(st.text())
def test_any_words_of_a_check_make_a_readable_file(words: str) -> None:
    broken = Verified(profile="x", verdict=Verdict.BROKEN, detail=words, why="It broke.", log=[words])
    assert parsed(broken).failures == 1
