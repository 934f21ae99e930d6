"""Which packets are marked to fail behind the chain of their mode."""

from __future__ import annotations

import pytest

from belljar_tui.agent.modes import chain_of, marks
from belljar_tui.core.model import Mode, Protocol, Settings


@pytest.mark.parametrize("mode", [mode for mode in Mode if mode is not Mode.DNS])
def test_only_tcp_under_a_mode_without_parameters_fails_where_it_stands(mode: Mode) -> None:
    for protocol in Protocol:
        verdict = chain_of(mode, Settings(), protocol)
        assert marks(verdict, protocol) == (protocol is not Protocol.TCP or mode is Mode.FLAKY)
    assert marks(chain_of(Mode.RESET, Settings(after_bytes=10)), Protocol.TCP)


def test_what_is_open_or_fails_by_name_only_is_not_marked() -> None:
    assert not any(marks(chain_of(mode, Settings()), Protocol.UDP) for mode in (None, Mode.DNS))
