"""Searching and proving on an image: every trial a fresh pair of containers."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import docker
import pytest
from images import CHECKOUT
from jarred import BELLJAR
from left import nothing_left
from project import NETWORK
from test_run import Shop

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
NEEDED = ["dns:", "tcp://db:5432", "tcp://front:80"]
SOFT = ["tcp://audit:9000", "tcp://cache:6379"]
DEADLINE = ("--deadline", "6", "--health-every", "0.25")


def belljar(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BELLJAR, *words], capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture(autouse=True)
def _sessions_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))


def test_the_minimal_set_of_an_image_is_found_and_proven_again(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    profile = str(tmp_path / "checkout.belljar.yaml")
    with nothing_left(engine):
        image = ("--image", CHECKOUT, "--network", NETWORK, "-e", "SHOP_NAME=corner")
        check = ("--health", "http://localhost:8080/ready")
        found = belljar("minimize", *image, *check, *DEADLINE, "--jobs", "2", "--json", "-o", profile)
        assert found.returncode == 0, found.stderr
        result = json.loads(found.stdout)
        assert result["minimal"] == NEEDED
        assert sorted(result["tolerated"]) == SOFT
        assert sorted(result["cut_sets"]) == [[each] for each in NEEDED]
        verified = belljar("verify", profile)
        assert verified.returncode == 0, verified.stdout + verified.stderr
    written = Path(profile).read_text()
    assert f"image: {CHECKOUT}" in written
    assert f"digest: {engine.images.get(CHECKOUT).id}" in written
    assert "corner" not in written


def test_a_profile_of_an_image_that_changed_says_so(engine: docker.DockerClient, shop: Shop, tmp_path: Path) -> None:
    profile = tmp_path / "checkout.belljar.yaml"
    profile.write_text(
        "belljar: 2\nname: checkout\n"
        f"service:\n  container:\n    image: {CHECKOUT}\n    digest: sha256:0000\n    networks: [{NETWORK}]\n"
        "recovery: {kind: cold, deadline_s: 20}\nhealthy:\n  checks: ['image:healthcheck']\n"
        "allow: ['dns:', 'tcp://db:5432', 'tcp://front:80']\nsealed: refuse\n"
    )
    done = belljar("verify", str(profile))
    assert done.returncode == 3, done.stdout + done.stderr
    assert "has changed since the profile" in done.stderr
    narrower = profile.read_text().replace("'tcp://db:5432', ", "").replace("deadline_s: 20", "deadline_s: 6")
    profile.write_text(narrower)
    assert belljar("verify", str(profile)).returncode == 1


def test_a_profile_whose_image_is_gone_could_not_be_sealed(engine: docker.DockerClient, tmp_path: Path) -> None:
    profile = tmp_path / "gone.belljar.yaml"
    profile.write_text(
        "belljar: 2\nname: gone\nservice:\n  container:\n    image: nonsuch:1\n"
        "healthy:\n  checks: ['tcp://localhost:1']\nallow: []\nsealed: refuse\n"
    )
    done = belljar("verify", str(profile))
    assert done.returncode == 4, done.stdout + done.stderr
    assert "no image nonsuch:1" in done.stdout + done.stderr
