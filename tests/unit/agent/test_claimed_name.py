"""What the first bytes of a flow claim: real hellos and requests, and bytes that mean harm."""

from __future__ import annotations

import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.agent.claimed_name import MOST_BYTES, Claimed, Source, Unsaid, claimed_name
from belljar_tui.core.host_name import host_name

NAME = "updates.example"


def hello(name: str | None = NAME) -> bytes:
    """What Python's own TLS says first."""
    out = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name).do_handshake()
    return out.read()


HELLO = hello()
REQUEST = b"POST /v1 HTTP/1.1\r\nAccept: */*\r\nHost: Updates.Example:8080\r\nContent-Length: 2\r\n\r\n{}"


def in_records(data: bytes, size: int) -> bytes:
    """The hello in records of at most `size` bytes."""
    body = data[5:]
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"\x16\x03\x01" + len(part).to_bytes(2, "big") + part for part in parts)


def with_extension(data: bytes, kind: int, content: bytes, *, at_the_end: bool) -> bytes:
    """The hello with one extension more."""
    added = kind.to_bytes(2, "big") + len(content).to_bytes(2, "big") + content
    session = data[43]
    ciphers = int.from_bytes(data[44 + session : 46 + session], "big")
    at = 46 + session + ciphers + 2
    extensions = data[at + 2 :]
    extensions = extensions + added if at_the_end else added + extensions
    body = data[9:at] + len(extensions).to_bytes(2, "big") + extensions
    handshake = b"\x01" + len(body).to_bytes(3, "big") + body
    return data[:3] + len(handshake).to_bytes(2, "big") + handshake


def test_a_real_hello_says_its_name() -> None:
    assert claimed_name(HELLO) == Claimed(NAME, Source.TLS)
    assert claimed_name(HELLO + b"\x14\x03\x03\0\1\1") == Claimed(NAME, Source.TLS)


def test_a_hello_without_a_name_says_none() -> None:
    assert claimed_name(hello(None)) is Unsaid.NONE
    assert claimed_name(hello("10.9.0.44")) is Unsaid.NONE


@given(st.integers(0, len(HELLO) - 1))
def test_the_beginning_of_a_hello_waits_for_more(length: int) -> None:
    assert claimed_name(HELLO[:length]) is Unsaid.MORE


@given(st.integers(1, 600))
def test_a_hello_may_lie_in_many_records(size: int) -> None:
    assert claimed_name(in_records(HELLO, size)) == Claimed(NAME, Source.TLS)


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_name_is_found_wherever_a_large_key_share_stands(at_the_end: bool) -> None:
    assert claimed_name(with_extension(HELLO, 51, b"k" * 1300, at_the_end=at_the_end)) == Claimed(NAME, Source.TLS)


@pytest.mark.parametrize("at_the_end", [False, True])
def test_a_hidden_name_is_not_told_by_what_stands_in_its_place(at_the_end: bool) -> None:
    assert claimed_name(with_extension(HELLO, 0xFE0D, b"e" * 200, at_the_end=at_the_end)) is Unsaid.NONE


def test_a_request_says_its_host_without_the_port() -> None:
    assert claimed_name(REQUEST) == Claimed(NAME, Source.HTTP)
    assert claimed_name(REQUEST.replace(b"\r\n", b"\n")) == Claimed(NAME, Source.HTTP)


@given(st.integers(1, REQUEST.index(b"\r\n\r\n") + 3))
def test_the_beginning_of_a_request_waits_for_more(length: int) -> None:
    assert claimed_name(REQUEST[:length]) is Unsaid.MORE


@pytest.mark.parametrize(
    "data",
    [
        b"CONNECT updates.example:443 HTTP/1.1\r\nHost: updates.example:443\r\n\r\n",
        b"GET http://updates.example/ HTTP/1.1\r\nHost: updates.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 10.9.0.44:80\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: [fd00::1]:80\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\x1b[2Jb.example\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: 1\r\n\r\nHost: body.example\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"*1\r\n$4\r\nPING\r\n",
        b"\0\0\0\x08\x04\xd2\x16\x2f",
        b"\x16\x03\x01\0\0",
        b"\x16\x03\x01\xff\xff" + b"\1" * 40,
        b"\x15\x03\x01\0\2\2\x28",
    ],
)
def test_what_names_somebody_else_or_nobody_says_nothing(data: bytes) -> None:
    assert claimed_name(data) is Unsaid.NONE


hostile = st.one_of(
    st.binary(max_size=600),
    st.binary(max_size=600).map(lambda rest: b"\x16\x03\x01" + len(rest).to_bytes(2, "big") + rest),
    st.binary(max_size=600).map(lambda rest: b"GET / HTTP/1.1\r\nHost: " + rest),
    st.tuples(st.integers(0, len(HELLO) - 1), st.binary(min_size=1, max_size=8)).map(
        lambda each: HELLO[: each[0]] + each[1] + HELLO[each[0] + len(each[1]) :]
    ),
)


@given(hostile)
def test_whatever_comes_the_answer_is_a_name_or_none(data: bytes) -> None:
    found = claimed_name(data)
    if isinstance(found, Claimed):
        assert found.name == host_name(found.name) != ""
        assert set(found.name) <= set("abcdefghijklmnopqrstuvwxyz0123456789.-_")


@pytest.mark.parametrize("data", [b"\x16\x03\x01\0\1\1" * 3000, b"A" * MOST_BYTES, b"GET /" + b"a" * MOST_BYTES])
def test_what_never_ends_is_given_up(data: bytes) -> None:
    assert claimed_name(data) is Unsaid.NONE


@given(st.text())
def test_a_host_name_is_itself_again(text: str) -> None:
    name = host_name(text)
    assert name == host_name(name)
    assert not name or name.isascii()
