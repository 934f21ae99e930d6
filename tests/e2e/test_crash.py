"""Kill anything at any moment: nothing is left."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from jarred import all_gone, family_of, headless, mounts

pytestmark = pytest.mark.kernel
VICTIMS: dict[str, Callable[[list[psutil.Process]], psutil.Process]] = {
    "app": lambda family: family[0],
    "unshare": lambda family: next(p for p in family if p.name() == "unshare"),
    "world": lambda family: next(p for p in family if "belljar_tui.labs.launch" in p.cmdline()),
    "agent": lambda family: next(p for p in family if _is_agent(p)),
}


def _is_agent(process: psutil.Process) -> bool:
    words = process.cmdline()
    return "belljar_tui.agent.main" in words and "unshare" not in process.name() and "--" not in words


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT], ids=lambda s: s.name)
@pytest.mark.parametrize("victim", VICTIMS)
def test_nothing_is_left(victim: str, number: signal.Signals, tmp_path: Path) -> None:
    before = mounts()
    with headless(tmp_path, "demo", "--headless") as demo:
        demo.wait_for_health("healthy")
        demo.say(command="seal", seal="vacuum")
        demo.wait_for("seal_changed")
        family = family_of(demo.process.pid)
        assert len(family) >= 6
        VICTIMS[victim](family).send_signal(number)
        if number is not signal.SIGKILL and victim in ("agent", "world", "unshare"):
            family[0].send_signal(signal.SIGTERM)  # they may ignore it; then the app is asked
        assert all_gone(family), [p for p in family if p.is_running()]
    assert mounts() == before


@pytest.mark.parametrize("victim", ["unshare", "world", "agent"])
def test_whatever_is_frozen_dies_with_the_app(victim: str, tmp_path: Path) -> None:
    before = mounts()
    with headless(tmp_path, "demo", "--headless") as demo:
        demo.wait_for_health("healthy")
        family = family_of(demo.process.pid)
        VICTIMS[victim](family).send_signal(signal.SIGSTOP)
        family[0].kill()
        assert all_gone(family)
    assert mounts() == before
