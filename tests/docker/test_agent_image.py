"""The agent's image: built from what is installed here, rebuilt when that is another, refused where it cannot run."""

from __future__ import annotations

import subprocess
from pathlib import Path

import docker
import pytest
from images import WORLD
from jarred import BELLJAR
from test_run import Shop, checkout

from belljar_tui import __version__
from belljar_tui.jars.agent_image import TAG, content

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

_NOT_COMPILED = """
import os, sys
import belljar_tui.agent.main
cached = [getattr(module, "__cached__", None) for module in list(sys.modules.values())]
print([path for path in cached if path and not os.path.exists(path)])
"""


def agent_image(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BELLJAR, "agent-image", *words], capture_output=True, text=True, check=False)


def test_it_says_what_it_is_made_of(engine: docker.DockerClient) -> None:
    labels = engine.images.get(TAG).labels
    assert labels["belljar.version"] == __version__
    assert labels["belljar.base"] == WORLD
    assert labels["belljar.content"] == content()


def test_an_image_made_from_something_else_is_made_again(
    engine: docker.DockerClient, shop: Shop, tmp_path: Path
) -> None:
    """As when a development tree changes: by itself, on the base it had."""
    base = {"belljar.base": WORLD, "belljar.content": "older"}
    made = engine.api.create_container(WORLD, "true")
    repository, tag = TAG.split(":")
    changes = [f"LABEL {name}={value}" for name, value in base.items()]
    engine.api.commit(made["Id"], repository, tag, changes=changes)
    engine.api.remove_container(made["Id"])
    assert engine.images.get(TAG).labels["belljar.content"] == "older"
    with checkout(tmp_path) as running:
        running.wait_for("service_started")
    assert engine.images.get(TAG).labels["belljar.content"] == content()


def test_without_a_base_it_says_how_to_get_one(engine: docker.DockerClient) -> None:
    done = agent_image("--base", "nonsuch:slim")
    assert done.returncode == 4
    assert "docker pull nonsuch:slim" in done.stderr
    assert "--base" in done.stderr


def test_a_base_without_python_is_refused_with_the_builds_own_words(
    engine: docker.DockerClient, tmp_path: Path
) -> None:
    empty = tmp_path / "empty.tar"
    subprocess.run(["tar", "-C", str(tmp_path), "-cf", str(empty), "--files-from", "/dev/null"], check=True)
    engine.api.import_image(str(empty), repository="belljar-test/empty", tag="1")
    try:
        done = agent_image("--base", "belljar-test/empty:1")
    finally:
        engine.images.remove("belljar-test/empty:1", force=True)
    assert done.returncode == 4
    assert "It needs python3" in done.stderr
    assert "Traceback" not in done.stderr
    assert engine.images.get(TAG).labels["belljar.content"] == content()


def test_a_base_without_compiled_python_is_compiled_once(engine: docker.DockerClient) -> None:
    """As the official images of Python are: compiled anew at each start, the agent would take seconds to begin."""
    strip = ["find", "/usr/lib", "-path", "*/python3*", "-name", "*.pyc", "-delete"]
    stripped = engine.api.create_container(WORLD, strip)["Id"]
    try:
        engine.api.start(stripped)
        engine.api.wait(stripped)
        engine.api.commit(stripped, "belljar-test/bare", "1")
        assert agent_image("--base", "belljar-test/bare:1").returncode == 0
        said = engine.containers.run(TAG, ["python3", "-S", "-P", "-c", _NOT_COMPILED], remove=True, read_only=True)
        assert bytes(said).strip() == b"[]"
    finally:
        engine.api.remove_container(stripped, force=True)
        assert agent_image("--base", WORLD).returncode == 0
        engine.images.remove("belljar-test/bare:1", force=True)
