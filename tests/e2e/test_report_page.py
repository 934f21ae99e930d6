"""`belljar report`, and its page in a real browser."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from browser import HAVE_CHROMIUM, picture, printed, visit
from jarred import BELLJAR

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Mode
from belljar_tui.journal.notes import LateNote, Notebook, notes_of
from belljar_tui.journal.writer import JournalWriter

HOSTILE = "<script src=http://evil.example/x.js></script><img src=http://evil.example/y onerror=console.error(1)>"


def journal(path: Path, name: str = "shop") -> Path:
    with JournalWriter(path) as writer:
        for event in (
            ev.SessionStarted(at=0, name=name, jar="lab", command=[name], checks=[name]),
            ev.ProcessSeen(at=0, pid=7, parent=1, name=name, command=name),
            ev.DependencySeen(at=0.1, dependency="tcp://auth.lab:9000", endpoint=name, pid=7, process=name),
            ev.HealthChanged(at=0.5, health=Health.HEALTHY, check=name, detail=name),
            ev.CutApplied(at=1, dependency="tcp://auth.lab:9000", mode=Mode.REFUSE),
            ev.CallBlocked(at=1.5, dependency="tcp://auth.lab:9000", mode=Mode.REFUSE, pid=7, process=name, count=2),
            ev.HealthChanged(at=2, health=Health.UNHEALTHY, check=name, detail=name),
            ev.NoteAdded(at=3, text=name),
            ev.SessionEnded(at=4, reason="quit"),
        ):
            writer.write(event)
    return path


def report(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*BELLJAR, "report", *arguments], capture_output=True, text=True, timeout=60, check=False)


def page_of(folder: Path, name: str = "shop") -> Path:
    page = folder / "report.html"
    done = report(str(journal(folder / "journal.belljar.jsonl", name)), "-o", str(page))
    assert (done.returncode, done.stderr) == (0, "")
    return page


@HAVE_CHROMIUM
def test_a_browser_loads_nothing_beside_the_page_and_complains_of_nothing(tmp_path: Path) -> None:
    seen = visit(page_of(tmp_path), tmp_path)
    assert seen.complaints == []
    assert "What happened" in seen.dom
    hostile = tmp_path / "hostile"
    hostile.mkdir()
    seen = visit(page_of(hostile, HOSTILE), tmp_path)
    assert seen.complaints == []
    assert not [url for url in seen.asked if "evil.example" in url]
    assert "<script" not in seen.dom
    assert "<img" not in seen.dom


@HAVE_CHROMIUM
def test_the_watch_would_have_seen_it(tmp_path: Path) -> None:
    page = tmp_path / "bad.html"
    page.write_text(f"<!doctype html><p>x</p>{HOSTILE}<script>console.error('loud')</script>")
    seen = visit(page, tmp_path)
    assert [url for url in seen.asked if "evil.example" in url]
    assert [line for line in seen.complaints if "loud" in line]


@HAVE_CHROMIUM
def test_light_and_dark_differ_and_it_prints(tmp_path: Path) -> None:
    page = page_of(tmp_path)
    light = picture(page, tmp_path / "light.png", tmp_path)
    dark = picture(page, tmp_path / "dark.png", tmp_path, is_dark=True)
    assert light != dark
    assert printed(page, tmp_path / "report.pdf", tmp_path).startswith(b"%PDF")


@pytest.mark.parametrize("suffix", ["html", "md"])
def test_a_folder_is_reported_and_its_profile_is_the_claim(tmp_path: Path, suffix: str) -> None:
    journal(tmp_path / "journal.belljar.jsonl")
    (tmp_path / "shop.belljar.yaml").write_text(
        "belljar: 2\nname: shop\nlab: checkout\nhealthy: {checks: ['tcp://localhost:1']}\nallow: ['tcp://only.this:7']\n"
    )
    output = tmp_path / f"report.{suffix}"
    assert report(str(tmp_path), "-o", str(output)).returncode == 0
    assert "with only only.this reachable" in output.read_text()


def test_notes_made_afterwards_are_told_where_they_belong(tmp_path: Path) -> None:
    path = journal(tmp_path / "journal.belljar.jsonl")
    Notebook(path).add(LateNote(at=0.5, text="here it began", dependency="tcp://auth.lab:9000"))
    done = report(str(tmp_path), "--to", "md")
    assert done.returncode == 0
    assert "here it began (noted afterwards)" in done.stdout
    notes_of(path).write_text("{}\n")
    done = report(str(tmp_path), "--to", "md")
    assert done.returncode == 2
    assert "without the notes made afterwards" in done.stderr
    assert "here it began" not in done.stdout


def test_of_a_damaged_journal_the_good_part_is_told(tmp_path: Path) -> None:
    path = journal(tmp_path / "j")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], b"{\n", *lines[5:]]))
    done = report(str(path), "--to", "md")
    assert done.returncode == 2
    assert "line 6: damaged" in done.stderr
    assert "**The journal is damaged.** line 6" in done.stdout
    path.write_bytes(b"")
    assert report(str(path), "--to", "md").stdout == ""


def test_what_was_read_all_the_same_is_told_with_its_line(tmp_path: Path) -> None:
    path = journal(tmp_path / "j")
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines, *lines[3:5], lines[-1][:9]]))
    done = report(str(path), "--to", "md")
    assert done.returncode == 0
    assert f"{path}: line {len(lines) + 1} (and 1 more): time goes back" in done.stderr
    assert f"{path}: line {len(lines) + 3}: torn" in done.stderr
    path.write_bytes(lines[0])
    done = report(str(path), "--to", "md")
    assert (done.returncode, done.stdout) == (2, "")
    assert "nothing was recorded" in done.stderr


def test_a_format_must_be_known(tmp_path: Path) -> None:
    done = report(str(journal(tmp_path / "j")), "-o", str(tmp_path / "x.docx"))
    assert done.returncode == 2
    assert "--to html|md" in done.stderr
