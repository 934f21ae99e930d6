"""What DNS messages say. Loaded when the first one comes: dnspython takes as long to load as the rest of the agent."""

from __future__ import annotations

import dns.exception
import dns.message
import dns.rcode
import dns.rdatatype
import msgspec

_ADDRESS_KINDS = frozenset({dns.rdatatype.A, dns.rdatatype.AAAA})


class Asked(msgspec.Struct, frozen=True):
    """One question."""

    name: str
    """Lower case, no last dot."""
    is_for_addresses: bool


class Answered(msgspec.Struct, frozen=True):
    """What is of use in an answer."""

    addresses: list[str]
    detail: str
    """The code where it was not NOERROR."""


def read_query(query: bytes) -> Asked | None:
    """None when it is not a query of one question."""
    try:
        message = dns.message.from_wire(query, question_only=True)
    except dns.exception.DNSException:
        return None
    if len(message.question) != 1:
        return None
    question = message.question[0]
    return Asked(question.name.to_text(omit_final_dot=True).lower(), question.rdtype in _ADDRESS_KINDS)


def read_answer(answer: bytes) -> Answered | None:
    """None when it cannot be read.

    Every address of the answer counts, not only those at the end of a well-formed chain of aliases: there are clients
    that take any, and one that we did not read would pass a cut.
    """
    try:
        message = dns.message.from_wire(answer, ignore_trailing=True, raise_on_truncation=False, continue_on_error=True)
    except dns.exception.DNSException:
        return None
    addresses = [record.address for rrset in message.answer if rrset.rdtype in _ADDRESS_KINDS for record in rrset]
    code = message.rcode()
    return Answered(list(dict.fromkeys(addresses)), "" if code == dns.rcode.NOERROR else dns.rcode.to_text(code))
