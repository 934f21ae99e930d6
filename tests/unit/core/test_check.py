from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core.check import Check, parse_check
from belljar_tui.errors import BadCheck


@pytest.mark.parametrize(
    ("text", "host", "port", "path"),
    [
        ("http://localhost:8080/ready", "localhost", 8080, "/ready"),
        ("http://localhost", "localhost", 80, "/"),
        ("http://[::1]:8080/a?b=c", "::1", 8080, "/a?b=c"),
        ("HTTP://LocalHost:1", "localhost", 1, "/"),
    ],
)
def test_an_http_check_is_read(text: str, host: str, port: int, path: str) -> None:
    assert parse_check(text) == Check(text, "http", host, port, path)


def test_a_tcp_and_an_exec_check_are_read() -> None:
    assert parse_check("tcp://[fd00::1]:5432") == Check("tcp://[fd00::1]:5432", "tcp", "fd00::1", 5432)
    assert parse_check("exec: pg_isready -q").command == "pg_isready -q"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "starts with none"),
        ("localhost:8080", "starts with none"),
        ("gopher://a:1", "starts with none"),
        ("http:localhost", "starts with none"),
        ("https://localhost/", "https is not supported"),
        ("exec:", "command is missing"),
        ("exec:  ", "command is missing"),
        ("tcp://localhost", "port is missing"),
        ("tcp://localhost:", "is not a number from 1 to 65535"),
        ("tcp://localhost:0", "is not a number from 1 to 65535"),
        ("tcp://localhost:65536", "is not a number from 1 to 65535"),
        ("tcp://localhost:1/x", "no path"),
        ("tcp://:5432", "host is missing"),
        ("http://localhost:99999/ready", "is not a number from 1 to 65535"),
        ("http://localhost:abc/", "is not a number from 1 to 65535"),
        ("http://", "host is missing"),
        ("http://u:p@localhost/", "user or password"),
        ("http://local host/", "space"),
        ("http://[::1/", "address is not one"),
        ("exec:a\0b", "NUL"),
    ],
)
def test_what_is_not_a_check_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(BadCheck, match=why) as caught:
        parse_check(text)
    assert caught.value.exit_code == 2


@given(st.text() | st.builds("{}{}".format, st.sampled_from(["http://", "http://[", "tcp://", "exec:"]), st.text()))
def test_garbage_is_a_check_or_a_bad_one_and_nothing_else(text: str) -> None:
    with contextlib.suppress(BadCheck):
        assert parse_check(text).text == text == str(parse_check(text))
