"""The dependencies of the pool lab."""

from __future__ import annotations

from belljar_tui.labs.hosts import Serve, serve_lines


def stock(line: str) -> str:
    return "7 rows" if line.startswith("SELECT") else "ERROR syntax"


def mail(line: str) -> str:
    return "250 ok" if line.startswith("NOOP") else "500 unknown"


def report(line: str) -> str:
    return f"REPORT {line}"


def licence(_: str) -> str:
    return "LEASE 3600"


HOSTS: dict[str, Serve] = {
    "stock-db.lab": serve_lines(5432, stock),
    "mail.lab": serve_lines(2525, mail),
    "reports.lab": serve_lines(8083, report),
    "licence": serve_lines(5555, licence),
}
