"""`belljar export` as a person types it."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from belljar_tui.export import FORMATS
from belljar_tui.journal.profile_file import write_profile
from tests.unit.export.profiles import CHECKOUT, SOCKET, profile_with


def belljar(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "belljar_tui", "export", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def profile(tmp_path: Path) -> str:
    path = tmp_path / "checkout.belljar.yaml"
    write_profile(path, CHECKOUT)
    return str(path)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_a_file_and_stdout_get_the_same(name: str, profile: str, tmp_path: Path) -> None:
    target = tmp_path / "out"
    printed = belljar(profile, "--to", name)
    written = belljar(profile, "--to", name, "-o", str(target))
    assert (printed.returncode, written.returncode) == (0, 0)
    assert printed.stdout == target.read_text()
    assert written.stdout == ""
    assert printed.stderr == written.stderr


def test_what_is_left_out_is_said_on_stderr(tmp_path: Path) -> None:
    path = tmp_path / "x.belljar.yaml"
    write_profile(path, profile_with(SOCKET))
    done = belljar(str(path), "--to", "nft")
    assert f"belljar: {SOCKET}: a Unix socket is a file" in done.stderr
    assert "Traceback" not in done.stderr


def test_trouble_is_one_message_and_exit_code_2(profile: str, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "missing" / "out")
    unknown = tmp_path / "u.belljar.yaml"
    write_profile(unknown, profile_with("tcp://elsewhere.invalid:1"))
    wrong = tmp_path / "w.belljar.yaml"
    wrong.write_text("belljar: 2\nname: x\n")
    for arguments, said in (
        ((profile, "--to", "excel"), "is not one of"),
        ((profile,), "Missing option '--to'"),
        ((profile, "--to", "nft", "-o", nowhere), f"{nowhere} cannot be written: No such file or directory."),
        ((profile, "--to", "nft", "-o", str(tmp_path)), "cannot be written: Is a directory."),
        ((str(tmp_path / "no"), "--to", "nft"), "there is no such file"),
        ((str(wrong), "--to", "nft"), "the field allow is missing"),
        ((str(unknown), "--to", "nft"), "--resolve"),
        ((str(unknown), "--to", "nft", "--resolve"), "elsewhere.invalid cannot be looked up"),
    ):
        done = belljar(*arguments)
        assert done.returncode == 2, done.stderr
        assert said in done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""


def test_names_are_looked_up_when_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from belljar_tui.headless.export import export

    found = [(socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("2001:db8::7", 0, 0, 0)), (2, 1, 6, "", ("192.0.2.7", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    path, target = tmp_path / "x.belljar.yaml", tmp_path / "out"
    write_profile(path, profile_with("tcp://elsewhere.lab:1"))
    assert export(str(path), to="nft", output=str(target), resolve=True) == 0
    text = target.read_text()
    assert "# - elsewhere.lab: 192.0.2.7, 2001:db8::7" in text
    assert "2001:db8::7 . tcp . 1" in text


def test_a_shell_completes_the_formats() -> None:
    from click.shell_completion import ShellComplete

    from belljar_tui.headless.cli import cli

    offered = ShellComplete(cli, {}, "belljar", "_BELLJAR_COMPLETE").get_completions(["export", "x", "--to"], "")
    assert [one.value for one in offered] == sorted(FORMATS)
