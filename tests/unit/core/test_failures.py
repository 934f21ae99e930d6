from __future__ import annotations

import pytest

from belljar_tui.core.commands import Cut
from belljar_tui.core.failures import FAILURES, SEALING, why_no_cut, why_no_seal
from belljar_tui.core.model import Answer, Dependency, Mode

AUTH = "tcp://auth.lab:9000"


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_says_what_it_is(mode: Mode) -> None:
    assert FAILURES[mode].meets
    assert FAILURES[mode].outage


@pytest.mark.parametrize(
    ("cut", "words"),
    [
        (Cut(AUTH, Mode.REFUSE, fraction=0.5), "fraction belongs to the mode flaky, not to refuse"),
        (Cut(AUTH, Mode.FLAKY, answer=Answer.NONE), "answer belongs to the mode dns"),
        (Cut(AUTH, Mode.FLAKY, fails_by=Mode.DNS), "fails_by can be refuse, blackhole, reset, unreachable"),
        (Cut("tcp://10.0.0.1:80", Mode.DNS), "has no name"),
        (Cut("unix:/run/x.sock", Mode.DNS), "has no name"),
        (Cut("unix:/run/x.sock", Mode.UNREACHABLE), "can be cut by refuse or blackhole, not by unreachable"),
        (Cut("dns:", Mode.FLAKY), "cannot be flaky"),
        (Cut("udp://time.lab:123", Mode.RESET, after_bytes=1), "needs a TCP flow"),
        (Cut("dns:", Mode.SLOW), "name service as a whole cannot be slow"),
        (Cut(AUTH, Mode.SLOW, delay_s=0.1, jitter_s=0.2), "jitter_s (0.2) cannot be more than delay_s (0.1)"),
        (Cut(AUTH, Mode.SLOW, bytes_per_s=1000, jitter_s=0.2), "cannot be more than delay_s (0)"),
        (Cut(AUTH, Mode.HANG, delay_s=0.1), "delay_s belongs to the mode slow, not to hang"),
    ],
)
def test_a_cut_that_makes_no_sense_is_told_why(cut: Cut, words: str) -> None:
    assert words in why_no_cut(Dependency.parse(cut.dependency), cut.mode, cut.given)


@pytest.mark.parametrize(
    "cut",
    [
        *(Cut(AUTH, mode) for mode in Mode),
        Cut(AUTH, Mode.FLAKY, fraction=0.1, fails_by=Mode.BLACKHOLE),
        Cut(AUTH, Mode.RESET, after_bytes=100),
        Cut(AUTH, Mode.SLOW, delay_s=0.2, jitter_s=0.2, bytes_per_s=1000),
        Cut("udp://time.lab:123", Mode.HANG),
        Cut("udp://time.lab:123", Mode.SLOW, delay_s=0.2, jitter_s=0.1, bytes_per_s=1000),
        Cut("icmp://gw.lab", Mode.SLOW),
        Cut("dns:", Mode.DNS, answer=Answer.SERVFAIL),
        Cut("unix:/run/x.sock", Mode.REFUSE),
        Cut("unix:/run/x.sock", Mode.BLACKHOLE),
    ],
)
def test_every_other_is_fine(cut: Cut) -> None:
    assert why_no_cut(Dependency.parse(cut.dependency), cut.mode, cut.given) == ""


def test_where_there_is_no_queue_only_tcp_can_be_slow() -> None:
    clock = Dependency.parse("udp://time.lab:123")
    assert "so only TCP can be slow" in why_no_cut(clock, Mode.SLOW, {}, has_queue=False)
    assert why_no_cut(clock, Mode.HANG, {}, has_queue=False) == ""
    assert why_no_cut(Dependency.parse(AUTH), Mode.SLOW, {}, has_queue=False) == ""


def test_where_unix_sockets_cannot_be_cut_it_is_said() -> None:
    socket = Dependency.parse("unix:/run/x.sock")
    assert "in a jar of namespaces only" in why_no_cut(socket, Mode.REFUSE, {}, has_unix=False)


def test_what_the_kernel_lacks_is_said() -> None:
    assert "this kernel cannot do flaky" in why_no_cut(Dependency.parse(AUTH), Mode.FLAKY, {}, (Mode.FLAKY,))


def test_a_seal_needs_neither_a_name_nor_luck() -> None:
    assert [mode for mode in Mode if not why_no_seal(mode)] == list(SEALING)
