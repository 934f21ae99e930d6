"""A real Chromium, without a screen, on a page of ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
HAVE_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium, from the distribution")
_QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip


class Visit(msgspec.Struct, frozen=True):
    """What came of opening a page."""

    dom: str
    """The document as the browser has it."""
    complaints: list[str]
    """Lines of the console: errors, and what the page's policy refused."""
    asked: set[str]
    """Every address the browser wanted."""


def visit(page: Path, scratch: Path) -> Visit:
    net_log = scratch / "net.json"
    done = _run(page, scratch, "--enable-logging=stderr", f"--log-net-log={net_log}", "--dump-dom")
    urls = {event["params"]["url"] for event in json.loads(net_log.read_text())["events"] if _has_url(event)}
    complaints = [line for line in done.stderr.splitlines() if "CONSOLE" in line]
    return Visit(done.stdout, complaints, urls)


def picture(page: Path, png: Path, scratch: Path, *, is_dark: bool = False) -> bytes:
    scheme = ("--blink-settings=preferredColorScheme=0",) if is_dark else ()
    _run(page, scratch, "--window-size=1100,1400", f"--screenshot={png}", *scheme)
    return png.read_bytes()


def printed(page: Path, pdf: Path, scratch: Path) -> bytes:
    _run(page, scratch, f"--print-to-pdf={pdf}")
    return pdf.read_bytes()


def _has_url(event: dict[str, object]) -> bool:
    return isinstance(parameters := event.get("params"), dict) and "url" in parameters


def _run(page: Path, scratch: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    assert CHROMIUM is not None
    command = [CHROMIUM, *_QUIET, f"--user-data-dir={scratch / 'profile'}", *flags, page.as_uri()]
    environment = {**os.environ, "HOME": str(scratch)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done
