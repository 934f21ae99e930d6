"""Virtual addresses: who is given which, and how answers are written with them."""

from __future__ import annotations

import ipaddress

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.agent import dns_text
from belljar_tui.agent.directory import Directory
from belljar_tui.agent.virtual import AT_MOST, VirtualAddresses
from belljar_tui.core.model import Dependency

REAL4, REAL6 = "10.9.0.1", "fd00::9"
V4 = "198.18.0.1"


def answer(*records: str, additional: tuple[str, ...] = ()) -> bytes:
    response = dns.message.make_response(dns.message.make_query("Www.lab", "A", use_edns=0))
    response.flags |= dns.flags.AD
    for section, texts in ((response.answer, records), (response.additional, additional)):
        for text in texts:
            name, kind, data = text.split(maxsplit=2)
            section.append(dns.rrset.from_text(name, 60, "IN", kind, data))
    return response.to_wire()


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from([REAL4, REAL6, "10.9.0.2"])), max_size=30))
def test_each_pair_of_a_name_and_an_address_has_one_of_its_own(asked: list[tuple[str, str]]) -> None:
    addresses = VirtualAddresses()
    for name, real in asked:
        if addresses.of(name, real) is None:
            virtual = addresses.free(real, lambda _: False)
            assert virtual is not None
            addresses.bind(virtual, name, real)
    given_out = {pair: addresses.of(*pair) for pair in asked}
    assert len(set(given_out.values())) == len(given_out)
    for pair, virtual in given_out.items():
        assert virtual is not None
        assert addresses.behind(virtual) == pair
        is_v6 = ":" in pair[1]
        pool = ipaddress.ip_network("fd42:656c:6c4a:6172::/64" if is_v6 else "198.18.0.0/15")
        assert ipaddress.ip_address(virtual) in pool


def test_what_the_world_uses_is_passed_over_and_the_pool_ends() -> None:
    addresses = VirtualAddresses(at_most=2)
    assert addresses.free(REAL4, lambda address: address == V4) == "198.18.0.2"
    assert addresses.free(REAL4, lambda _: False) is None
    assert addresses.free(REAL6, lambda _: False) is not None, "each family has its own"
    last = ipaddress.ip_address(int(ipaddress.ip_address("198.18.0.0")) + AT_MOST)
    assert last == ipaddress.ip_network("198.18.0.0/15")[-2]


def test_an_alias_is_one_with_whom_it_leads_to_and_not_with_another_alias() -> None:
    addresses = VirtualAddresses()
    addresses.hear("www.lab", ["www.lab", "node.lab"])
    addresses.hear("api.lab", ["api.lab", "node.lab"])
    assert addresses.are_one("www.lab", "node.lab")
    assert addresses.are_one("node.lab", "www.lab")
    assert not addresses.are_one("www.lab", "api.lab")


def test_an_address_that_was_given_to_a_name_stays_its_own() -> None:
    directory = Directory(keeps_owners=True)
    directory.learn("a.lab", ["10.9.0.1"])
    directory.learn("a.lab", ["10.9.0.2"])
    directory.learn("b.lab", ["10.9.0.1"])
    assert directory.owner_of("10.9.0.1") == "a.lab", "somebody may still have it from then"
    dependency = Dependency.parse("tcp://a.lab:80")
    assert {each.address for each in directory.endpoints_of(dependency)} == {"10.9.0.1", "10.9.0.2"}


def test_an_answer_is_written_anew_with_what_it_had() -> None:
    wire = answer("Www.lab. CNAME node.lab.", "node.lab. A 10.9.0.2", "node.lab. A 10.9.0.1", "node.lab. TXT hello")
    read = dns_text.read_answer(wire)
    assert read is not None
    assert (read.addresses, set(read.aliases)) == (["10.9.0.2", REAL4], {"www.lab", "node.lab"})
    written = dns.message.from_wire(dns_text.rewritten(wire, {REAL4: V4}), one_rr_per_rrset=True)
    assert [rrset.to_text() for rrset in written.answer] == [
        "Www.lab. 60 IN CNAME node.lab.",
        "node.lab. 60 IN A 10.9.0.2",
        f"node.lab. 60 IN A {V4}",
        'node.lab. 60 IN TXT "hello"',
    ]
    before = dns.message.from_wire(wire)
    assert (written.id, written.question, written.edns) == (before.id, before.question, before.edns)
    assert written.flags == before.flags & ~dns.flags.AD


@pytest.mark.parametrize(
    ("params", "left"),
    [
        ("alpn=h2 ipv4hint=10.9.0.1 ipv6hint=fd00::9", 'alpn="h2"'),
        ("mandatory=alpn,ipv4hint alpn=h2 ipv4hint=10.9.0.1", 'mandatory="alpn" alpn="h2"'),
        ("mandatory=ipv4hint ipv4hint=10.9.0.1", ""),
    ],
)
def test_hints_of_addresses_are_taken_out_of_records_about_services(params: str, left: str) -> None:
    wire = answer(f"edge.lab. HTTPS 1 . {params}", additional=(f"node.lab. SVCB 1 . {params}",))
    read = dns_text.read_answer(wire)
    assert read is not None
    assert read.has_hints
    written = dns.message.from_wire(dns_text.rewritten(wire, {}))
    assert written.answer[0].to_text() == f"edge.lab. 60 IN HTTPS 1 . {left}".rstrip()
    assert written.additional[0].to_text() == f"node.lab. 60 IN SVCB 1 . {left}".rstrip()
    again = dns_text.read_answer(written.to_wire())
    assert again is not None
    assert not again.has_hints


def test_a_question_for_the_name_of_an_address_is_answered() -> None:
    query = dns.message.make_query("1.0.18.198.in-addr.arpa", "PTR")
    asked = dns_text.read_query(query.to_wire())
    assert asked is not None
    assert asked.reverse_of == V4
    told = dns.message.from_wire(dns_text.pointer(query.to_wire(), "b.lab"))
    assert told.answer[0].to_text() == "1.0.18.198.in-addr.arpa. 60 IN PTR b.lab."
    odd = dns_text.read_query(dns.message.make_query("no.address.in-addr.arpa", "PTR").to_wire())
    assert odd is not None
    assert odd.reverse_of == ""
