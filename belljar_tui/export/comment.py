"""Comments at the top of an exported file: whatever is in a profile, they stay comments."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from belljar_tui.export.contract import Contract

WIDTH = 110


def one_line(text: str) -> str:
    """`text` without anything that could end a line or cannot be shown."""
    return "".join(c if c.isprintable() else "?" for c in text)


def commented(text: str, mark: str = "#", indent: str = "") -> list[str]:
    """`text` as comment lines; those of an item of a list (`- ...`) hang together."""
    first = f"{indent}{mark} "
    rest = first + "  " if text.startswith("- ") else first
    lines = textwrap.wrap(one_line(text), WIDTH, initial_indent=first, subsequent_indent=rest, break_on_hyphens=False)
    return lines or [f"{indent}{mark}"]


def heading(contract: Contract, purpose: str, notes: Sequence[str], mark: str = "#") -> list[str]:
    """The claim, what the file is for, and what it does not say."""
    lines = [*commented(contract.claim, mark), mark, *commented(purpose, mark)]
    if contract.resolved:
        lines += [mark, *commented("Addresses of these names were looked up when this was exported:", mark)]
        for host, addresses in sorted(contract.resolved.items()):
            lines += commented(f"- {host}: {', '.join(sorted(addresses))}", mark)
    if notes:
        lines += [mark, *commented("To know:", mark)]
        for note in notes:
            lines += commented(f"- {note}", mark)
    return lines
