"""The order's explorer in a real terminal: 16 colours, none, and a large one."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from jarred import BELLJAR
from terminal import Terminal

from belljar_tui.journal.profile_file import write_profile
from tests.unit.order.world import COMPANY

pytestmark = [pytest.mark.terminal, pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux")]


@pytest.mark.parametrize(
    ("size", "extra"),
    [((80, 24), {"TERM": "xterm"}), ((80, 24), {"NO_COLOR": "1"}), ((160, 45), {"TERM": "xterm-256color"})],
    ids=["16-colours", "no-colour", "wide"],
)
def test_the_order_is_walked_through(size: tuple[int, int], extra: dict[str, str], tmp_path: Path) -> None:
    for profile in COMPANY:
        write_profile(tmp_path / f"{profile.name}.belljar.yaml", profile)
    environment = {"LANG": "C.UTF-8", "PATH": os.environ["PATH"], **extra}
    command = " ".join([*BELLJAR, "order", "--explore", str(tmp_path), "; echo exit code $?; sleep 60"])
    terminal = Terminal(tmp_path / "tmux", command, *size, environment)
    try:
        terminal.shows("✗ 3 can never start")
        terminal.press("End")
        terminal.shows("▶ ✗ checkout")
        terminal.press("Enter")
        terminal.shows("▶ ↻ auth")
        terminal.shows("In a cycle: auth waits for config")
        terminal.press("q")
        terminal.shows("exit code 1")
    finally:
        terminal.close()
