from __future__ import annotations

from typing import Any

import msgspec
import pytest

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Health, Mode, Seal, Wanted
from belljar_tui.core.profile import VERSION, Profile, Recovery, Verdict, claim_of, profile_of, wanted_of
from belljar_tui.core.profile_flaws import flaws
from belljar_tui.core.search import Conclusion, Conflict, Found, Question
from belljar_tui.core.state import State
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.core.trial import Recovery as RecoveryKind
from belljar_tui.errors import NothingToSave

DB, AUTH, CACHE, IDLE = "tcp://orders-db:5432", "tcp://auth:9000", "tcp://cache:6379", "udp://time:123"


def explored() -> State:
    """Database and auth open and called, the cache cut and tolerated, time known only through a cut."""
    check = "http://localhost:8080/ready"
    seen = [ev.DependencySeen(at=1.0, dependency=d, endpoint="tcp 10.0.0.1:1", pid=7) for d in (DB, AUTH, CACHE)]
    return fold([
        ev.SessionStarted(at=0.0, name="checkout", jar="namespaces", command=["./server"], checks=[check]),
        *seen,
        ev.DependencySeen(at=1.0, dependency="dns:", endpoint=""),
        ev.TrafficCounted(at=1.5, dependency=DB, calls=12, packets=20, bytes=2000),
        ev.HealthChanged(at=2.0, health=Health.HEALTHY, check=check, detail="200"),
        ev.CutApplied(at=3.0, dependency=AUTH, mode=Mode.REFUSE),
        ev.CallBlocked(at=3.1, dependency=AUTH, mode=Mode.REFUSE, pid=7, process="web", count=4),
        ev.HealthChanged(at=4.0, health=Health.UNHEALTHY, check=check, detail="503"),
        ev.CutRestored(at=5.0, dependency=AUTH),
        ev.HealthChanged(at=6.0, health=Health.HEALTHY, check=check, detail="200"),
        ev.CutApplied(at=7.0, dependency=IDLE, mode=Mode.REFUSE),
        ev.CutApplied(at=7.0, dependency=CACHE, mode=Mode.BLACKHOLE),
    ])  # fmt: skip


def saved(state: State, lab: str | None = None) -> Profile:
    return profile_of(state, deadline_s=60, date="2026-01-01", version="1.0", environment=["PORT", "HOME"], lab=lab)


def test_the_working_set_is_what_is_open_and_was_called_name_service_included() -> None:
    assert saved(explored()).allow == ("dns:", AUTH, DB)


def test_name_service_is_a_member_once_a_name_was_resolved_and_only_while_it_is_open() -> None:
    resolved = ev.NameResolved(at=1.0, name="db", addresses=["10.0.0.1"])
    assert saved(fold([resolved])).allow == ("dns:",)
    cut = ev.CutApplied(at=2.0, dependency="dns:", mode=Mode.REFUSE)
    assert saved(fold([resolved, cut])).allow == ()


def test_where_no_name_was_resolved_name_service_is_no_member() -> None:
    raw = ev.DependencySeen(at=1.0, dependency="tcp://10.0.0.1:80", endpoint="tcp 10.0.0.1:80")
    assert saved(fold([raw])).allow == ("tcp://10.0.0.1:80",)


def test_the_evidence_says_what_each_cut_told_and_what_was_never_called() -> None:
    evidence = saved(explored()).evidence
    by_id = {one.id: one for one in evidence.dependencies}
    assert by_id[AUTH].verdicts == {Mode.REFUSE: Verdict.NEEDED}
    assert by_id[AUTH].blocked == 4
    assert by_id[CACHE].verdicts == {Mode.BLACKHOLE: Verdict.INCONCLUSIVE}
    assert by_id[DB].calls == 12
    assert by_id[DB].endpoints == ("tcp 10.0.0.1:1",)
    assert IDLE in evidence.never_exercised


def test_a_saved_profile_has_no_flaw_and_names_the_environment_in_order() -> None:
    profile = saved(explored())
    assert list(flaws(profile)) == []
    assert profile.service.environment == ("HOME", "PORT")


def test_a_labs_profile_names_the_lab_and_no_command_of_this_machine() -> None:
    profile = saved(explored(), lab="checkout")
    assert (profile.lab, profile.service.command) == ("checkout", ())
    assert list(flaws(profile)) == []


def test_proving_it_seals_everything_but_the_working_set() -> None:
    assert wanted_of(saved(explored())) == Wanted(Seal.VACUUM, Mode.REFUSE, {}, frozenset({"dns:", DB, AUTH}))


def test_proving_it_cuts_name_service_too_where_it_is_no_member() -> None:
    profile = Profile(belljar=VERSION, name="x", allow=(DB,), sealed=Mode.BLACKHOLE)
    assert wanted_of(profile) == Wanted(Seal.VACUUM, Mode.BLACKHOLE, {"dns:": Mode.BLACKHOLE}, frozenset({DB}))


def test_the_claim_is_a_sentence() -> None:
    assert saved(explored()).claim == (
        "checkout becomes healthy within 60 s of a cold start with only name service, auth and orders-db "
        "reachable, everything else refused"
    )


