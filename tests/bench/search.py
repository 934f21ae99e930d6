"""Trials to a minimal working set, beside ddmin on the same oracles: `tests/bench/search.py [--json] [--runs N]`.

exact     a perfect oracle, k needed of n, nothing but verdicts (no blocked calls for clues)
flaky     the same, and 5 % of what should pass fails; each member's necessity rests on three failed trials
pairs     n = 32, k = 6 needed, of which 0 to 4 are one of two; then every cut set (`--all`)

ddmin is picire's (the registry has it: `pip install '.[bench]'`), counted without the trials it repeats.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve()
sys.path[:0] = [str(HERE.parents[2]), str(HERE.parents[1] / "unit" / "core")]

from oracles import BROKEN, HEALTHY, Ids, needing, solve  # noqa: E402

from belljar_tui.core.search import Question  # noqa: E402
from belljar_tui.core.trial import Outcome, Trial  # noqa: E402

SIZES = ((16, 4, 16), (32, 4, 21), (32, 8, 30), (64, 8, 40))
"""n, k, and how many trials are allowed on average."""
FLAKY_RUNS = 300
FALSE_FAILURES = 0.05
Row = dict[str, float | str]


def ids(n: int) -> tuple[str, ...]:
    return tuple(f"tcp://d{number:02}.lab:{1000 + number}" for number in range(n))


def bare(n: int, **more: object) -> Question:
    question = {"candidates": ids(n), "has_evidence": False, "has_sweep": False, "has_reasons": False, **more}
    return Question(**question)  # type: ignore[arg-type]


def ddmin(works: Callable[[Ids], bool], everything: tuple[str, ...]) -> tuple[Ids, int]:
    """picire's answer, and how many different sets it tried."""
    import picire  # type: ignore[import-not-found,unused-ignore]

    tried: dict[Ids, bool] = {}

    def test(config: list[str], _: object) -> object:
        opened = frozenset(config)
        if opened not in tried:
            tried[opened] = works(opened)
        return picire.Outcome.FAIL if tried[opened] else picire.Outcome.PASS  # it minimises what *fails*

    return frozenset(picire.DD(test)(list(everything))), len(tried)


def exact(n: int, k: int, runs: int, chance: random.Random) -> Row:
    ours: list[int] = []
    theirs: list[int] = []
    right = 0
    for _ in range(runs):
        needed = frozenset(chance.sample(ids(n), k))

        def works(opened: Ids, needed: Ids = needed) -> bool:
            return needed <= opened

        found, outcomes = solve(bare(n), needing(works, frozenset(ids(n))))
        right += frozenset(found.minimal) == needed
        ours.append(len(outcomes))
        theirs.append(ddmin(works, ids(n))[1])
    mean, peer = statistics.mean(ours), statistics.mean(theirs)
    return {"trials": mean, "ddmin": peer, "ratio": mean / peer, "exact": right / runs}


def flaky(n: int, k: int, perfect: float, chance: random.Random) -> Row:
    spent: list[int] = []
    right = 0
    for _ in range(FLAKY_RUNS):
        needed = frozenset(chance.sample(ids(n), k))

        def run(trial: Trial, needed: Ids = needed) -> Outcome:
            works = trial.open is None or needed <= trial.open
            passes = works and chance.random() >= FALSE_FAILURES
            return Outcome(trial=trial, verdict=HEALTHY if passes else BROKEN)

        found, outcomes = solve(bare(n, retries=2), run)
        right += frozenset(found.minimal) == needed
        spent.append(len(outcomes))
    mean = statistics.mean(spent)
    return {"trials": mean, "perfect": perfect, "ratio": mean / perfect, "exact": right / FLAKY_RUNS}


def pairs(count: int, runs: int, chance: random.Random) -> Row:
    """`count` of the six members are one of two."""
    n, k = 32, 6
    ours: list[int] = []
    theirs: list[int] = []
    whole: list[int] = []
    minimal = complete = 0
    for _ in range(runs):
        chosen = chance.sample(ids(n), k + count)
        clauses = [frozenset(chosen[2 * at : 2 * at + 2]) for at in range(count)]
        clauses += [frozenset({one}) for one in chosen[2 * count :]]

        def works(opened: Ids, clauses: list[Ids] = clauses) -> bool:
            return all(clause & opened for clause in clauses)

        world = needing(works, frozenset(ids(n)))
        found, outcomes = solve(bare(n), world)
        opened = frozenset(found.minimal)
        minimal += works(opened) and not any(works(opened - {one}) for one in opened)
        ours.append(len(outcomes))
        theirs.append(ddmin(works, ids(n))[1])
        every, outcomes = solve(bare(n, is_all=True, limit=200), world)
        complete += set(map(frozenset, every.cut_sets)) == set(clauses)
        whole.append(len(outcomes))
    return {
        "trials": statistics.mean(ours),
        "ddmin": statistics.mean(theirs),
        "minimal": minimal / runs,
        "trials --all": statistics.mean(whole),
        "every cut set": complete / runs,
    }


def main() -> None:
    runs = int(sys.argv[sys.argv.index("--runs") + 1]) if "--runs" in sys.argv else 200
    chance = random.Random(20221107)
    table: dict[str, Row] = {}
    for n, k, allowed in SIZES:
        row = exact(n, k, runs, chance)
        table[f"exact n={n} k={k}"] = {**row, "allowed": allowed}
        table[f"flaky n={n} k={k}"] = flaky(n, k, float(row["trials"]), chance)
    for count in range(5):
        table[f"pairs {count} of n=32 k=6"] = pairs(count, max(10, runs // 4), chance)
    if "--json" in sys.argv:
        print(json.dumps(table, indent=2))
        return
    for name, values in table.items():
        print(f"{name:<24}" + "   ".join(f"{what} {value:.3g}" for what, value in values.items()))


if __name__ == "__main__":
    main()
