"""YAML text into plain values, with the line of every value, so that an error can say where it is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

Place = tuple[str | int, ...]
"""The way to a value from the top: keys and indexes."""

_PLAIN = {f"tag:yaml.org,2002:{kind}" for kind in ("null", "bool", "int", "float", "str", "seq", "map")}


_REMEDY = "Look at this line and the one before it: indentation, brackets, and quotes around a value with ': ' or '#'."


class BadYaml(Exception):
    """What is wrong with the text, on which line (1-based; 0: not known), and what to do."""

    def __init__(self, line: int, why: str, remedy: str = "") -> None:
        super().__init__(why)
        self.line = line
        self.why = why
        self.remedy = remedy


class _Loader(yaml.SafeLoader):
    """Dates stay text: a profile says `date: 2026-11-23` and means the words."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith((":timestamp", ":merge", ":value"))]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """No value stands for one written elsewhere: nobody needs that in a page of text, and nine lines of it are
        enough to fill a memory."""
        if self.check_event(yaml.AliasEvent):
            event: yaml.AliasEvent = self.peek_event()  # type: ignore[no-untyped-call]
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise BadYaml(line, f"*{event.anchor} stands for a value written elsewhere", "Write the value itself here.")
        return super().compose_node(parent, index)


class Document:
    """One YAML document: its plain `value`, and `line_of` any place in it."""

    def __init__(self, text: str) -> None:
        """Raises BadYaml."""
        try:
            loader = _Loader(text)
            self._node: yaml.Node | None = loader.get_single_node()
            if self._node is not None:
                _reject_odd(loader, self._node)
            self.value: Any = loader.construct_document(self._node) if self._node is not None else None
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark else 0
            raise BadYaml(line, f"broken YAML: {error.problem or error.context}", _REMEDY) from error
        except yaml.reader.ReaderError as error:
            line = text.count("\n", 0, error.position) + 1
            raise BadYaml(line, f"a character YAML does not allow (U+{ord(text[error.position]):04X})") from error
        except RecursionError as error:
            raise BadYaml(0, "broken YAML: nested too deeply") from error

    def line_of(self, place: Sequence[str | int], *, is_key: bool = False) -> int:
        """The line of the value at `place` (or of its key), or of what is nearest around it."""
        node = self._node
        line = _line(node)
        for index, step in enumerate(place):
            key, node = _child(node, step)
            if node is None:
                return line
            is_last = index == len(place) - 1
            line = _line(key) if key is not None and is_last and is_key else _line(node)
            if key is not None and isinstance(node, yaml.CollectionNode):
                line = _line(key)
        return line


def _line(node: yaml.Node | None) -> int:
    return 1 if node is None else node.start_mark.line + 1


def _child(node: yaml.Node | None, step: str | int) -> tuple[yaml.Node | None, yaml.Node | None]:
    """The key's node (None in a list) and the value's; no value when there is none."""
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return None, node.value[step]
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return key, value
    return None, None


def _reject_odd(loader: _Loader, node: yaml.Node) -> None:
    """Refuse what a contract must not have: tags, keys that are not plain text, a key that is there twice."""
    line = _line(node)
    if node.tag not in _PLAIN:
        raise BadYaml(line, f"the tag {node.tag!r} has no meaning in a profile")
    if isinstance(node, yaml.SequenceNode):
        for item in node.value:
            _reject_odd(loader, item)
    elif isinstance(node, yaml.MappingNode):
        _reject_odd_keys(node)
        for _, value in node.value:
            _reject_odd(loader, value)
    else:
        _reject_half_number(loader, node, line)


def _reject_half_number(loader: _Loader, node: yaml.Node, line: int) -> None:
    """`0x_` looks like a number until it is read."""
    try:
        loader.construct_object(node)
    except (ValueError, LookupError) as error:
        raise BadYaml(line, f"{node.value!r} is not a value", "Put it in quotes if it is meant as text.") from error


def _reject_odd_keys(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if not isinstance(key, yaml.ScalarNode) or not key.tag.endswith(":str"):
            raise BadYaml(_line(key), "a field's name must be plain text")
        if key.value in seen:
            raise BadYaml(_line(key), f"the field {key.value!r} is there twice")
        seen.add(key.value)
