"""Files that people write in YAML (profiles, scenarios): checked to the last field, with the line of whatever is wrong,
and written whole or not at all. What is particular to a kind of file is in its Form."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
import yaml

from belljar_tui.errors import BadProfile
from belljar_tui.journal.whole_file import remedy, write_whole
from belljar_tui.journal.yaml_text import BadYaml, Document, Place

MAX_SIZE = 1_000_000
"""Bytes. Such a file is a page of text; anything larger is some other file."""

Kind = TypeVar("Kind", bound=msgspec.Struct)


def as_it_is(fields: dict[str, Any], _: int) -> dict[str, Any]:
    """Of a kind of file that has had one format so far."""
    return fields


class Form(msgspec.Struct, Generic[Kind], frozen=True):
    """A kind of file."""

    kind: type[Kind]
    noun: str
    """`profile`."""
    field: str
    """Where it says its format's version."""
    version: int
    """The present one."""
    error: type[BadProfile]
    remedy: str
    """What to ask whoever gives us something else."""
    missing: str
    """What to do where there is no such file."""
    migrated: Callable[[dict[str, Any], int], dict[str, Any]] = as_it_is
    """Fields of a version as those of the present one; no value changes its place."""


def recorded_form(kind: type[Kind], noun: str, version: int, error: type[BadProfile], make: str) -> Form[Kind]:
    """The form of a kind of file that can be made from a recorded session: by the command `make`."""
    return Form(
        kind=kind,
        noun=noun,
        field=f"belljar_{noun}",
        version=version,
        error=error,
        remedy=f"Is it a {noun}? One from a recorded session: {make}",
        missing=f"Make one from a recorded session: {make}",
    )


def read(path: Path, form: Form[Kind]) -> tuple[Kind, Document]:
    """The value at `path`, brought up to the present format, and the document for the lines of what is in it.

    Raises:
        BadProfile (the form's): the message has the line, what is wrong and what to do.
    """
    name = str(path)
    document = document_at(path, form)
    version = _version(name, document, form)
    try:
        return msgspec.convert(form.migrated(document.value, version), form.kind), document
    except msgspec.ValidationError as error:
        raise _explained(name, document, str(error), form) from error


def document_at(path: Path, form: Form[Any]) -> Document:
    """The YAML at `path`, not checked further. Raises BadProfile (the form's)."""
    try:
        return Document(_text(path, form))
    except BadYaml as error:
        where = f"line {error.line}" if error.line else ""
        raise form.error(str(path), where, f"{error.why}.", error.remedy) from error


def write(path: Path, text: str, form: Form[Any]) -> None:
    """The whole new file, or the old one untouched.

    Raises:
        BadProfile (the form's): the file cannot be written.
    """
    try:
        write_whole(path, text.encode())
    except UnicodeEncodeError as error:
        raise form.error(str(path), "", "the command or a name in it is not text (UTF-8).") from error
    except OSError as error:
        raise form.error(str(path), "", f"cannot be written: {error.strerror}.", remedy(error)) from error


def dumped(fields: dict[str, Any]) -> str:
    """Fields as YAML, in their order."""
    return yaml.dump(fields, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)


def sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."


