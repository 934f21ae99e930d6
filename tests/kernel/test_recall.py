"""Nothing the workload calls is missed, miscounted or put down to somebody else; strace and a capture bear witness."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from pathlib import Path

import pytest
from witnessed import CUTS, Recall, recall

pytestmark = pytest.mark.kernel

PROCESSES = 6


def exact(found: Recall, *, is_slowed: bool = False) -> None:
    """What holds whoever watches. Callers that strace slows down may send a SYN again before they give up."""
    assert found.seen.lost == 0
    assert found.unknown() == set()
    assert found.misnamed() == {}
    assert len(found.names) == 2 * PROCESSES
    for row in found.rows():
        assert (row.attributed, row.wrong) == (row.made, 0), row
        assert row.seen == row.made or (is_slowed and row.how == "blackhole" and row.seen > row.made), row


async def test_every_call_is_seen_counted_and_put_down_to_its_process(tmp_path: Path) -> None:
    exact(await recall(tmp_path, waves=2, processes=PROCESSES, strace=False, capture=False))


@pytest.mark.skipif(os.geteuid() != 0, reason="a capture in the jar needs root")
@pytest.mark.skipif(not (shutil.which("strace") and shutil.which("tcpdump")), reason="needs strace and tcpdump")
async def test_the_witnesses_saw_the_same(tmp_path: Path) -> None:
    found = await recall(tmp_path, waves=2, processes=PROCESSES, strace=True, capture=True)
    exact(found, is_slowed=True)
    assert found.traced is not None
    assert found.traced == {row.dependency: row.made for row in found.rows() if row.dependency.startswith("tcp")}
    assert found.captured is not None
    begun, refused = Counter[str](), Counter[str]()
    for packet, count in found.captured.items():
        kind, address = packet.split()
        (begun if kind == "syn" else refused)[found.dependency_at(address)] += count
    opened = {row.dependency: row.made for row in found.rows() if row.how == "open" and row.dependency[:3] == "tcp"}
    assert begun == opened, "no connection to what is cut left the jar"
    for dependency in ("tcp://auth.lab:9000", "tcp://recs.lab:8081"):
        assert refused[dependency] == found.seen.blocked[dependency].total()
    assert set(refused) <= {*CUTS, *opened}
