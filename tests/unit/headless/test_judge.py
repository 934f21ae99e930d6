from __future__ import annotations

from typing import Any

import msgspec
import pytest

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Health, Mode
from belljar_tui.core.profile import (
    VERSION,
    Container,
    DependencyEvidence,
    Evidence,
    Healthy,
    Profile,
    Recovery,
    Service,
)
from belljar_tui.core.state import State
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.headless.verifying.judge import add_members, healthy_after_s, judged, judged_member
from belljar_tui.headless.verifying.result import Member, Need, Verdict, Verified, exit_code
from belljar_tui.headless.verifying.sealed_run import Run, soak_s

DB, AUTH, NEW = "tcp://db:5432", "tcp://auth:9000", "tcp://new:80"
CHECK = "http://localhost:8080/ready"
PROFILE = Profile(
    belljar=VERSION,
    name="shop",
    service=Service(command=("./server",)),
    healthy=Healthy(checks=(CHECK,)),
    recovery=Recovery(deadline_s=10.0),
    allow=(DB,),
    evidence=Evidence(dependencies=(DependencyEvidence(id=AUTH),)),
)
STEADY = msgspec.structs.replace(PROFILE, recovery=Recovery(kind="steady", deadline_s=10.0))


def health(at: float, value: Health, detail: str) -> ev.HealthChanged:
    return ev.HealthChanged(at=at, health=value, check=CHECK, detail=detail)


def seen(*more: ev.AnyEvent, proof: bool = True) -> State:
    """A sealed service that called its database."""
    return fold([
        ev.SealProven(at=0.1, ok=proof, detail="a call that must be blocked was not"),
        ev.ServiceStarted(at=0.2, pid=2, command=["./server"]),
        ev.DependencySeen(at=0.3, dependency=DB, endpoint="tcp 10.0.0.1:5432"),
        *more,
    ])  # fmt: skip


UP = seen(health(1.2, Health.HEALTHY, "200"))
DOWN = seen(health(1.2, Health.UNHEALTHY, "503 no database"))


def of(run: Run, profile: Profile = PROFILE) -> Verified:
    return judged("shop.yaml", profile, run)


def test_healthy_to_the_end_of_the_soak_holds_and_says_nothing() -> None:
    result = of(Run(state=UP, held=True, soak_s=1.0))
    assert (result.verdict, result.healthy_after_s, result.why) == (Verdict.HOLDS, 1.0, "")


@pytest.mark.parametrize(
    ("kind", "path", "verdict"),
    [
        ("files", "/conf", Verdict.HOLDS),
        ("files", "/etc/name", Verdict.UNSEALED),
        ("mounts", "/conf", Verdict.UNSEALED),
        ("family", "vsock", Verdict.HOLDS),
    ],
)
def test_a_hole_that_the_profile_does_not_name_unseals(kind: str, path: str, verdict: Verdict) -> None:
    """What it mounts is part of its claim; a process that a cut does not reach never is."""
    container = Container(image="shop:1", mounts=("/srv/conf:/conf:ro",))
    profile = msgspec.structs.replace(PROFILE, service=Service(container=container))
    hole = ev.HoleFound(at=0.1, path=path, source="/srv/conf", kind=kind)
    result = of(Run(state=seen(hole, health(1.2, Health.HEALTHY, "200")), held=True), profile)
    assert (result.verdict, path in result.why) == (verdict, verdict is Verdict.UNSEALED)


def test_a_call_to_something_unknown_is_a_drift_even_when_it_is_healthy() -> None:
    blocked = ev.CallBlocked(at=1.0, dependency=NEW, mode=Mode.REFUSE, pid=2, process="web", count=3)
    result = of(Run(state=fold([blocked], UP), held=True))
    assert (result.verdict, result.new_dependencies, result.blocked) == (Verdict.DRIFTED, [NEW], {NEW: 3})
    assert NEW in result.why


def test_what_the_evidence_knows_is_not_new_and_what_is_only_cut_was_not_called() -> None:
    called = ev.DependencySeen(at=1.0, dependency=AUTH, endpoint="tcp 10.0.0.2:9000")
    cut = ev.CutApplied(at=1.0, dependency="dns:", mode=Mode.REFUSE)
    assert of(Run(state=fold([called, cut], UP), held=True)).verdict is Verdict.HOLDS


def test_name_service_that_the_profile_does_not_know_is_new_once_it_is_asked() -> None:
    asked = ev.CallBlocked(at=1.0, dependency="dns:", mode=Mode.REFUSE, pid=2, process="web", count=1)
    assert of(Run(state=fold([asked], UP), held=True)).new_dependencies == ["dns:"]


def test_a_member_that_was_not_called_is_named_and_the_profile_still_holds() -> None:
    profile = msgspec.structs.replace(PROFILE, allow=(AUTH, DB))
    result = of(Run(state=UP, held=True), profile)
    assert (result.verdict, result.no_longer_needed) == (Verdict.HOLDS, [AUTH])


def test_broken_keeps_the_checks_own_words_and_the_services_last_ones() -> None:
    result = of(Run(state=DOWN, log=["no database"]))
    assert (result.verdict, result.detail, result.log) == (Verdict.BROKEN, "503 no database", ["no database"])
    assert result.why == "It was not healthy within 10 s."
    assert result.healthy_after_s is None


