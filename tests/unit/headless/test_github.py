from __future__ import annotations

from pathlib import Path

import pytest

from belljar_tui.headless.github import Place, annotation, annotations_of, is_on, summary
from belljar_tui.headless.verifying.result import Member, Need, Verdict, Verified


def line_of(_: str, place: Place) -> int:
    return 7 if place == ("allow", "tcp://old:1") else 5


def told(result: Verified, environment: dict[str, str] | None = None) -> list[str]:
    return list(annotations_of([result], line_of, environment or {}))


def test_only_a_job_of_github_actions_is_one() -> None:
    assert is_on({"GITHUB_ACTIONS": "true"})
    assert not is_on({"GITHUB_ACTIONS": "false"})
    assert not is_on({})


def test_the_escapes_are_theirs() -> None:
    assert annotation("a,b:c.yaml", 3, "50%: it, broke", "50% gone:\r\nfirst, second") == (
        "::error file=a%2Cb%3Ac.yaml,line=3,title=50%25%3A it%2C broke::50%25 gone:%0D%0Afirst, second"
    )


def test_what_holds_is_not_annotated() -> None:
    assert told(Verified(profile="a.yaml", verdict=Verdict.HOLDS)) == []


def test_a_broken_profile_is_annotated_with_its_claim_and_the_checks_words() -> None:
    broken = Verified(profile="p/a.yaml", verdict=Verdict.BROKEN, claim="a works", why="It did not.", detail="503")
    assert told(broken) == ["::error file=p/a.yaml,line=5,title=broken%3A a.yaml::a works%0AIt did not.%0A503"]


def test_each_drift_is_annotated_on_the_line_it_is_about() -> None:
    drifted = Verified(
        profile="a.yaml",
        verdict=Verdict.DRIFTED,
        new_dependencies=["tcp://new:1"],
        no_longer_needed=["tcp://old:1"],
        members=[Member(id="tcp://old:1", need=Need.NO_LONGER_NEEDED)],
    )
    new, old = told(drifted)
    assert new.startswith("::error file=a.yaml,line=5,title=new dependency%3A tcp%3A//new%3A1::")
    assert old.startswith("::error file=a.yaml,line=7,title=no longer needed%3A tcp%3A//old%3A1::")


def test_files_are_named_from_the_repositorys_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "service").mkdir()
    monkeypatch.chdir(tmp_path / "service")
    (line,) = told(Verified(profile="a.yaml", verdict=Verdict.BROKEN), {"GITHUB_WORKSPACE": str(tmp_path)})
    assert line.startswith("::error file=service/a.yaml,")


def test_the_summary_is_a_table_that_no_words_can_break() -> None:
    broken = Verified(profile="a|b.yaml", verdict=Verdict.BROKEN, detail="503 <b>\n| x |")
    holds = Verified(profile="c.yaml", verdict=Verdict.HOLDS, healthy_after_s=1.25, stayed_healthy_s=1.0)
    lines = summary([broken, holds]).splitlines()
    assert lines[0] == "### BellJar"
    assert lines[4] == "| `a\\|b.yaml` | ❌ broken |  |  |  | 503 &lt;b> \\| x \\| |"
    assert lines[5] == "| `c.yaml` | ✅ holds | 1.2 s |  |  |  |"
