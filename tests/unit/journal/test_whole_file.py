"""The old file or the new one, and nothing beside it."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from belljar_tui.journal.whole_file import remedy, write_whole


def test_a_new_file_has_what_the_umask_leaves_and_an_old_one_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    mask = os.umask(0o027)
    try:
        write_whole(path, b"new")
    finally:
        os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o640
    path.chmod(0o600)
    write_whole(path, b"newer")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"newer", 0o600)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(b"old")

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match=os.strerror(number)) as raised:
        write_whole(path, b"new")
    assert os.listdir(tmp_path) == ["report.html"]
    assert path.read_bytes() == b"old"
    assert ("Make room" in remedy(raised.value)) == (number != errno.EIO)


def test_a_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "there").write_bytes(b"old")
    (tmp_path / "link").symlink_to("there")
    write_whole(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "there").read_bytes() == b"new"


def test_a_pipe_is_written_into(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", b"new")
    reader.join(10)
    assert read == [b"new"]


def test_where_the_folder_takes_no_new_file_the_old_one_is_written_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mounted"
    path.write_bytes(b"old")

    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr("belljar_tui.journal.whole_file.tempfile.mkstemp", refuse)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    with pytest.raises(PermissionError):
        write_whole(tmp_path / "none", b"new")
