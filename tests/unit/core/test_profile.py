from __future__ import annotations

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Mode, Seal, Wanted
from belljar_tui.core.profile import Profile, Recovery, Verdict, claim_of, flaws, profile_of, wanted_of
from belljar_tui.core.state import State, fold

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


def test_the_working_set_is_what_is_open_and_was_called() -> None:
    assert saved(explored()).allow == (AUTH, DB)


def test_the_evidence_says_what_each_cut_told_and_what_was_never_called() -> None:
    evidence = saved(explored()).evidence
    by_id = {one.id: one for one in evidence.dependencies}
    assert by_id[AUTH].verdicts == {Mode.REFUSE: Verdict.NEEDED}
    assert by_id[AUTH].blocked == 4
    assert by_id[CACHE].verdicts == {Mode.BLACKHOLE: Verdict.INCONCLUSIVE}
    assert by_id[DB].calls == 12
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
    assert wanted_of(saved(explored())) == Wanted(Seal.VACUUM, Mode.REFUSE, {}, frozenset({DB, AUTH}))


def test_the_claim_is_a_sentence() -> None:
    assert saved(explored()).claim == (
        "checkout becomes healthy within 60 s of a cold start with only auth and orders-db reachable, "
        "everything else refused"
    )


def test_the_claim_of_a_service_that_needs_nothing_says_so() -> None:
    profile = Profile(belljar=1, name="x", allow=(), sealed=Mode.BLACKHOLE, recovery=Recovery(deadline_s=2.5))
    assert claim_of(profile).endswith(
        "within 2.5 s of a cold start with nothing reachable, everything dropped in silence"
    )


def test_the_claim_tells_two_dependencies_on_one_host_apart() -> None:
    profile = Profile(belljar=1, name="x", allow=("tcp://db:1", "tcp://db:2", "tcp://a:1"))
    assert "only tcp://db:1, tcp://db:2 and a reachable" in claim_of(profile)


def test_a_session_without_events_still_gives_a_profile() -> None:
    assert saved(State()).allow == ()
