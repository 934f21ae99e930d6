"""The gallery in sessions/: old journals stay readable, and say what their READMEs say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from belljar_tui import locations
from belljar_tui.core.claim import Standing
from belljar_tui.core.fold import fold
from belljar_tui.core.model import NAME_SERVICE, Health, Mode
from belljar_tui.core.order.plan import order_of
from belljar_tui.core.profile import Verdict
from belljar_tui.core.report import Report, report_of
from belljar_tui.export.order import export_order
from belljar_tui.headless.ordering.reading import read_all
from belljar_tui.journal.profile_file import read_profile
from belljar_tui.journal.reader import read_journal
from belljar_tui.journal.replay import ReplayClient
from belljar_tui.journal.scenario_file import read_scenario
from belljar_tui.labs.bootstrap.description import NEEDS, PORTS
from belljar_tui.report import FORMATS, render

GALLERY = Path(__file__).parents[2] / "sessions"
FOLDERS = sorted(journal.parent for journal in GALLERY.glob("*/journal.belljar.jsonl"))
ORDER = GALLERY / "bootstrap-order"
OF_A_MACHINE = re.compile(r"/(?:root|home|work|tmp|Users|var|srv)/|password|secret|BEGIN [A-Z ]*KEY", re.IGNORECASE)

every = pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)


def profile_in(folder: Path) -> Path:
    (path,) = folder.glob("*.belljar.yaml")
    return path


def report_in(name: str) -> Report:
    folder = GALLERY / name
    return report_of(read_journal(locations.journal_of(folder)), profile=read_profile(profile_in(folder)))


def test_there_are_sessions_and_all_are_linked() -> None:
    index = (GALLERY / "README.md").read_text()
    assert len(FOLDERS) >= 4
    assert all(f"({folder.name}/" in index for folder in GALLERY.iterdir() if folder.is_dir())


@every
def test_it_is_whole(folder: Path) -> None:
    names = {path.name for path in folder.iterdir()}
    assert names >= {"README.md", "journal.belljar.jsonl", "report.md", "report.html", profile_in(folder).name}


@every
def test_it_is_replayed_through_the_fold(folder: Path) -> None:
    journal = locations.journal_of(folder)
    stream = read_journal(journal)
    state = fold(stream)
    assert state.ended
    assert not state.lost
    assert ReplayClient.of(journal).opening.name == state.name == read_profile(profile_in(folder)).name


@every
@pytest.mark.parametrize("form", FORMATS)
def test_it_can_be_reported_again(folder: Path, form: str) -> None:
    text = render(report_in(folder.name), form)
    assert read_profile(profile_in(folder)).name in text
    assert "BellJar session" in (folder / f"report.{form}").read_text()


@pytest.mark.parametrize("folder", [*FOLDERS, ORDER], ids=lambda folder: folder.name)
def test_nothing_of_the_machine_it_was_recorded_on_is_in_it(folder: Path) -> None:
    for path in (one for one in folder.iterdir() if one.suffix != ".png"):
        assert not OF_A_MACHINE.search(path.read_text()), path


def test_by_hand_the_cache_was_tolerated_refused_and_needed_hanging() -> None:
    report = report_in("checkout-by-hand")
    assert report.verdicts["tcp://cache.lab:6379"] == {Mode.REFUSE: Verdict.TOLERATED, Mode.BLACKHOLE: Verdict.NEEDED}
    assert report.verdicts["tcp://auth.lab:9000"][Mode.REFUSE] is Verdict.NEEDED
    assert report.state.health is Health.HEALTHY
    assert read_scenario(GALLERY / "checkout-by-hand" / "outage.yaml").steps


def test_the_search_found_the_set_and_its_fallback() -> None:
    report = report_in("checkout-minimal-set")
    assert report.claim.standing is Standing.PROVEN
    assert report.state.search is not None
    assert report.state.search.found is not None
    assert ("tcp://pay-a.lab:7000", "tcp://pay-b.lab:7000") in report.state.search.found.cut_sets


def test_the_promise_was_broken() -> None:
    report = report_in("checkout-broken-promise")
    assert report.claim.standing is Standing.FAILED
    assert report.state.blocked


def test_the_shop_needs_its_database_and_a_cache_that_answers_or_refuses() -> None:
    report = report_in("shop")
    assert report.verdicts["tcp://localhost:5432"] == {Mode.REFUSE: Verdict.NEEDED}
    assert report.verdicts["tcp://localhost:6379"] == {Mode.REFUSE: Verdict.TOLERATED, Mode.BLACKHOLE: Verdict.NEEDED}


@pytest.mark.parametrize("service", NEEDS)
def test_each_search_of_the_bootstrap_lab_came_to_its_profile_and_to_the_truth(service: str) -> None:
    state = fold(read_journal(ORDER / f"{service}.belljar.jsonl"))
    profile = read_profile(ORDER / f"{service}.belljar.yaml")
    assert state.search is not None
    assert state.search.found is not None
    assert set(state.search.found.minimal) == set(profile.allow)
    assert set(profile.allow) - {NAME_SERVICE} == {f"tcp://{need}.lab:{PORTS[need]}" for need in NEEDS[service]}
    assert state.lab == profile.lab == f"bootstrap/{service}"


def test_the_five_profiles_come_to_the_runbook() -> None:
    reading = read_all([str(ORDER)])
    order = order_of([entry.source for entry in reading.counted])
    assert {*order.cycles[0]} == {"identity", "storage", "vault"}
    assert list(map(list, order.waves)) == [["scheduler"]]
    profiles = {entry.profile.name: entry.profile for entry in reading.counted}
    assert export_order("runbook", order, profiles).text == (ORDER / "runbook.md").read_text()
