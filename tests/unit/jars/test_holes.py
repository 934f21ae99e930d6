"""What of the host's is mounted into a service is a way around the seal."""

from __future__ import annotations

import socket
from pathlib import Path

from belljar_tui.jars.holes import holes_of
from belljar_tui.jars.plan import Plan


def kinds(*mounts: str) -> dict[str, tuple[str, bool]]:
    return {hole.path: (hole.kind, hole.is_writable) for hole in holes_of(Plan(image="i", mounts=mounts), 0.0)}


def test_the_engines_socket_is_known_by_its_name() -> None:
    assert kinds("/var/run/docker.sock:/var/run/docker.sock") == {"/var/run/docker.sock": ("engine", True)}


def test_files_sockets_and_folders_with_sockets_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "with").mkdir()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "with" / "s"))
        assert kinds(f"{tmp_path}/file:/file:ro", f"{tmp_path}/with:/with", f"{tmp_path}/with/s:/s") == {
            "/file": ("files", False),
            "/with": ("socket", True),
            "/s": ("socket", True),
        }


def test_a_volume_is_no_hole() -> None:
    assert kinds("data:/data") == {}
