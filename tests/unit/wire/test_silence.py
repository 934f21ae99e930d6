"""When either side gives the other up."""

from __future__ import annotations

from belljar_tui.wire.silence import LOOK_S, Silence


def test_it_is_too_long_past_its_limit_and_what_is_heard_begins_it_anew() -> None:
    silence = Silence(3 * LOOK_S)
    for _ in range(3):
        silence.passed(LOOK_S)
    assert not silence.is_too_long
    silence.passed(LOOK_S)
    assert silence.is_too_long
    silence.heard()
    assert not silence.is_too_long


def test_time_in_which_we_were_stopped_ourselves_hardly_counts() -> None:
    silence = Silence(3 * LOOK_S)
    silence.passed(3600.0)
    assert not silence.is_too_long


def test_without_a_limit_none_is_too_long() -> None:
    silence = Silence()
    for _ in range(10_000):
        silence.passed(LOOK_S)
    assert not silence.is_too_long
