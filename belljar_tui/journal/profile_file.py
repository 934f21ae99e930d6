"""Profiles on disk: YAML for people, checked to the last field, written whole or not at all."""

from __future__ import annotations

import difflib
import os
import re
import tempfile
import textwrap
from pathlib import Path
from typing import Any

import msgspec
import yaml

from belljar_tui.core.profile import VERSION, Profile, claim_of, flaws
from belljar_tui.errors import BadProfile
from belljar_tui.journal.profile_migrate import migrated
from belljar_tui.journal.yaml_text import BadYaml, Document, Place

MAX_SIZE = 1_000_000
"""Bytes. A profile is a page of text; anything larger is some other file."""


def read_profile(path: Path) -> Profile:
    """The profile at `path`, brought up to the present format.

    Raises:
        BadProfile: it cannot be read or is not a profile; the message has the line, what is wrong and what to do.
    """
    name = str(path)
    try:
        document = Document(_text(path))
    except BadYaml as error:
        where = f"line {error.line}" if error.line else ""
        raise BadProfile(name, where, f"{error.why}.", error.remedy) from error
    version = _version(name, document)
    try:
        profile = msgspec.convert(migrated(document.value, version), Profile)
    except msgspec.ValidationError as error:
        raise _explained(name, document, str(error)) from error
    for flaw in flaws(profile):
        raise BadProfile(name, f"line {document.line_of(flaw.path)}", _sentence(flaw.why), flaw.remedy)
    return profile


def line_in(path: Path, place: Place) -> int:
    """The line of `place` in the file at `path`; a member of a list may be named by its value. 1: not known."""
    try:
        document = Document(_text(path))
    except (BadYaml, BadProfile):
        return 1
    if len(place) == 2 and isinstance(place[1], str) and isinstance(document.value, dict):
        values = document.value.get(str(place[0]))
        if isinstance(values, list):
            place = (place[0], values.index(place[1])) if place[1] in values else place[:1]
    return document.line_of(place, is_key=True)


def write_profile(path: Path, profile: Profile) -> None:
    """Write `profile` to `path` with its claim brought up to date: the whole new file, or the old one untouched.

    Raises:
        BadProfile: the file cannot be written.
    """
    try:
        _replace(path, profile_text(profile).encode())
    except UnicodeEncodeError as error:
        raise BadProfile(str(path), "", "the command or a name in it is not text (UTF-8).") from error
    except OSError as error:
        raise BadProfile(str(path), "", f"cannot be written: {error.strerror}.") from error


def profile_text(profile: Profile) -> str:
    """The file's text: the claim as a comment, then every field in its order."""
    profile = msgspec.structs.replace(profile, claim=claim_of(profile))
    printable = "".join(c if c.isprintable() else " " for c in profile.claim)
    comment = textwrap.wrap(printable, 116, initial_indent="# ", subsequent_indent="# ")
    built = {key: value for key, value in msgspec.to_builtins(profile).items() if value is not None}
    body = yaml.dump(built, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
    return "\n".join([*comment, "# Prove it again: belljar verify FILE", "", body])


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


def _replace(path: Path, content: bytes) -> None:
    """A crash leaves the old file or the new one, never half of either."""
    target = path.resolve()
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), _mode(target))
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _mode(target: Path) -> int:
    """What the old file had; else what a new file gets (reading the umask means setting it)."""
    if target.exists():
        return target.stat().st_mode & 0o777
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask


def _text(path: Path) -> str:
    name = str(path)
    try:
        with path.open("rb") as file:
            content = file.read(MAX_SIZE + 1)
    except FileNotFoundError as error:
        remedy = "Save one from a session first: press s in the explorer, or give it the path it has."
        raise BadProfile(name, "", "there is no such file.", remedy) from error
    except OSError as error:
        raise BadProfile(name, "", f"cannot be read: {error.strerror}.") from error
    if len(content) > MAX_SIZE:
        raise BadProfile(name, "", "is too large to be a profile.", _REMEDY)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadProfile(name, f"line {line}", "is not text (UTF-8).", _REMEDY) from error
    if "\0" in text:
        raise BadProfile(name, f"line {text.count(chr(10), 0, text.index(chr(0))) + 1}", "is not text.", _REMEDY)
    return text


_REMEDY = "Is it a profile (NAME.belljar.yaml) that BellJar wrote?"


