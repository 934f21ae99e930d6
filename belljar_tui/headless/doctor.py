"""`belljar doctor`: what this machine can do, tried for real, and what to do about what it cannot."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from belljar_tui import __version__
from belljar_tui.errors import BellJarError
from belljar_tui.headless import printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.jars.namespaces import no_user_namespaces

_PROBE_S = 15
_NO_QUEUE = "Blocked calls are still counted exactly. To name them, and to make datagrams slow: sudo modprobe nft_queue"


class Finding(msgspec.Struct):
    name: str
    ok: bool
    detail: str
    remedy: str = ""
    is_required: bool = True
    """Whether a native jar cannot be made without it."""


class Tried(msgspec.Struct):
    """What the probe inside scratch namespaces printed (`agent.capabilities`)."""

    nftables: bool = False
    owner: bool = False
    queue: str = "none"
    log: bool = False
    destroy: bool = False
    seal: bool = False
    details: dict[str, str] = {}


def doctor(*, as_json: bool) -> int:
    """Returns 0 when native jars work here, 4 when not."""
    findings = list(_findings())
    if as_json:
        printer.json({"checks": findings})
    else:
        _say(findings)
    return Exit.HOLDS if all(f.ok or not f.is_required for f in findings) else Exit.UNSEALED


def _findings() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", True, f"{version}, belljar {__version__}, Linux {os.uname().release}")
    yield from _tools()
    spaces = _user_namespaces()
    yield spaces
    yield from _kernel(spaces.ok)
    yield from _way_out()
    yield from _docker()


def _tools() -> Iterator[Finding]:
    for tool in ("unshare", "setpriv"):
        found = shutil.which(tool)
        yield Finding(tool, found is not None, found or "not installed", "" if found else "sudo apt install util-linux")


def _user_namespaces() -> Finding:
    if os.geteuid() == 0:
        return Finding("namespaces", True, "root: plain namespaces, no user namespace needed")
    tried = _run(["unshare", "--user", "--map-root-user", "--net", "--mount", "--pid", "--fork", "true"])
    if tried.returncode == 0:
        return Finding("namespaces", True, "user namespaces for this user")
    reason = no_user_namespaces()
    return Finding("namespaces", False, f"{reason.why} {tried.stderr.strip()}".strip(), reason.remedy)


def _kernel(can_make: bool) -> Iterator[Finding]:
    """The features of the kernel, tried in namespaces that are thrown away."""
    tried, words = _probe() if can_make else (Tried(), "not tried: no namespaces")
    details = tried.details
    yield Finding(
        "nftables",
        tried.nftables,
        "works" if tried.nftables else details.get("nftables", words),
        ""
        if tried.nftables
        else "sudo modprobe nf_tables; the kernel needs CONFIG_NF_TABLES and CONFIG_NF_TABLES_INET",
    )
    yield Finding(
        "owner flag",
        tried.owner,
        "the table dies with its owner" if tried.owner else "not tried",
        "" if tried.owner else "Linux 5.12 or newer is needed",
    )
    has_queue = tried.queue != "none"
    yield Finding(
        "queue",
        has_queue,
        f"{tried.queue}: blocked calls are held and attributed, and datagrams can be slow"
        if has_queue
        else details.get("queue", "none"),
        "" if has_queue else _NO_QUEUE,
        is_required=False,
    )
    yield Finding(
        "log group",
        tried.log,
        "open flows are seen" if tried.log else details.get("log", "none"),
        "" if tried.log else "Open dependencies cannot be seen: sudo modprobe nfnetlink_log nft_log",
        is_required=False,
    )
    yield Finding(
        "destroy",
        tried.destroy,
        "established sockets can be ended" if tried.destroy else details.get("destroy", "not supported"),
        "" if tried.destroy else "A cut bites pooled connections at their next send only (CONFIG_INET_DIAG_DESTROY)",
        is_required=False,
    )
    yield Finding("seal", tried.seal, details.get("seal", words), "" if tried.seal else "Nothing can be proven here")


def _probe() -> tuple[Tried, str]:
    user = ["--user", "--map-root-user"] if os.geteuid() != 0 else []
    command = ["unshare", *user, "--net", "--mount", "--pid", "--fork", "--kill-child", "--"]
    done = _run([*command, sys.executable, "-P", "-m", "belljar_tui.agent.capabilities"])
    try:
        return msgspec.json.decode(done.stdout, type=Tried), ""
    except msgspec.MsgspecError:
        words = done.stderr.strip().splitlines()
        return Tried(), words[-1] if words else "the probe said nothing"


def _way_out() -> Iterator[Finding]:
    pasta = shutil.which("pasta")
    yield Finding(
        "pasta",
        pasta is not None,
        pasta or "not installed",
        "" if pasta else "Needed by `belljar run`, not by the demo: sudo apt install passt",
        is_required=False,
    )
    device = Path("/dev/net/tun")
    may_open = os.access(device, os.R_OK | os.W_OK)
    yield Finding(
        "tun",
        may_open,
        f"{device} is open to this user" if may_open else f"{device} is missing or closed to this user",
        "" if may_open else f"pasta needs it: sudo modprobe tun && sudo chmod 666 {device}",
        is_required=False,
    )


def _docker() -> Iterator[Finding]:
    from belljar_tui.headless import engine as with_engine

    try:
        version, left = with_engine.what_is_left()
    except BellJarError as error:
        remedy = f"Only containers need an engine. {error.remedy}"
        yield Finding("docker", False, f"{error.what} {error.why}".strip(), remedy, is_required=False)
        return
    where = with_engine.address()
    elsewhere = "" if where == with_engine.HERE else f" at {where}"
    yield Finding("docker", True, f"engine {version}{elsewhere}", is_required=False)
    if left:
        names = ", ".join(each.name for each in left)
        detail = f"a killed session left {names}"
        yield Finding("left behind", False, detail, "Remove them: belljar clean", is_required=False)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=_PROBE_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 127, "", str(error))


def _say(findings: list[Finding]) -> None:
    from rich.table import Table

    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        missing = "[red]✗[/]" if finding.is_required else "[yellow]–[/]"
        table.add_row("[green]✓[/]" if finding.ok else missing, finding.name, finding.detail)
        if finding.remedy:
            table.add_row("", "", f"[dim]→ {finding.remedy}[/]")
    printer.rich(table)
