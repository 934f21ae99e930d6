"""A target's files are read within its root, wherever its links point."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from belljar_tui.agent import target_files


def test_a_file_is_read_and_one_that_is_not_there_is_empty() -> None:
    assert target_files.read(os.getpid(), "/etc/passwd") == Path("/etc/passwd").read_text()
    assert target_files.read(os.getpid(), "/no/such/file") == ""
    assert target_files.read(1 << 30, "/etc/passwd") == ""


def test_a_link_leads_nowhere_out_of_the_root(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "inside").write_text("ours")
    (tmp_path / "etc" / "link").symlink_to("/etc/inside")
    (tmp_path / "etc" / "out").symlink_to("../../../../../../etc/passwd")
    root = os.open(tmp_path, os.O_PATH)
    try:
        assert target_files._read_in(root, "/etc/link") == "ours"
        with pytest.raises(OSError, match="No such file"):
            target_files._read_in(root, "/etc/out")
    finally:
        os.close(root)
