from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import events as ev
from tests.unit.strategies import EVENT_TYPES, events


@given(events)
def test_decoding_what_was_encoded_is_the_identity(event: ev.AnyEvent) -> None:
    line = ev.encode(event)
    assert b"\n" not in line
    assert ev.decode(line) == event


@given(st.binary() | st.text())
def test_a_line_that_is_no_event_is_a_msgspec_error(line: bytes | str) -> None:
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        ev.decode(line)


def test_every_event_is_in_the_union() -> None:
    assert set(EVENT_TYPES) == set(ev.Event.__subclasses__())


def test_an_event_is_one_object_with_a_snake_case_tag_and_a_time() -> None:
    event = ev.CutRestored(at=1.5, dependency="dns:")
    assert ev.to_builtins(event) == {"event": "cut_restored", "at": 1.5, "dependency": "dns:"}
