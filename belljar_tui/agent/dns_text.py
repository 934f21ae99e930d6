"""What DNS messages say. Loaded when the first one comes: dnspython takes as long to load as the rest of the agent."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from belljar_tui.agent.loading import quickly

with quickly(without="importlib.metadata"):  # it looks there for packages that are of use to servers and resolvers
    import dns.exception
    import dns.flags
    import dns.message
    import dns.name
    import dns.rcode
    import dns.rdata
    import dns.rdatatype
    import dns.rdtypes.svcbbase as svcb
    import dns.reversename
    import dns.rrset

_ADDRESS_KINDS = frozenset({dns.rdatatype.A, dns.rdatatype.AAAA})
_SERVICE_KINDS = frozenset({dns.rdatatype.HTTPS, dns.rdatatype.SVCB})
_HINTS = frozenset({svcb.ParamKey.IPV4HINT, svcb.ParamKey.IPV6HINT})
_POINTER_TTL_S = 60
_AT_MOST = 65535


class Asked(msgspec.Struct, frozen=True):
    """One question."""

    name: str
    """Lower case, no last dot."""
    is_for_addresses: bool
    reverse_of: str = ""
    """The address whose name is asked for."""


class Answered(msgspec.Struct, frozen=True):
    """What is of use in an answer."""

    addresses: list[str]
    detail: str
    """The code where it was not NOERROR."""
    aliases: frozenset[str] = frozenset()
    """Every name of its aliases, as in a question."""
    has_hints: bool = False
    """Addresses stand in records about services, too."""


def read_query(query: bytes) -> Asked | None:
    """None when it is not a query of one question."""
    try:
        message = dns.message.from_wire(query, question_only=True)
    except dns.exception.DNSException:
        return None
    if len(message.question) != 1:
        return None
    question = message.question[0]
    reverse_of = _address_in(question.name) if question.rdtype == dns.rdatatype.PTR else ""
    return Asked(_text_of(question.name), question.rdtype in _ADDRESS_KINDS, reverse_of)


def read_answer(answer: bytes) -> Answered | None:
    """None when it cannot be read.

    Every address of the answer counts, not only those at the end of a well-formed chain of aliases: there are clients
    that take any, and one that we did not read would pass a cut.
    """
    message = _parsed(answer)
    if message is None:
        return None
    addresses = [record.address for rrset in message.answer if rrset.rdtype in _ADDRESS_KINDS for record in rrset]
    links = [rrset for rrset in message.answer if rrset.rdtype == dns.rdatatype.CNAME]
    aliases = {_text_of(name) for rrset in links for name in (rrset.name, *(record.target for record in rrset))}
    services = [rrset for rrset in (*message.answer, *message.additional) if rrset.rdtype in _SERVICE_KINDS]
    code = message.rcode()
    return Answered(
        list(dict.fromkeys(addresses)),
        "" if code == dns.rcode.NOERROR else dns.rcode.to_text(code),
        frozenset(aliases),
        any(_HINTS & record.params.keys() for rrset in services for record in rrset),
    )


def rewritten(answer: bytes, virtual_of: Mapping[str, str]) -> bytes:
    """The answer with these addresses in place of the real ones, and no hints: whoever wants an address asks for it."""
    message = _parsed(answer)
    if message is None:
        return answer
    message.answer = [_rewritten(rrset, virtual_of) for rrset in message.answer]
    message.additional = [_rewritten(rrset, {}) for rrset in message.additional]
    message.flags &= ~dns.flags.AD  # it is not what was signed any more
    return message.to_wire(max_size=_AT_MOST)


def pointer(query: bytes, name: str) -> bytes:
    """The answer to a question for the name of an address."""
    response = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
    asked = response.question[0]
    response.answer.append(dns.rrset.from_text(asked.name, _POINTER_TTL_S, asked.rdclass, asked.rdtype, f"{name}."))
    return response.to_wire()


def _parsed(answer: bytes) -> dns.message.Message | None:
    """One record a set, so that their order stays."""
    try:
        return dns.message.from_wire(
            answer,
            ignore_trailing=True,
            raise_on_truncation=False,
            continue_on_error=True,
            one_rr_per_rrset=True,
        )
    except dns.exception.DNSException:
        return None


def _rewritten(rrset: dns.rrset.RRset, virtual_of: Mapping[str, str]) -> dns.rrset.RRset:
    if rrset.rdtype in _ADDRESS_KINDS:
        records = [record.replace(address=virtual_of.get(record.address, record.address)) for record in rrset]
    elif rrset.rdtype in _SERVICE_KINDS:
        records = [record.replace(params=_without_hints(record.params)) for record in rrset]
    else:
        return rrset
    return dns.rrset.from_rdata(rrset.name, rrset.ttl, *records)


def _without_hints(params: Mapping[int, svcb.Param | None]) -> dict[int, svcb.Param | None]:
    """None of them is mandatory any more, either (RFC 9460, 8)."""
    kept = {key: value for key, value in params.items() if key not in _HINTS}
    mandatory = kept.get(svcb.ParamKey.MANDATORY)
    if isinstance(mandatory, svcb.MandatoryParam):
        keys = [key for key in mandatory.keys if key not in _HINTS]
        if keys:
            kept[svcb.ParamKey.MANDATORY] = svcb.MandatoryParam(keys)  # type: ignore[no-untyped-call]
        else:
            del kept[svcb.ParamKey.MANDATORY]
    return kept


def _text_of(name: dns.name.Name) -> str:
    return name.to_text(omit_final_dot=True).lower()


def _address_in(name: dns.name.Name) -> str:
    try:
        return dns.reversename.to_address(name)
    except (dns.exception.DNSException, ValueError):
        return ""