class _Dumper(yaml.SafeDumper):
    """Lists indented under their field, as people write them, and never an alias."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)

    def represent_float(self, data: float) -> yaml.ScalarNode:
        if data.is_integer() and abs(data) < 1e15:
            return self.represent_int(int(data))
        return super().represent_float(data)

    def represent_text(self, data: str) -> yaml.ScalarNode:
        # Plain and single-quoted text would be read back with these as ordinary line ends.
        style = '"' if any(c in data for c in "\x85\u2028\u2029") else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Dumper.add_representer(str, _Dumper.represent_text)
_Dumper.add_representer(float, _Dumper.represent_float)


def _text(path: Path, form: Form[Any]) -> str:
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError as error:
        raise form.error(name, "", "there is no such file.", form.missing) from error
    except OSError as error:
        raise form.error(name, "", f"cannot be read: {error.strerror}.") from error
    if len(content) > MAX_SIZE:
        raise form.error(name, "", f"is too large to be a {form.noun}.", form.remedy)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise form.error(name, f"line {line}", "is not text (UTF-8).", form.remedy) from error
    if "\0" in text:
        raise form.error(name, f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}", "is not text.", form.remedy)
    return text


def _version(name: str, document: Document, form: Form[Any]) -> int:
    value, field = document.value, form.field
    if value is None:
        raise form.error(name, "", "is empty.", form.remedy)
    if not isinstance(value, dict):
        raise form.error(name, f"line {document.line_of(())}", f"a {form.noun} is a mapping of fields.", form.remedy)
    if field not in value:
        remedy = f"A {form.noun} says which format it has: {field}: {form.version}"
        why = f"the field {field}, the format's version, is missing."
        raise form.error(name, f"line {document.line_of(())}", why, remedy)
    version = value[field]
    line = f"line {document.line_of((field,))}"
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        why = f"{field}: {version!r} is not a format version."
        raise form.error(name, line, why, f"Write {field}: {form.version}")
    if version > form.version:
        why = f"it has format {version} and was written by a newer BellJar; this one reads up to {form.version}."
        raise form.error(name, line, why, "Upgrade BellJar.")
    return version


_AT = re.compile(r"(?s)(?P<what>.*?)(?: - at (?:`key` in )?`\$?(?P<path>[^`]*)`)?")
_STEP = re.compile(r"\[(?P<index>\d+)\]|\.(?P<name>[^.\[]+)|\[\.\.\.\]")
_FIELD = re.compile(r"unknown field `(?P<name>.*)`")
_MISSING = re.compile(r"missing required field `(?P<name>.*)`")
_PLAIN_WORDS = {
    "`str`": "text", "`int`": "a whole number", "`float`": "a number", "`bool`": "yes or no", "`null`": "nothing",
    "`array`": "a list", "`object`": "a mapping of fields",
}  # fmt: skip


def _explained(name: str, document: Document, message: str, form: Form[Any]) -> BadProfile:
    """msgspec's message with its place as a line, its types in plain words, and what to do."""
    match = _AT.fullmatch(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    place = _place(path)
    if unknown := _FIELD.search(what):
        field = unknown["name"]
        line = document.line_of((*place, field), is_key=True)
        return form.error(
            name, f"line {line}", f"unknown field {_dotted((*place, field))}.", _nearest(place, field, form)
        )
    line = document.line_of(place)
    if missing := _MISSING.search(what):
        return form.error(name, f"line {line}", f"the field {_dotted((*place, missing['name']))} is missing.")
    for word, plain in _PLAIN_WORDS.items():
        what = what.replace(word, plain)
    subject = f"{_dotted(place)}: " if place else ""
    why = f"{subject}{sentence(what[:1].lower() + what[1:])}"
    return form.error(name, f"line {line}", why, _remedy(what, place, form))


def _remedy(what: str, place: Place, form: Form[Any]) -> str:
    if what.startswith("Expected text, got"):
        return "Put it in quotes if it is meant as text."
    if what.startswith("Invalid enum value"):
        return f"It can be: {', '.join(_values_at(place, form))}."
    return ""


def _place(path: str) -> Place:
    steps: list[str | int] = []
    for step in _STEP.finditer(path):
        if step["index"] is not None:
            steps.append(int(step["index"]))
        elif step["name"] is not None:
            steps.append(step["name"])
        else:
            break  # `[...]`: msgspec does not say which key of a mapping it was.
    return tuple(steps)


def _dotted(place: Place) -> str:
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{step}" for step in place).removeprefix(".")


def _nearest(place: Place, field: str, form: Form[Any]) -> str:
    known = _fields_at(place, form)
    near = difflib.get_close_matches(field, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"The fields here are: {', '.join(known)}."


def _fields_at(place: Place, form: Form[Any]) -> list[str]:
    """The names a mapping at `place` may have."""
    kind = _type_at(place, form)
    return [field.encode_name for field in kind.fields] if isinstance(kind, msgspec.inspect.StructType) else []


def _values_at(place: Place, form: Form[Any]) -> list[str]:
    """The words a value at `place` (or in the mapping there) may be."""
    kinds = [_type_at(place, form)]
    if isinstance(kinds[0], msgspec.inspect.DictType):
        kinds = [kinds[0].key_type, kinds[0].value_type]
    values: list[str] = []
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.EnumType):
            values += [str(member.value) for member in kind.cls]
        elif isinstance(kind, msgspec.inspect.LiteralType):
            values += [str(value) for value in kind.values]
    return values


def _type_at(place: Place, form: Form[Any]) -> msgspec.inspect.Type:
    kind: msgspec.inspect.Type = msgspec.inspect.type_info(form.kind)
    for step in place:
        if isinstance(kind, msgspec.inspect.StructType):
            kind = next(field.type for field in kind.fields if field.encode_name == step)
        elif isinstance(kind, msgspec.inspect.VarTupleType):
            kind = kind.item_type
    return kind
