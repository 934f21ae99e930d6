"""The demo in a real terminal, as a person has it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from jarred import BELLJAR, all_gone, family_of
from terminal import Terminal

pytestmark = [
    pytest.mark.terminal,
    pytest.mark.kernel,
    pytest.mark.skipif(not shutil.which("tmux"), reason="needs tmux"),
]


@pytest.fixture(params=[(80, 24), (160, 45)], ids=["80x24", "wide"])
def demo(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Terminal]:
    width, height = request.param
    environment = {"XDG_STATE_HOME": str(tmp_path), "LANG": "C.UTF-8", "PATH": os.environ["PATH"]}
    terminal = Terminal(tmp_path / "tmux", " ".join((*BELLJAR, "demo")), width, height, environment)
    try:
        terminal.shows("● healthy")
        terminal.shows("11 open")  # rows that come later would move the one that is selected
        terminal.press("Home")
        yield terminal
    finally:
        terminal.close()


def test_the_demo_as_the_readme_tells_it(demo: Terminal, tmp_path: Path) -> None:
    demo.shows("name service dns")
    demo.press("j")
    demo.shows("auth.lab tcp 9000")
    demo.press("Space")
    demo.shows("✂  auth.lab")
    demo.shows("503 auth.lab: connection refused")
    demo.shows("web (2)")
    demo.shows("unhealthy after")
    demo.press("Space")
    demo.shows("recovered in")
    demo.press("v")
    demo.shows("1 open  10 cut")
    demo.press("u")
    demo.shows("11 open  0 cut")
    demo.press("v")
    demo.shows("1 open  10 cut")
    demo.press("r")
    demo.shows("11 open  0 cut")
    demo.press("s")
    demo.shows("Save what is open now")
    profile = tmp_path / "demo.belljar.yaml"
    demo.press("C-u")
    demo.lacks("checkout.belljar.yaml")  # a key that is bound takes a longer way than a letter, and may be overtaken
    demo.press(str(profile))
    demo.shows("demo.belljar.yaml")
    demo.press("Enter")
    demo.shows("Saved")
    assert profile.read_text().startswith("# checkout becomes healthy within 60 s")
    family = family_of(demo.pid)
    demo.press("q")
    assert all_gone([p for p in family if p.pid != demo.pid])


@pytest.mark.parametrize("way", ["C-c", "close", "kill"])
def test_every_way_out_leaves_nothing(demo: Terminal, way: str) -> None:
    family = family_of(demo.pid)
    assert len(family) >= 6
    if way == "close":
        demo.close()
    elif way == "kill":
        psutil.Process(demo.pid).kill()
    else:
        demo.press(way)
    assert all_gone(family)
