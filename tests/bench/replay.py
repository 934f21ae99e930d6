"""Figures of replay: a journal of 1,000,000 events is opened and looked around in: `python tests/bench/replay.py [N]`.

open    every line read and folded, marks and checkpoints kept; beside `json.loads` of each line of the same file
seek    100 moments, by time, in no order
step    100 single events back
memory  what all that has added to the process, once for 10 dependencies and once for 1,000
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parents[2])]

import psutil  # noqa: E402

from belljar_tui.core import events as ev  # noqa: E402
from belljar_tui.core.model import Health, Mode  # noqa: E402
from belljar_tui.journal.recording import Recording  # noqa: E402
from belljar_tui.journal.writer import JournalWriter  # noqa: E402

CHECK = "http://localhost:8080/ready"


def session(count: int, dependencies: int, seed: int = 1) -> Iterator[ev.AnyEvent]:
    """A long session: traffic and blocked calls, a cut every 500 events, health and a note now and then."""
    chance = random.Random(seed)
    ids = [f"tcp://d{number}.lab:80" for number in range(dependencies)]
    at, cut = 0.0, ""
    yield ev.SessionStarted(at=0.0, name="long", jar="namespaces", command=["./long"], checks=[CHECK])
    for number in range(count - 1):
        at += chance.expovariate(100)
        one = ids[number % dependencies]
        if number % 500 == 0:
            yield (
                ev.CutRestored(at=at, dependency=cut) if cut else ev.CutApplied(at=at, dependency=one, mode=Mode.REFUSE)
            )
            cut = "" if cut else one
        elif number % 100 == 1:
            health = Health.UNHEALTHY if cut else Health.HEALTHY
            yield ev.HealthChanged(at=at, health=health, check=CHECK, detail="200 ready")
        elif number % 10_000 == 2:
            yield ev.NoteAdded(at=at, text="something was seen here", dependency=one)
        elif number % 3 == 0:
            yield ev.CallBlocked(at=at, dependency=cut or one, mode=Mode.REFUSE, pid=7, process="web", count=2)
        else:
            yield ev.TrafficCounted(at=at, dependency=one, calls=number, packets=9 * number, bytes=900 * number)


def write(path: Path, count: int, dependencies: int) -> None:
    with path.open("wb") as file:
        JournalWriter(path.with_suffix(".head")).close()
        file.write(path.with_suffix(".head").read_bytes())
        file.writelines(ev.encode(event) + b"\n" for event in session(count, dependencies))


def spent_ms(start: float) -> float:
    return (time.perf_counter() - start) * 1e3


def loads_ms(path: Path) -> float:
    start = time.perf_counter()
    with path.open("rb") as file:
        for line in file:
            json.loads(line)
    return spent_ms(start)


def measure(path: Path) -> dict[str, float]:
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    recording = Recording(path)
    line = recording.read_all()
    opened = spent_ms(start)
    chance = random.Random(2)
    seeks, steps = [], []
    for _ in range(100):
        start = time.perf_counter()
        index = line.index_at(chance.uniform(0, line.end))
        line.state_at(index)
        seeks.append(spent_ms(start))
        start = time.perf_counter()
        line.state_at(index - 1)
        steps.append(spent_ms(start))
    grown = psutil.Process().memory_info().rss - before
    recording.close()
    return {
        "open_ms": opened,
        "seek_median_ms": statistics.median(seeks),
        "seek_worst_ms": max(seeks),
        "step_back_worst_ms": max(steps),
        "memory_mb": grown / 1e6,
    }


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        for dependencies in (10, 1000):
            path = Path(folder, f"{dependencies}.jsonl")
            write(path, count, dependencies)
            figures = {"file_mb": path.stat().st_size / 1e6, **measure(path), "json_loads_ms": loads_ms(path)}
            words = "  ".join(f"{name} {value:.1f}" for name, value in figures.items())
            print(f"{count:,} events, {dependencies} dependencies:  {words}", flush=True)


if __name__ == "__main__":
    main()
