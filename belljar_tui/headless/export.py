"""`belljar export`: a profile in the words of another tool."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from pathlib import Path

from belljar_tui.errors import CannotExport
from belljar_tui.export import export as exported_as
from belljar_tui.export.contract import Contract, is_looked_up
from belljar_tui.headless import diagnostics, printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.journal.profile_file import read_profile
from belljar_tui.journal.whole_file import remedy, write_whole


def export(path: str, *, to: str, output: str | None, resolve: bool) -> int:
    """Write the profile at `path` in the format `to`; notes on what it cannot say go to stderr.

    Returns the exit code. Raises BellJarError when the profile cannot be read or exported, or the file not written.
    """
    contract = Contract.of(read_profile(Path(path)))
    if resolve:
        hosts = {member.host for member in contract.members if is_looked_up(member)}
        contract = Contract.of(contract.profile, _addresses(hosts))
    made = exported_as(to, contract)
    if output is None or output == "-":
        printer.line(made.text.removesuffix("\n").encode(errors="replace"))
    else:
        _write(Path(output), made.text)
    for note in made.notes:
        diagnostics.note(f"belljar: {note}")
    return Exit.HOLDS


def _addresses(hosts: Iterable[str]) -> dict[str, list[str]]:
    """Every host's addresses, as this machine's resolver has them now."""
    return {host: _lookup(host) for host in sorted(hosts)}


def _lookup(host: str) -> list[str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or str(error)
        remedy = "Resolve where the service runs, or leave --resolve out to use the addresses the profile recorded."
        raise CannotExport(f"{host} cannot be looked up: {why}.", remedy=remedy) from error
    return sorted({str(entry[4][0]) for entry in found}, key=lambda a: ipaddress.ip_address(a).packed)


def _write(path: Path, text: str) -> None:
    try:
        write_whole(path, text.encode(errors="replace"))
    except OSError as error:
        raise CannotExport(f"{path} cannot be written: {error.strerror}.", remedy=remedy(error)) from error
