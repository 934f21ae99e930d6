from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given

from belljar_tui.core.model import Mode
from belljar_tui.core.profile import (
    VERSION,
    DependencyEvidence,
    Evidence,
    Healthy,
    Limits,
    Profile,
    Recovery,
    Service,
    Verdict,
)
from belljar_tui.core.profile_diff import changes
from tests.unit.strategies import profiles

DB, AUTH, CACHE, OLD = "tcp://db:5432", "tcp://auth:9000", "tcp://cache:6379", "tcp://old:1"
CHECK = "tcp://localhost:80"
SERVICE = Service(command=("./server", "--port", "80"), environment=("HOME",))
EVIDENCE = Evidence(
    date="2026-01-01",
    is_minimal=True,
    cut_sets=((AUTH,), (DB,), (CACHE, OLD)),
    dependencies=(
        DependencyEvidence(id=AUTH, verdicts={Mode.REFUSE: Verdict.NEEDED}),
        DependencyEvidence(id=CACHE, verdicts={Mode.REFUSE: Verdict.TOLERATED, Mode.BLACKHOLE: Verdict.NEEDED}),
    ),
    never_exercised=(OLD,),
)
PROFILE = Profile(
    belljar=VERSION,
    name="shop",
    service=SERVICE,
    healthy=Healthy(checks=(CHECK,)),
    allow=(AUTH, DB),
    evidence=EVIDENCE,
)


def contract(**fields: Any) -> list[str]:
    """The words for a profile with these fields changed; all of them the contract's."""
    found = changes(PROFILE, msgspec.structs.replace(PROFILE, **fields))
    assert all(change.is_contract for change in found)
    return [change.words for change in found]


def evidence(**fields: Any) -> list[str]:
    """The words for evidence with these fields changed; none of them the contract's."""
    after = msgspec.structs.replace(PROFILE, evidence=msgspec.structs.replace(EVIDENCE, **fields))
    found = changes(PROFILE, after)
    assert not any(change.is_contract for change in found)
    return [change.words for change in found]


@given(profiles)
def test_a_profile_does_not_differ_from_itself(profile: Profile) -> None:
    assert changes(profile, profile) == []


@given(profiles, profiles)
def test_any_two_profiles_can_be_compared_and_differ_both_ways_or_not_at_all(one: Profile, other: Profile) -> None:
    there, back = changes(one, other), changes(other, one)
    assert any(change.is_contract for change in there) == any(change.is_contract for change in back)


def test_members_that_came_and_went_are_told_with_what_is_known_of_them() -> None:
    assert contract(allow=(CACHE, DB, OLD, "dns:")) == [
        "it needs dns: now (the one without it does not know it)",
        "it needs tcp://cache:6379 now (the one without it: blackhole: needed, refuse: tolerated)",
        "it needs tcp://old:1 now (the one without it: never called)",
        "it does without tcp://auth:9000 now (the one without it: refuse: needed)",
    ]


def test_the_order_of_members_is_no_difference() -> None:
    assert contract(allow=(DB, AUTH)) == []


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "store"}, "the name: shop → store"),
        ({"lab": "checkout"}, "the lab: none → checkout"),
        ({"sealed": Mode.BLACKHOLE}, "everything else: refuse → blackhole"),
        ({"recovery": Recovery(deadline_s=90)}, "the deadline (seconds): 60 → 90"),
        ({"recovery": Recovery(kind="steady")}, "recovery: cold → steady"),
        ({"recovery": Recovery(soak_s=5)}, "the soak (seconds): 0 → 5"),
        ({"healthy": Healthy(checks=(CHECK,), healthy_for=3)}, "the passes in a row that mean healthy: 2 → 3"),
        ({"service": msgspec.structs.replace(SERVICE, command=("./new",))}, "the command: ./server --port 80 → ./new"),
        ({"service": msgspec.structs.replace(SERVICE, environment=("HOME", "PORT"))}, "variable added: PORT"),
        ({"service": msgspec.structs.replace(SERVICE, limits=Limits(memory_mb=64))}, "the memory (MB): none → 64"),
        ({"forward": (5432,)}, "forwarded port added: 5432"),
    ],
)  # fmt: skip
def test_each_term_of_the_contract_is_told(fields: dict[str, Any], words: str) -> None:
    assert contract(**fields) == [words]


def test_a_check_that_was_exchanged_is_one_added_and_one_removed() -> None:
    assert contract(healthy=Healthy(checks=("tcp://localhost:81",))) == [
        "health check added: tcp://localhost:81",
        "health check removed: tcp://localhost:80",
    ]


def test_a_new_single_point_of_failure_is_told() -> None:
    assert evidence(cut_sets=((AUTH,), (CACHE,))) == [
        "tcp://cache:6379 is a single point of failure now",
        "tcp://db:5432 is no single point of failure any more",
        "tcp://cache:6379 + tcp://old:1 is not a cut set any more",
    ]


def test_a_verdict_that_changed_is_told_per_mode() -> None:
    changed = DependencyEvidence(id=CACHE, verdicts={Mode.REFUSE: Verdict.NEEDED})
    assert evidence(dependencies=(EVIDENCE.dependencies[0], changed)) == [
        "tcp://cache:6379 with blackhole is not tried, and was needed",
        "tcp://cache:6379 with refuse is needed, and was tolerated",
    ]


def test_dependencies_that_came_went_or_are_called_now_are_told() -> None:
    fresh = DependencyEvidence(id="tcp://new:1")
    called = DependencyEvidence(id=OLD)
    assert evidence(dependencies=(EVIDENCE.dependencies[0], fresh, called), never_exercised=()) == [
        "tcp://new:1 is known now",
        "tcp://cache:6379 is not known any more",
        "tcp://old:1 is called now",
    ]


def test_proof_that_was_lost_is_told_and_dates_and_counts_are_not() -> None:
    assert evidence(is_minimal=False, contradictions=2) == [
        "the working set is not shown to be minimal any more",
        "trials contradict each other now",
    ]
    assert evidence(date="2027-01-01", trials=99, versions={"belljar": "9"}) == []
