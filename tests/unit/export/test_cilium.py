"""The CiliumNetworkPolicy. No package ships Cilium's schema, so `validate` is written from its public documentation
and its agent's own checks: the fields used here and no others, one kind of peer to a rule, names and ports as it reads
them, DNS rules on port 53 only, no ports beside ICMP."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
import yaml
from hypothesis import given, settings

from belljar_tui.core.model import Protocol
from belljar_tui.core.profile import Profile
from belljar_tui.export.cilium import export
from belljar_tui.export.contract import Contract, is_address, is_local, plain_address
from tests.unit.export.profiles import CHECKOUT, members_of, profile_with, profiles

NAME = re.compile(r"[-a-zA-Z0-9_.]{1,255}")
LABEL = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9_.]{0,61}[a-zA-Z0-9])?")
PEERS = {"toEndpoints", "toFQDNs", "toCIDR"}


def validate(read: Any) -> None:
    assert set(read) == {"apiVersion", "kind", "metadata", "spec"}
    assert (read["apiVersion"], read["kind"]) == ("cilium.io/v2", "CiliumNetworkPolicy")
    assert re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", read["metadata"]["name"])
    assert set(read["spec"]) == {"endpointSelector", "egress"}
    _selector(read["spec"]["endpointSelector"])
    assert read["spec"]["egress"]  # without a rule the default would be to allow
    for rule in read["spec"]["egress"]:
        _rule(rule)


def _rule(rule: Any) -> None:
    assert set(rule) <= PEERS | {"toPorts", "icmps"}
    assert len(PEERS & set(rule)) == (1 if rule else 0)
    assert not {"toPorts", "icmps"} <= set(rule)
    for selector in rule.get("toEndpoints", []):
        _selector(selector)
    for name in rule.get("toFQDNs", []):
        assert set(name) == {"matchName"}
        assert NAME.fullmatch(name["matchName"])
    for block in rule.get("toCIDR", []):
        ipaddress.ip_network(block, strict=True)
    for ports in rule.get("toPorts", []):
        _ports(ports)
    for icmp in rule.get("icmps", []):
        assert {(field["family"], field["type"]) for field in icmp["fields"]} == {("IPv4", 8), ("IPv6", 128)}


def _selector(selector: Any) -> None:
    assert set(selector) == {"matchLabels"}
    assert all(isinstance(value, str) and LABEL.fullmatch(value) for value in selector["matchLabels"].values())


def _ports(ports: Any) -> None:
    assert set(ports) <= {"ports", "rules"}
    for port in ports["ports"]:
        assert set(port) == {"port", "protocol"}
        assert isinstance(port["port"], str)
        assert 1 <= int(port["port"]) <= 65535
        assert port["protocol"] in {"TCP", "UDP", "ANY"}
    if "rules" in ports:
        assert [port["port"] for port in ports["ports"]] == ["53"]
        assert set(ports["rules"]) == {"dns"}
        for rule in ports["rules"]["dns"]:
            assert set(rule) in ({"matchPattern"}, {"matchName"})
            assert all(NAME.fullmatch(value) or value == "*" for value in rule.values())


def policy(profile: Profile) -> Any:
    return yaml.safe_load(export(Contract.of(profile)).text)


def looked_up(read: Any) -> list[dict[str, str]]:
    """What may be asked of name service."""
    rules = [
        ports["rules"]["dns"]
        for rule in read["spec"]["egress"]
        for ports in rule.get("toPorts", [])
        if "rules" in ports
    ]
    return [rule for dns in rules for rule in dns]


@settings(max_examples=80)
@given(profile=profiles)
def test_any_profile_becomes_a_policy_by_the_rules(profile: Profile) -> None:
    validate(policy(profile))


@settings(max_examples=80)
@given(profile=profiles)
def test_every_member_is_a_rule_or_a_note(profile: Profile) -> None:
    made = export(Contract.of(profile))
    read = yaml.safe_load(made.text)
    open_places = {
        (peer, port["port"], port["protocol"])
        for rule in read["spec"]["egress"]
        for peer in [*(n["matchName"] for n in rule.get("toFQDNs", [])), *rule.get("toCIDR", [])]
        for ports in rule.get("toPorts", [])
        for port in ports["ports"]
    }
    wanted = set()
    for member in members_of(profile, Protocol.TCP, Protocol.UDP):
        if is_local(member.host) or not (is_address(member.host) or NAME.fullmatch(member.host)):
            assert any(note.startswith(f"{member}: ") for note in made.notes)
            continue
        peer = member.host
        if is_address(peer):
            peer = str(ipaddress.ip_network(plain_address(peer)))
        wanted.add((peer, str(member.port), member.protocol.upper()))
    assert open_places == wanted


def test_every_name_may_be_asked_where_name_service_is_a_member() -> None:
    assert looked_up(policy(CHECKOUT)) == [{"matchPattern": "*"}]


def test_only_the_members_names_may_be_asked_where_it_is_not() -> None:
    assert looked_up(policy(profile_with("tcp://b.lab:1", "tcp://a.lab:1"))) == [
        {"matchName": "a.lab"},
        {"matchName": "b.lab"},
    ]


def test_a_service_that_needs_nothing_may_call_nothing() -> None:
    assert policy(profile_with())["spec"]["egress"] == [{}]


def test_a_name_of_the_cluster_is_told() -> None:
    notes = export(Contract.of(profile_with("dns:", "tcp://orders-db:5432"))).notes
    assert any(note.startswith("tcp://orders-db:5432: a name without a dot") for note in notes)


def test_the_rules_refuse_what_is_wrong() -> None:
    read = policy(CHECKOUT)
    read["spec"]["egress"][1]["toCIDR"] = ["10.0.0.1/32"]
    with pytest.raises(AssertionError):
        validate(read)