def test_the_claim_of_a_service_that_needs_nothing_says_so() -> None:
    profile = Profile(belljar=VERSION, name="x", allow=(), sealed=Mode.BLACKHOLE, recovery=Recovery(deadline_s=2.5))
    assert claim_of(profile).endswith(
        "within 2.5 s of a cold start with nothing reachable, everything dropped in silence"
    )


def test_the_claim_tells_two_dependencies_on_one_host_apart() -> None:
    profile = Profile(belljar=VERSION, name="x", allow=("tcp://db:1", "tcp://db:2", "tcp://a:1"))
    assert "only tcp://db:1, tcp://db:2 and a reachable" in claim_of(profile)


def test_a_session_without_events_still_gives_a_profile() -> None:
    assert saved(State()).allow == ()


HEALTHY, BROKEN = TrialVerdict.HEALTHY, TrialVerdict.BROKEN
FOUND = Found(
    conclusion=Conclusion.FOUND,
    minimal=("dns:", AUTH),
    cut_sets=((AUTH,), ("dns:",)),
    working_sets=(("dns:", AUTH), ("dns:", DB)),
    tolerated=(CACHE,),
    never_called=(IDLE,),
    modes={AUTH: {Mode.REFUSE: BROKEN}, CACHE: {Mode.REFUSE: HEALTHY, Mode.BLACKHOLE: BROKEN}},
    conflicts=(Conflict(passed=(AUTH,), failed=(AUTH, DB)),),
)


def searched(found: Found, question: Question | None = None, **opening: Any) -> State:
    """Explored by hand, then searched: one trial, and one repeated."""
    started = ev.SearchStarted(at=8.0, question=question or Question(candidates=(DB, AUTH, CACHE, IDLE)))
    trials = [Outcome(trial=Trial(frozenset({AUTH}), attempt=attempt), verdict=BROKEN) for attempt in (1, 2)]
    return fold(
        [
            msgspec.structs.replace(started, **opening),
            *(ev.TrialEnded(at=9.0, number=n, outcome=outcome) for n, outcome in enumerate(trials, start=1)),
            ev.SearchEnded(at=10.0, found=found),
        ],
        explored(),
    )


def test_after_a_search_the_working_set_is_the_one_it_found() -> None:
    profile = saved(searched(FOUND))
    assert profile.allow == ("dns:", AUTH)
    assert profile.evidence.working_sets == (("dns:", DB),)
    assert profile.evidence.cut_sets == ((AUTH,), ("dns:",))
    assert profile.evidence.is_minimal


def test_after_a_search_the_evidence_counts_trials_and_says_what_each_mode_did() -> None:
    evidence = saved(searched(FOUND)).evidence
    assert (evidence.trials, evidence.repeated, evidence.contradictions) == (2, 1, 1)
    by_id = {one.id: one for one in evidence.dependencies}
    assert by_id[AUTH].verdicts == {Mode.REFUSE: Verdict.NEEDED}
    assert by_id[CACHE].verdicts == {Mode.REFUSE: Verdict.TOLERATED, Mode.BLACKHOLE: Verdict.NEEDED}
    assert by_id[DB].endpoints == ("tcp 10.0.0.1:1",)
    assert evidence.never_exercised == (IDLE,)
    assert evidence.health is Health.HEALTHY


def test_after_a_search_recovery_and_mode_are_the_searchs() -> None:
    question = Question(candidates=(AUTH,), modes=(Mode.BLACKHOLE, Mode.REFUSE))
    profile = saved(searched(FOUND, question, recovery=RecoveryKind.STEADY, deadline_s=20.0, soak_s=5.0))
    assert profile.sealed is Mode.BLACKHOLE
    assert profile.recovery == Recovery(kind="steady", deadline_s=20.0, soak_s=5.0)
    assert profile.claim == (
        "checkout, running and healthy, stays healthy for 5 s with only name service and auth reachable, "
        "everything else dropped in silence"
    )


def test_a_search_that_set_no_deadline_leaves_the_sessions() -> None:
    assert saved(searched(FOUND)).recovery == Recovery(deadline_s=60.0)


def test_what_was_pinned_open_is_in_the_working_set_and_named_as_pinned() -> None:
    profile = saved(searched(FOUND, Question(stay_open=frozenset({AUTH, DB}))))
    assert profile.allow == ("dns:", AUTH, DB)
    assert profile.evidence.pinned == (DB,)


@pytest.mark.parametrize("conclusion", [Conclusion.NEVER_HEALTHY, Conclusion.INCONCLUSIVE])
def test_a_search_without_a_working_set_leaves_nothing_to_save_and_says_why(conclusion: Conclusion) -> None:
    with pytest.raises(NothingToSave, match="no working set to save") as caught:
        saved(searched(Found(conclusion=conclusion, detail="503 database")))
    assert "503 database" in str(caught.value)


def test_a_search_that_was_stopped_leaves_what_was_done_by_hand() -> None:
    started = ev.SearchStarted(at=8.0, question=Question())
    state = fold([started, ev.SearchStopped(at=9.0, reason="stopped")], explored())
    assert saved(state) == saved(explored())
