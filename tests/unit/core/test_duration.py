from __future__ import annotations

import pytest

from belljar_tui.core.duration import parse_duration
from belljar_tui.errors import BadDuration


@pytest.mark.parametrize(
    ("text", "seconds"), [("30", 30), ("30s", 30), ("1.5m", 90), ("500ms", 0.5), ("2 h", 7200), (" 5 ", 5)]
)
def test_a_length_of_time_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "0", "-1", "x", "30 days", "1e5", "9" * 400])
def test_anything_else_is_told(text: str) -> None:
    with pytest.raises(BadDuration, match="is not a length of time"):
        parse_duration(text)
