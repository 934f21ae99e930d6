"""What the agent sees of a workload's calls, as a table: `python tests/bench/recall.py [WAVES] [--strace] [--capture]`

Calls of every kind from many short-lived processes (tests/kernel/recall_calls.py), some dependencies open, some cut.
Without --strace the callers run at full speed, and their own tally is the truth. --capture needs root.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[2]), str(Path(__file__).parents[1] / "kernel")]

from witnessed import Recall, recall  # noqa: E402

PROCESSES = 8


def lines(found: Recall) -> list[str]:
    rows = list(found.rows())
    told = [f"{'dependency':<26} {'':<12} {'made':>8} {'seen':>8} {'missed':>7} {'attributed':>11} {'wrongly':>8}"]
    for row in rows:
        told.append(
            f"{row.dependency:<26} {row.how:<12} {row.made:>8,} {row.seen:>8,} {row.made - row.seen:>7} "
            f"{row.attributed / row.made:>11.2%} {row.wrong:>8}"
        )
    for how, chosen in (
        ("blocked", [r for r in rows if r.how != "open"]),
        ("open", [r for r in rows if r.how == "open"]),
    ):
        made, seen, right = (sum(getattr(row, of) for row in chosen) for of in ("made", "seen", "attributed"))
        told.append(f"{how}: {made:,} made, {made - seen} missed, {right / made:.2%} put down to the right process")
    told.append(
        f"names: {len(found.unknown())} wrong; processes: {len(found.names):,}, {len(found.misnamed())} misnamed"
    )
    told.append(f"events lost: {found.seen.lost}; {found.seconds:.0f} s")
    if found.captured is not None:
        told.append("captured: " + ", ".join(f"{count:,} {what}" for what, count in sorted(found.captured.items())))
    return told


def main() -> None:
    waves = next((int(word) for word in sys.argv[1:] if word.isdigit()), 20)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        strace, capture = "--strace" in sys.argv, "--capture" in sys.argv
        found = asyncio.run(recall(Path(folder), waves=waves, processes=PROCESSES, strace=strace, capture=capture))
    print("\n".join(lines(found)))


if __name__ == "__main__":
    main()
