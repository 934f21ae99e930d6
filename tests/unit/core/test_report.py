from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from belljar_tui.core.claim import Standing
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Health, Mode, Seal
from belljar_tui.core.profile import Verdict
from belljar_tui.core.question import Phase, Question
from belljar_tui.core.report import TENTHS, report_of
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from tests.unit.strategies import events

AUTH, CACHE = "tcp://auth.lab:9000", "tcp://cache.lab:6379"


def health(at: float, how: Health, detail: str = "") -> ev.HealthChanged:
    return ev.HealthChanged(at=at, health=how, check="http://localhost/", detail=detail)


def blocked(at: float, dependency: str, count: int = 1, mode: Mode = Mode.REFUSE) -> ev.CallBlocked:
    return ev.CallBlocked(at=at, dependency=dependency, mode=mode, pid=7, process="web", count=count)


def cut(at: float, dependency: str, mode: Mode = Mode.REFUSE, by: str = "user") -> ev.CutApplied:
    return ev.CutApplied(at=at, dependency=dependency, mode=mode, by=by)


BY_HAND: list[ev.AnyEvent] = [
    ev.SessionStarted(at=0, name="checkout", jar="lab", command=["x"], checks=["http://localhost/"], version="9.9"),
    ev.DependencySeen(at=0.5, dependency=AUTH, endpoint="tcp 10.0.0.1:9000", pid=7, process="web"),
    ev.DependencySeen(at=0.5, dependency=CACHE, endpoint="tcp 10.0.0.2:6379", pid=7, process="web"),
    health(1, Health.HEALTHY, "200"),
    cut(2, AUTH),
    blocked(2.5, AUTH, 3),
    health(3, Health.UNHEALTHY, "503"),
    ev.CutRestored(at=5, dependency=AUTH),
    health(6, Health.HEALTHY, "200"),
    cut(7, CACHE),
    blocked(7.5, CACHE),
    cut(8, CACHE, Mode.BLACKHOLE),
    ev.SessionEnded(at=9, reason="quit"),
]


def test_each_cut_has_its_length_its_effect_and_its_recovery() -> None:
    auth, refused, silent = report_of(BY_HAND).cuts
    assert (auth.at, auth.until, auth.blocked) == (2, 5, 3)
    assert (auth.effect, auth.effect_after_s, auth.recovered_after_s) == (Health.UNHEALTHY, 1, 1)
    assert (refused.mode, refused.until, refused.effect) == (Mode.REFUSE, 8, Health.HEALTHY)
    assert (silent.mode, silent.until, silent.blocked, silent.effect) == (Mode.BLACKHOLE, None, 0, Health.UNKNOWN)


def test_health_is_told_in_stretches_to_the_end() -> None:
    report = report_of(BY_HAND)
    assert [(one.at, one.until) for one in report.health] == [(1, 3), (3, 6), (6, 9)]


def test_the_table_has_what_cutting_showed_in_every_mode() -> None:
    report = report_of(BY_HAND)
    assert report.verdicts[AUTH] == {Mode.REFUSE: Verdict.NEEDED}
    assert report.verdicts[CACHE] == {Mode.REFUSE: Verdict.TOLERATED, Mode.BLACKHOLE: Verdict.INCONCLUSIVE}
    assert report.modes == (Mode.REFUSE, Mode.BLACKHOLE)


def test_what_happened_is_told_in_turn() -> None:
    told = [(moment.at, moment.kind) for moment in report_of(BY_HAND).moments]
    assert told == [
        (1, "health"), (2, "cut"), (2.5, "blocked"), (3, "health"), (5, "restore"), (6, "health"), (7, "cut"),
        (7.5, "blocked"), (8, "cut"), (9, "service"),
    ]  # fmt: skip


def test_a_claim_by_hand_is_not_called_proven() -> None:
    claim = report_of(BY_HAND).claim
    assert claim.standing is Standing.UNPROVEN
    assert claim.words.startswith("checkout becomes healthy")


def test_a_service_that_falls_under_the_seal_failed_its_claim() -> None:
    stream = [
        *BY_HAND[:4],
        ev.SealChanged(at=2, seal=Seal.VACUUM),
        cut(2, AUTH, by="seal"),
        blocked(2.2, AUTH, 4),
        health(4, Health.UNHEALTHY, "503 auth"),
    ]
    report = report_of(stream)
    assert report.claim.standing is Standing.FAILED
    assert "503 auth" in report.claim.why
    (seal,) = report.cuts
    assert (seal.is_seal, seal.blocked, seal.effect, seal.effect_after_s) == (True, 4, Health.UNHEALTHY, 2)


def test_a_service_that_stays_down_after_the_restore_is_stuck() -> None:
    (auth,) = report_of(BY_HAND[:8]).cuts
    assert auth.is_stuck
    assert auth.recovered_after_s is None


def test_cuts_restored_together_share_the_recovery() -> None:
    stream = [
        *BY_HAND[:4],
        cut(2, CACHE),
        blocked(2.1, CACHE),
        health(2.5, Health.UNHEALTHY),
        health(2.6, Health.HEALTHY),
        cut(3, AUTH),
        blocked(3.1, AUTH),
        health(4, Health.UNHEALTHY),
        ev.CutRestored(at=5, dependency=AUTH),
        ev.CutRestored(at=5.01, dependency=CACHE),
        health(7, Health.HEALTHY),
    ]
    assert [one.recovered_after_s for one in report_of(stream).cuts] == [7 - 5.01] * 2


def test_nothing_called_is_nothing_claimed() -> None:
    assert report_of([]).claim.standing is Standing.NONE
    assert report_of(BY_HAND[:1]).claim.standing is Standing.NONE


@given(st.lists(events, max_size=12))
@settings(max_examples=150)
def test_a_report_is_the_same_fold_and_loses_no_blocked_call(stream: list[ev.AnyEvent]) -> None:
    report = report_of(stream)
    assert report.state == fold(stream)
    assert sum(sum(tenths.values()) for tenths in report.blocked.values()) == report.state.blocked
    assert all(tenth <= report.until_s * TENTHS for tenths in report.blocked.values() for tenth in tenths)
    assert all(one.until is None or one.until >= one.at for one in report.cuts)


def test_a_search_is_told_trial_by_trial() -> None:
    trial = Trial(frozenset({CACHE}))
    outcome = Outcome(trial=trial, verdict=TrialVerdict.BROKEN, detail="503 auth")
    report = report_of(
        [
            ev.SearchStarted(at=0, question=Question()),
            ev.TrialStarted(at=1, number=1, trial=trial, phase=Phase.SWEEP, about=AUTH),
            ev.TrialEnded(at=2, number=1, outcome=outcome),
            ev.TrialEnded(at=2, number=2, outcome=outcome, is_recalled=True),
        ]
    )
    assert [moment.words for moment in report.moments][1:] == [
        "trial 1 (one cut: auth.lab:9000, refuse): broken, 503 auth"
    ]
