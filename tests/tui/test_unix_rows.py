"""How a unix socket looks in the explorer."""

from __future__ import annotations

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.model import Mode
from belljar_tui.tui import words

SOCKET = "unix:/var/run/postgresql/.s.PGSQL.5432"


def test_of_a_path_that_does_not_fit_the_end_is_shown() -> None:
    assert words.fitted("/var/run/postgresql/.s.PGSQL.5432", 16) == "…l/.s.PGSQL.5432"
    assert words.fitted("orders-db.lab", 10) == "orders-db…"


def test_a_call_without_packets_is_activity() -> None:
    state = fold(
        [
            ev.DependencySeen(at=1.0, dependency=SOCKET, endpoint="", pid=2, process="web"),
            ev.TrafficCounted(at=50.0, dependency=SOCKET, calls=3, packets=0, bytes=0),
            ev.CallBlocked(at=51.0, dependency=SOCKET, mode=Mode.REFUSE, pid=2, process="web", count=2),
        ]
    )
    view = state.dependencies[SOCKET]
    assert (view.calls, view.blocked) == (3, 2)
    assert not words.is_idle(state, view)


def test_what_the_numbers_leave_out_depends_on_the_path() -> None:
    assert "length" not in words.uncounted("/run/docker.sock")
    assert "length" in words.uncounted("/run/app.sock")