@pytest.mark.parametrize(
    ("code", "words"), [(3, "exit code 3"), (0, "exit code 0"), (-9, "ended by SIGKILL"), (-99, "ended by signal 99")]
)
def test_a_service_that_ends_is_broken_and_says_how(code: int, words: str) -> None:
    result = of(Run(state=DOWN, exit_code=code))
    assert result.verdict is Verdict.BROKEN
    assert words in result.detail


@pytest.mark.parametrize(
    ("deadline_s", "state", "words"),
    [
        (0.4, DOWN, "too short for 2 checks in a row, 0.5 s apart: raise recovery.deadline_s"),
        (5.0, seen(), "may only need more time: raise recovery.deadline_s"),
        (5.0, fold([health(2.0, Health.UNHEALTHY, "503")], UP), "healthy after 1.0 s, but not for long"),
    ],
)
def test_a_deadline_that_passed_is_explained(deadline_s: float, state: State, words: str) -> None:
    profile = msgspec.structs.replace(PROFILE, recovery=Recovery(deadline_s=deadline_s))
    assert words in of(Run(state=state), profile).why


def test_variables_that_are_not_set_here_are_named_when_it_is_broken() -> None:
    assert "Not set here, and the profile names it: PORT." in of(Run(state=DOWN, unset=["PORT"])).why


@pytest.mark.parametrize(
    "state", [State(), seen(proof=False), fold([ev.AuditFailed(at=1.0, detail="an element is missing")], UP)]
)
def test_without_a_proven_seal_nothing_else_counts(state: State) -> None:
    result = of(Run(state=state, held=True))
    assert result.verdict is Verdict.UNSEALED
    assert result.why


def test_a_jar_that_could_not_be_made_is_unsealed_and_other_trouble_inconclusive() -> None:
    assert of(Run(trouble="unshare is not installed.", is_unsealed=True)).verdict is Verdict.UNSEALED
    result = of(Run(trouble="No space left on device."))
    assert (result.verdict, result.why) == (Verdict.INCONCLUSIVE, "No space left on device.")


def test_an_interrupted_run_says_how_far_it_was() -> None:
    result = of(Run(state=DOWN, is_interrupted=True))
    assert result.why == "Interrupted; until then the service was unhealthy."
    assert exit_code([result]) is Exit.INTERRUPTED


def test_steady_without_health_before_the_cut_is_inconclusive() -> None:
    result = of(Run(state=DOWN), STEADY)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert "with everything open, before any cut" in result.why


def test_steady_is_broken_when_the_cut_makes_it_unhealthy_and_says_after_how_long() -> None:
    state = fold([health(5.5, Health.UNHEALTHY, "503")], UP)
    result = of(Run(state=state, cut_at=5.0), STEADY)
    assert (result.verdict, result.why) == (Verdict.BROKEN, "It was unhealthy 0.5 s after the cut.")


def test_the_soak_is_the_profiles_or_long_enough_for_a_check_that_hangs() -> None:
    assert soak_s(PROFILE) == 1.0
    assert soak_s(STEADY) == 3.0
    assert soak_s(msgspec.structs.replace(PROFILE, recovery=Recovery(soak_s=7.0))) == 7.0


@pytest.mark.parametrize(
    ("run", "need", "detail"),
    [
        (Run(state=UP, held=True), Need.NO_LONGER_NEEDED, "200"),
        (Run(state=DOWN), Need.NEEDED, "503 no database"),
        (Run(trouble="no unshare", is_unsealed=True), Need.UNSEALED, "no unshare"),
        (Run(trouble="a full disk"), Need.INCONCLUSIVE, "a full disk"),
    ],
)
def test_a_run_without_a_member_says_whether_it_is_needed(run: Run, need: Need, detail: str) -> None:
    member = judged_member(DB, PROFILE, run)
    assert (member.need, member.detail) == (need, detail)


@pytest.mark.parametrize(
    ("needs", "verdict"),
    [
        ([Need.NEEDED, Need.NEEDED], Verdict.HOLDS),
        ([Need.NEEDED, Need.NO_LONGER_NEEDED], Verdict.DRIFTED),
        ([Need.NO_LONGER_NEEDED, Need.INCONCLUSIVE], Verdict.INCONCLUSIVE),
        ([Need.INCONCLUSIVE, Need.UNSEALED], Verdict.UNSEALED),
    ],
)
def test_strict_holds_only_when_every_member_was_proven_needed(needs: list[Need], verdict: Verdict) -> None:
    result = of(Run(state=UP, held=True))
    add_members(result, [Member(id=f"tcp://m{n}:1", need=need) for n, need in enumerate(needs)])
    assert result.verdict is verdict
    assert bool(result.why) is (verdict is not Verdict.HOLDS)


def test_health_counts_from_the_last_turn() -> None:
    again = [
        health(2.0, Health.UNHEALTHY, "503"),
        health(3.2, Health.HEALTHY, "200"),
        health(4.0, Health.HEALTHY, "ok"),
    ]
    assert healthy_after_s(fold(again, UP)) == 3.0
    assert healthy_after_s(DOWN) is None


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ("holds holds", Exit.HOLDS),
        ("holds drifted", Exit.DRIFTED),
        ("drifted inconclusive", Exit.INCONCLUSIVE),
        ("inconclusive broken drifted", Exit.BROKEN),
        ("broken unsealed", Exit.UNSEALED),
    ],
)
def test_of_several_profiles_the_worst_decides(verdicts: str, code: Exit) -> None:
    results: list[Any] = [Verified(profile="p", verdict=Verdict(word)) for word in verdicts.split()]
    assert exit_code(results) is code
