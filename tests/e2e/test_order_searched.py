"""A search for each of the bootstrap lab's services, then `belljar order` on the profiles that they found."""

from __future__ import annotations

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from jarred import BELLJAR, DEADLINE_S

from belljar_tui.labs import LABS
from belljar_tui.labs.bootstrap.description import BOOTSTRAP

pytestmark = pytest.mark.kernel
CIRCLE = {"identity", "storage", "vault"}


def belljar(state_home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*BELLJAR, *map(str, arguments)],
        env={**os.environ, "XDG_STATE_HOME": str(state_home), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=4 * DEADLINE_S,
        check=False,
    )


def test_five_searches_find_what_each_needs_and_their_order_the_circle(tmp_path: Path) -> None:
    state_home, profiles = tmp_path / "state", tmp_path / "profiles"
    profiles.mkdir()

    def search(service: str) -> subprocess.CompletedProcess[str]:
        output = profiles / f"{service}.belljar.yaml"
        lab = f"{BOOTSTRAP.name}/{service}"
        return belljar(state_home, "minimize", "--lab", lab, "--deadline", "2", "--jobs", "2", "--json", "-o", output)

    with ThreadPoolExecutor(3) as pool:
        searched = dict(zip(BOOTSTRAP.services, pool.map(search, BOOTSTRAP.services), strict=True))
    for service, done in searched.items():
        assert done.returncode == 0, done.stdout + done.stderr
        found, truth = json.loads(done.stdout), LABS[f"{BOOTSTRAP.name}/{service}"].truth
        assert set(found["minimal"]) - {"dns:"} == {*truth.always, *truth.cold_only}
        assert set(found["tolerated"]) - {"dns:"} == set(truth.tolerated)
    ordered = belljar(state_home, "order", profiles, "--json")
    order = json.loads(ordered.stdout)
    assert ordered.returncode == 1, ordered.stderr
    assert order["waves"] == [["scheduler"]]
    assert [set(cycle) for cycle in order["cycles"]] == [CIRCLE]
    assert set(order["blocked"]) == {*CIRCLE, "portal"}
    ((late, early),) = order["breaks"]
    assert {late, early} < CIRCLE
    assert order["roots"] == ["dns:"]
