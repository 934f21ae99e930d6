"""The lab's name server answers for its hosts and for nobody else."""

from __future__ import annotations

import dns.message
import dns.rcode
import pytest

from belljar_tui.labs.nameserver import answer

HOSTS = {"auth.lab": ("10.77.1.11", "fd77:1::11")}


def ask(name: str, kind: str) -> dns.message.Message:
    """The parsed answer to one question."""
    return dns.message.from_wire(answer(dns.message.make_query(name, kind).to_wire(), HOSTS))


@pytest.mark.parametrize(("kind", "address"), [("A", "10.77.1.11"), ("AAAA", "fd77:1::11")])
@pytest.mark.parametrize("name", ["auth.lab", "Auth.LAB."])
def test_a_host_has_an_address_of_each_kind(name: str, kind: str, address: str) -> None:
    assert [[str(record) for record in found] for found in ask(name, kind).answer] == [[address]]


def test_a_host_asked_for_something_else_exists_without_it() -> None:
    said = ask("auth.lab", "MX")
    assert said.rcode() == dns.rcode.NOERROR
    assert not said.answer


def test_a_name_that_is_not_in_the_lab_does_not_exist() -> None:
    assert ask("example.org", "A").rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize("query", [b"", b"nonsense", dns.message.Message(id=1).to_wire()])
def test_what_is_no_question_gets_no_answer(query: bytes) -> None:
    assert answer(query, HOSTS) == b""
