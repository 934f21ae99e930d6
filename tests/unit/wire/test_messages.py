from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.wire import messages as msg
from tests.unit.strategies import messages


@given(messages)
def test_decoding_what_was_encoded_is_the_identity(message: msg.AnyMessage) -> None:
    line = msg.encode(message)
    assert b"\n" not in line
    assert msg.decode(line) == message


@given(st.binary() | st.text())
def test_a_line_that_is_no_message_is_a_msgspec_error(line: bytes | str) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        msg.decode(line)
