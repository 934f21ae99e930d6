"""YAML for other tools: plain, ASCII, without aliases, and with comments where a reader wants them."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import yaml

from belljar_tui.export.comment import commented


def rendered(value: object, indent: int = 0) -> str:
    """`value` as block YAML, `indent` spaces in."""
    text = yaml.dump(value, Dumper=_Dumper, sort_keys=False, allow_unicode=False, width=1000)
    return textwrap.indent(text, " " * indent)


def listed(field: str, entries: Sequence[tuple[str, object]], indent: int) -> str:
    """A list under `field`, a comment above each entry."""
    pad = " " * indent
    if not entries:
        return f"{pad}{field}: []\n"
    lines = [f"{pad}{field}:\n"]
    for comment, value in entries:
        lines += [line + "\n" for line in commented(comment, indent=pad + "  ")]
        lines.append(rendered([value], indent + 2))
    return "".join(lines)


class _Dumper(yaml.SafeDumper):
    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, data: str) -> yaml.ScalarNode:
        # Half of a surrogate pair is no character: YAML has no way to write it, escaped or not.
        return self.represent_str(data.encode(errors="replace").decode())


_Dumper.add_representer(str, _Dumper.represent_text)
