from __future__ import annotations

import pytest

from belljar_tui.core.given import parse_given, parse_modes, set_apart, written
from belljar_tui.core.model import Mode, Settings
from belljar_tui.errors import BadParameters, UsageError

AUTH = "tcp://auth.lab:9000"


def test_what_was_written_is_read() -> None:
    given = parse_given("delay_s=0.5, jitter_s=0.1 bytes_per_s=125000", Mode.SLOW, AUTH)
    assert given == {"delay_s": 0.5, "jitter_s": 0.1, "bytes_per_s": 125000}
    assert parse_given(written(given), Mode.SLOW, AUTH) == given
    assert parse_given("fraction=0.3 fails_by=blackhole", Mode.FLAKY, AUTH)["fails_by"] is Mode.BLACKHOLE
    assert parse_given(" ", Mode.SLOW, AUTH) == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0.5", "'0.5' is no parameter of slow"),
        ("fraction=0.5", "is no parameter of slow"),
        ("delay_s=soon", "delay_s"),
        ("delay_s=-1", "delay_s"),
        ("bytes_per_s=0", "bytes_per_s"),
        ("delay_s=0.1 jitter_s=1", "cannot be more than"),
    ],
)
def test_anything_else_is_told_with_the_names_there_are(text: str, words: str) -> None:
    with pytest.raises(BadParameters, match=words) as caught:
        parse_given(text, Mode.SLOW, AUTH)
    assert "delay_s, jitter_s, bytes_per_s" in str(caught.value)


def test_modes_of_trials_are_read_in_their_order_with_their_parameters() -> None:
    modes = parse_modes("blackhole, slow:delay_s=2:jitter_s=0.5,dns,slow")
    assert list(modes) == [Mode.BLACKHOLE, Mode.SLOW, Mode.DNS]
    assert set_apart(modes) == {Mode.SLOW: Settings(delay_s=2, jitter_s=0.5)}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is not a mode"),
        ("refuse,late", "'late' is not a mode"),
        ("slow,refuse", "slow cannot seal"),
        ("dns", "dns cannot seal"),
        ("reset:after_bytes=1", "reset:after_bytes=1 cannot seal"),
        ("refuse,slow:fraction=1", "is no parameter of slow"),
        ("refuse,refuse:delay_s=1", "is no parameter of refuse"),
    ],
)
def test_modes_that_no_trial_can_have_are_told(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_modes(text)