def _version(name: str, document: Document) -> int:
    value = document.value
    if value is None:
        raise BadProfile(name, "", "is empty.", _REMEDY)
    if not isinstance(value, dict):
        raise BadProfile(name, f"line {document.line_of(())}", "a profile is a mapping of fields.", _REMEDY)
    if "belljar" not in value:
        remedy = f"A profile says which format it has: belljar: {VERSION}"
        raise BadProfile(
            name, f"line {document.line_of(())}", "the field belljar, the format's version, is missing.", remedy
        )
    version = value["belljar"]
    line = f"line {document.line_of(('belljar',))}"
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise BadProfile(name, line, f"belljar: {version!r} is not a format version.", f"Write belljar: {VERSION}")
    if version > VERSION:
        why = f"it has format {version} and was written by a newer BellJar; this one reads up to {VERSION}."
        raise BadProfile(name, line, why, "Upgrade BellJar.")
    return version


_AT = re.compile(r"(?s)(?P<what>.*?)(?: - at (?:`key` in )?`\$?(?P<path>[^`]*)`)?")
_STEP = re.compile(r"\[(?P<index>\d+)\]|\.(?P<name>[^.\[]+)|\[\.\.\.\]")
_FIELD = re.compile(r"unknown field `(?P<name>.*)`")
_MISSING = re.compile(r"missing required field `(?P<name>.*)`")
_PLAIN_WORDS = {
    "`str`": "text", "`int`": "a whole number", "`float`": "a number", "`bool`": "yes or no", "`null`": "nothing",
    "`array`": "a list", "`object`": "a mapping of fields",
}  # fmt: skip


def _explained(name: str, document: Document, message: str) -> BadProfile:
    """msgspec's message with its place as a line, its types in plain words, and what to do."""
    match = _AT.fullmatch(message)
    what, path = (match["what"], match["path"] or "") if match else (message, "")
    place = _place(path)
    if unknown := _FIELD.search(what):
        field = unknown["name"]
        line = document.line_of((*place, field), is_key=True)
        return BadProfile(name, f"line {line}", f"unknown field {_dotted((*place, field))}.", _nearest(place, field))
    line = document.line_of(place)
    if missing := _MISSING.search(what):
        return BadProfile(name, f"line {line}", f"the field {_dotted((*place, missing['name']))} is missing.")
    for word, plain in _PLAIN_WORDS.items():
        what = what.replace(word, plain)
    subject = f"{_dotted(place)}: " if place else ""
    why = f"{subject}{_sentence(what[:1].lower() + what[1:])}"
    return BadProfile(name, f"line {line}", why, _remedy(what, place))


def _remedy(what: str, place: Place) -> str:
    if what.startswith("Expected text, got"):
        return "Put it in quotes if it is meant as text."
    if what.startswith("Invalid enum value"):
        return f"It can be: {', '.join(_values_at(place))}."
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


def _nearest(place: Place, field: str) -> str:
    known = _fields_at(place)
    near = difflib.get_close_matches(field, known, n=1)
    return f"Did you mean {near[0]}?" if near else f"The fields here are: {', '.join(known)}."


def _fields_at(place: Place) -> list[str]:
    """The names a mapping at `place` may have."""
    kind = _type_at(place)
    return [field.encode_name for field in kind.fields] if isinstance(kind, msgspec.inspect.StructType) else []


def _values_at(place: Place) -> list[str]:
    """The words a value at `place` (or in the mapping there) may be."""
    kinds = [_type_at(place)]
    if isinstance(kinds[0], msgspec.inspect.DictType):
        kinds = [kinds[0].key_type, kinds[0].value_type]
    values: list[str] = []
    for kind in kinds:
        if isinstance(kind, msgspec.inspect.EnumType):
            values += [str(member.value) for member in kind.cls]
        elif isinstance(kind, msgspec.inspect.LiteralType):
            values += [str(value) for value in kind.values]
    return values


def _type_at(place: Place) -> msgspec.inspect.Type:
    kind: msgspec.inspect.Type = msgspec.inspect.type_info(Profile)
    for step in place:
        if isinstance(kind, msgspec.inspect.StructType):
            kind = next(field.type for field in kind.fields if field.encode_name == step)
        elif isinstance(kind, msgspec.inspect.VarTupleType):
            kind = kind.item_type
    return kind


def _sentence(words: str) -> str:
    return words if words.endswith(".") else f"{words}."
