from __future__ import annotations

import os
from pathlib import Path

from belljar_tui.agent.service_log import ServiceLog


def test_output_within_the_limit_is_left_alone(tmp_path: Path) -> None:
    log = ServiceLog(str(tmp_path / "service.log"), limit=100, kept=40)
    os.write(log.descriptor, b"x" * 100)
    log.trim()
    assert (tmp_path / "service.log").read_bytes() == b"x" * 100


def test_beyond_the_limit_whole_lines_of_the_end_stay_and_the_rest_is_told(tmp_path: Path) -> None:
    path = tmp_path / "service.log"
    log = ServiceLog(str(path), limit=100, kept=40)
    os.write(log.descriptor, b"".join(b"line %d\n" % number for number in range(50)))
    log.trim()
    first, *rest = path.read_text().splitlines()
    assert rest == [f"line {number}" for number in range(46, 50)]
    assert first == "[belljar: 358 bytes of earlier output dropped]"
    os.write(log.descriptor, b"and on\n" * 10)
    log.trim()
    assert path.read_text() == "[belljar: 425 bytes of earlier output dropped]\n" + "and on\n" * 5


def test_output_that_goes_nowhere_is_never_too_long() -> None:
    log = ServiceLog("")
    os.write(log.descriptor, b"x")
    log.trim()
