"""The ruleset as text; `tests/kernel/test_export_nft.py` loads it."""

from __future__ import annotations

import re

from hypothesis import given, settings

from belljar_tui.core.failures import SEALING
from belljar_tui.core.model import Protocol
from belljar_tui.core.profile import DependencyEvidence, Evidence, Profile
from belljar_tui.export.contract import Contract, is_local
from belljar_tui.export.nft import export
from tests.unit.export.profiles import AUTH, CHECKOUT, DB, PAY_A, members_of, profile_with, profiles

ELEMENT = re.compile(r"\t\t\t(?P<place>[0-9a-f.:]+(?: \. (?:tcp|udp) \. \d+)?) comment \"(?P<ids>[^\"]*)\",")
WORDS = "table delete set chain type counter ct oifname iifname icmpv6 udp meta ip ip6 goto"
LINE = re.compile(rf"\t*(?:\}}|elements = \{{|(?:{'|'.join(WORDS.split())})\b[^#]*)?")


def elements(text: str, name: str) -> dict[str, str]:
    """The places in the set `name` and the ids they carry."""
    found = re.search(rf"\tset {name} \{{\n(.*?)\n\t\}}\n", text, re.DOTALL)
    return {m["place"]: m["ids"] for m in ELEMENT.finditer(found[1])} if found else {}


def test_every_endpoint_of_every_member_is_an_element_named_after_it() -> None:
    text = export(Contract.of(CHECKOUT)).text
    assert elements(text, "member4") == {
        "10.77.1.11 . tcp . 9000": AUTH,
        "10.77.1.10 . tcp . 5432": DB,
        "10.77.1.13 . tcp . 7000": PAY_A,
    }
    assert set(elements(text, "member6")) == {
        "fd77:1::11 . tcp . 9000",
        "fd77:1::10 . tcp . 5432",
        "fd77:1::13 . tcp . 7000",
    }


def test_name_service_passes_only_as_a_member() -> None:
    assert "dport 53 counter accept" in export(Contract.of(profile_with("dns:"))).text
    made = export(Contract.of(profile_with(AUTH)))
    assert "dport 53" not in made.text
    assert any("/etc/hosts" in note for note in made.notes)


def test_the_rest_fails_as_the_profile_says() -> None:
    refusing, silent, reset, unreachable, hanging = (
        export(Contract.of(profile_with(AUTH, sealed=mode))).text for mode in SEALING
    )
    assert "counter reject with tcp reset" in refusing
    assert "counter reject with icmpx port-unreachable" in refusing
    assert "reject" not in silent.split("chain sealed")[1]
    assert "counter drop" in silent
    assert reset.partition("chain sealed")[2] == refusing.partition("chain sealed")[2]
    assert "counter reject with icmpx host-unreachable" in unreachable
    assert hanging.partition("chain sealed")[2] == silent.partition("chain sealed")[2]


def test_what_is_sealed_on_loopback_is_closed_before_loopback_opens() -> None:
    evidence = Evidence(dependencies=(DependencyEvidence(id="tcp://localhost:5432"),))
    text = export(Contract.of(profile_with("tcp://localhost:6379", evidence=evidence))).text
    assert set(elements(text, "sealed4")) == {"127.0.0.1 . tcp . 5432"}
    output = text.split("chain output {")[1]
    assert output.index("@sealed4 goto sealed") < output.index('oifname "lo" accept')


def test_a_sealed_dependency_on_a_members_endpoint_is_told() -> None:
    shared = ("tcp 10.0.0.1:80",)
    both = (
        DependencyEvidence(id="tcp://a.lab:80", endpoints=shared),
        DependencyEvidence(id="tcp://b.lab:80", endpoints=shared),
    )
    notes = export(Contract.of(profile_with("dns:", "tcp://a.lab:80", evidence=Evidence(dependencies=both)))).notes
    assert "tcp://b.lab:80: shares tcp 10.0.0.1:80 with the member tcp://a.lab:80, so it passes too." in notes


@settings(max_examples=60)
@given(profile=profiles)
def test_nothing_in_a_profile_breaks_out_of_its_place(profile: Profile) -> None:
    """Every line is a comment, an element or one of the few kinds of line we write."""
    text = export(Contract.of(profile)).text
    for line in text.splitlines():
        assert line.startswith("#") or ELEMENT.fullmatch(line) or LINE.fullmatch(line), line
    assert text.count("{") - text.count("}") == sum(
        line.count("{") - line.count("}") for line in text.splitlines() if line.startswith("#")
    )


@settings(max_examples=60)
@given(profile=profiles)
def test_exactly_the_members_places_are_open(profile: Profile) -> None:
    contract = Contract.of(profile)
    text = export(contract).text
    remote = [m for m in members_of(profile, Protocol.TCP, Protocol.UDP) if not is_local(m.host)]
    wanted = {f"{e.address} . {e.protocol} . {e.port}" for member in remote for e in contract.endpoints(member)}
    assert set(elements(text, "member4")) | set(elements(text, "member6")) == wanted
    pinged = {
        e.address for m in members_of(profile, Protocol.ICMP) if not is_local(m.host) for e in contract.endpoints(m)
    }
    assert set(elements(text, "member4_icmp")) | set(elements(text, "member6_icmp")) == pinged
