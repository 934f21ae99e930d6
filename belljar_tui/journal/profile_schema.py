"""The profile's JSON Schema, for editors: made from the types, explained by the words beside their fields."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Any

import msgspec

from belljar_tui.core import profile as profiles

SCHEMA_PATH = Path(__file__).with_name("profile.schema.json")
"""The schema as shipped."""


def profile_schema() -> dict[str, Any]:
    """The schema, as shipped in SCHEMA_PATH."""
    schema = msgspec.json.schema(profiles.Profile)
    for kind, words in _field_words().items():
        for field, value in schema["$defs"].get(kind, {}).get("properties", {}).items():
            if field in words and "$ref" not in value:
                value["description"] = words[field]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "BellJar profile", **schema}


def schema_text() -> str:
    """The text of SCHEMA_PATH."""
    return msgspec.json.format(msgspec.json.encode(profile_schema()), indent=2).decode() + "\n"


def _field_words() -> dict[str, dict[str, str]]:
    """Type -> field -> the docstring under it, which Python itself does not keep."""
    found: dict[str, dict[str, str]] = {}
    for kind in ast.parse(inspect.getsource(profiles)).body:
        if not isinstance(kind, ast.ClassDef):
            continue
        for field, below in zip(kind.body, kind.body[1:], strict=False):
            match field, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found.setdefault(kind.name, {})[name] = inspect.cleandoc(words)
    return found
