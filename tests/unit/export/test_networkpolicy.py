"""The NetworkPolicy, by Kubernetes' own schema (the strict variant: no unknown field)."""

from __future__ import annotations

from typing import Any

import kubernetes_validate
import pytest
import yaml
from hypothesis import given, settings

from belljar_tui.core.model import Mode, Protocol
from belljar_tui.core.profile import Profile
from belljar_tui.export.contract import Contract, is_local
from belljar_tui.export.networkpolicy import export
from tests.unit.export.profiles import AUTH, CACHE, CHECKOUT, members_of, profile_with, profiles

VERSIONS = ("1.25", "1.37")


def policy(profile: Profile) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(export(Contract.of(profile)).text)
    return read


def opened(read: dict[str, Any]) -> set[tuple[str, str, int]]:
    """(block, protocol, port) of every rule with addresses."""
    rules = [rule for rule in read["spec"]["egress"] if "to" in rule]
    return {
        (to["ipBlock"]["cidr"], port["protocol"], port["port"])
        for rule in rules
        for to in rule["to"]
        for port in rule["ports"]
    }


@settings(max_examples=40)
@given(profile=profiles)
def test_any_profile_becomes_a_policy_by_the_schema(profile: Profile) -> None:
    read = policy(profile)
    for version in VERSIONS:
        kubernetes_validate.validate(read, version, strict=True)


def test_the_schema_refuses_what_is_wrong() -> None:
    read = policy(CHECKOUT)
    read["spec"]["egress"][0]["ports"][0]["prot"] = "UDP"
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(read, VERSIONS[-1], strict=True)


@settings(max_examples=60)
@given(profile=profiles)
def test_exactly_the_members_places_are_open(profile: Profile) -> None:
    contract, read = Contract.of(profile), policy(profile)
    remote = [m for m in members_of(profile, Protocol.TCP, Protocol.UDP) if not is_local(m.host)]
    places = {(e.address, e.protocol.upper(), e.port) for m in remote for e in contract.endpoints(m)}
    assert opened(read) == {(f"{a}/{128 if ':' in a else 32}", protocol, port) for a, protocol, port in places}
    anywhere = [rule for rule in read["spec"]["egress"] if "to" not in rule]
    assert len(anywhere) == len(members_of(profile, Protocol.DNS))
    assert all({port["port"] for port in rule["ports"]} == {53} for rule in anywhere)


def test_a_service_that_needs_nothing_may_call_nothing() -> None:
    read = policy(profile_with())
    assert read["spec"]["egress"] == []
    assert read["spec"]["policyTypes"] == ["Egress"]


def test_icmp_and_loopback_are_said_not_to_be_said() -> None:
    notes = " ".join(export(Contract.of(profile_with("icmp://10.0.0.1", "tcp://localhost:1"))).notes)
    assert "icmp://10.0.0.1: " in notes
    assert "tcp://localhost:1: " in notes


def test_a_policy_drops_and_says_who_would_be_hurt_by_that() -> None:
    assert any(note.startswith(f"{CACHE}: ") for note in export(Contract.of(CHECKOUT)).notes)
    assert not any("dropped" in note for note in export(Contract.of(profile_with(AUTH, sealed=Mode.BLACKHOLE))).notes)
