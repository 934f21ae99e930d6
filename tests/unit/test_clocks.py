"""The machine's time may jump: durations and moments are of the monotonic clock, and the wall clock is for people."""

from __future__ import annotations

import re
from pathlib import Path

PACKAGE = Path(__file__).parents[2] / "belljar_tui"
WALL = re.compile(
    r"\btime\.(?:time(?:_ns)?|localtime|gmtime|ctime|strftime)\(|datetime\.(?:now|utcnow|today)\(|CLOCK_REALTIME"
)
FOR_PEOPLE = {
    "headless/minimize.py": "the name of the session's folder, and when it began",
    "headless/opening.py": "the name of the session's folder, when it began, and a profile's date",
    "headless/verify.py": "when a JUnit file was made",
    "jars/attach.py": "compared with what the engine wrote down by its own wall clock",
    "jars/engine.py": "how far the engine's wall clock is from ours",
    "labs/checkout/hosts.py": "a lab's time server, and what a lab's token says",
    "labs/checkout/service.py": "when a lab's token ends",
    "tui/replay_app.py": "when a note was written",
}


def test_the_wall_clock_is_read_for_people_only() -> None:
    found = {str(p.relative_to(PACKAGE)) for p in PACKAGE.rglob("*.py") if WALL.search(p.read_text())}
    assert found == set(FOR_PEOPLE)
