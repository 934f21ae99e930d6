"""What people get wrong: one clear message, the right exit code, no traceback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from jarred import BELLJAR, headless

PROFILE = """\
claim: shop becomes healthy
belljar: 2
name: shop
service: {command: [sh, -c, 'exit 3']}
healthy: {checks: ['http://localhost:8080/ready']}
recovery: {kind: cold, deadline_s: 5}
allow: []
"""


def belljar(state_home: Path, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "XDG_STATE_HOME": str(state_home), "COLUMNS": "200"}
    if path is not None:
        environment["PATH"] = path
    return subprocess.run(
        [*BELLJAR, *arguments], capture_output=True, text=True, timeout=60, env=environment, check=False
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--headless", "--", "./no-such-server"), "there is no such command"),
        (("run", "--health", "ftp://x", "--", "true"), "is not a health check"),
        (("run", "--health", "tcp://localhost:99999", "--", "true"), "is not a health check"),
        (("run", "--forward", "70000", "--", "true"), "70000 is not in the range"),
        (("run", "--env", "NO_SUCH_VARIABLE_AT_ALL", "--headless", "--", "true"), "there is no such variable"),
        (("run", "--env", "=x", "--headless", "--", "true"), "the name is missing"),
        (("run", "--health-every", "nan", "--", "true"), "is not a number of seconds"),
        (("run",), "What is to be run?"),
        (("run", "--", "true"), "The explorer needs a terminal"),
        (("explore",), "No such command"),
        (("verify", "no-such-file.yaml"), "no-such-file.yaml"),
    ],
)
def test_a_mistake_on_the_command_line_is_explained(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    done = belljar(tmp_path, *arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (PROFILE.replace("allow: []", "alow: []"), "alow"),
        (PROFILE.replace("belljar: 2", "belljar: 99"), "newer"),
        (PROFILE.replace("deadline_s: 5", "deadline_s: soon"), "deadline_s"),
        (PROFILE.replace("allow: []", "allow: [orders-db]"), "not a dependency id"),
        (PROFILE.replace("http://localhost:8080/ready", "localhost"), "not a health check"),
        ("claim: [", "line"),
        (
            "belljar: 1\nname: nowhere\nlab: nowhere\nallow: []\nhealthy: {checks: ['tcp://localhost:1']}\n",
            "there is no lab 'nowhere'",
        ),
        ("", "empty"),
    ],
)
def test_a_bad_profile_is_explained_with_its_place(wrong: str, words: str, tmp_path: Path) -> None:
    profile = tmp_path / "bad.belljar.yaml"
    profile.write_text(wrong)
    done = belljar(tmp_path, "verify", str(profile))
    assert done.returncode == 2
    assert str(profile) in done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_diff_answers_as_diff_does(tmp_path: Path) -> None:
    one, same, other = tmp_path / "one.yaml", tmp_path / "same.yaml", tmp_path / "other.yaml"
    one.write_text(PROFILE)
    same.write_text(PROFILE + "evidence: {cut_sets: [['tcp://db:5432']]}\n")
    other.write_text(PROFILE.replace("allow: []", "allow: ['tcp://db:5432']"))
    done = belljar(tmp_path, "diff", str(one), str(same))
    assert (done.returncode, done.stderr) == (0, "")
    assert "The contract is the same." in done.stdout
    assert "+ tcp://db:5432 is a single point of failure now" in done.stdout
    done = belljar(tmp_path, "diff", "--json", str(one), str(other))
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["same_contract"], [change["after"] for change in told["changes"]]) == (False, ["tcp://db:5432"])
    assert belljar(tmp_path, "diff", str(one), str(tmp_path / "none.yaml")).returncode == 2


def test_schema_prints_the_schema_of_profiles(tmp_path: Path) -> None:
    done = belljar(tmp_path, "schema")
    assert done.returncode == 0
    assert json.loads(done.stdout)["title"] == "BellJar profile"


@pytest.mark.kernel
def test_a_service_that_exits_at_once_is_broken_and_says_how(tmp_path: Path) -> None:
    profile = tmp_path / "shop.belljar.yaml"
    profile.write_text(PROFILE.replace("exit 3", "echo no settings found; exit 3"))
    done = belljar(tmp_path, "verify", str(profile))
    assert done.returncode == 1, done.stderr
    assert "the service ended with exit code 3" in done.stdout
    assert "no settings found" in done.stdout


def test_without_pasta_the_message_says_how_to_get_it(tmp_path: Path) -> None:
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("unshare", "setpriv", "sh", "true"):
        found = next(p for p in ("/usr/bin", "/bin") if Path(p, tool).exists())
        (tools / tool).symlink_to(Path(found, tool))
    done = belljar(tmp_path, "run", "--headless", "--", "true", path=str(tools))
    assert done.returncode == 4
    assert "pasta is not installed" in done.stderr
    assert "apt install passt" in done.stderr


@pytest.mark.kernel
def test_a_service_that_prints_a_lot_and_ignores_sigterm_ends_all_the_same(tmp_path: Path) -> None:
    script = "trap '' TERM; seq 1 200000; while :; do sleep 1; done"
    with headless(tmp_path, "run", "--headless", "--", "sh", "-c", script) as loud:
        loud.wait_for("service_started")
        (log,) = tmp_path.glob("belljar/sessions/*/service.log")
        end = time.monotonic() + 20
        while not log.read_text().endswith("\n200000\n"):
            assert time.monotonic() < end, "the output did not arrive"
            time.sleep(0.05)
        assert loud.quit() == 0
    assert len(log.read_text().splitlines()) == 200_000


@pytest.mark.kernel
@pytest.mark.skipif(shutil.which("pasta") is None, reason="pasta is not installed")
@pytest.mark.parametrize("commands", ["", '{"command":"note","text":"so it goes"}\n'], ids=["nothing", "a file"])
def test_commands_may_come_from_a_file_and_a_session_ends_when_nothing_is_left_to_happen(
    commands: str, tmp_path: Path
) -> None:
    given = tmp_path / "commands"
    given.write_text(commands)
    with given.open() if commands else open(os.devnull) as stdin:  # noqa: PTH123
        done = subprocess.run(
            [*BELLJAR, "run", "--headless", "--", "true"],
            stdin=stdin,
            env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert ('"note_added"' in done.stdout) == bool(commands)
    assert "the service ended" in done.stdout.splitlines()[-1]
