"""The JSON Schemas of profiles, scenarios and drills, for editors: made from the types, explained by the words beside
their fields."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from belljar_tui.core import drill as drills
from belljar_tui.core import profile as profiles
from belljar_tui.core import scenario as scenarios

SCHEMA_PATH = Path(__file__).with_name("profile.schema.json")
"""The profile's schema as shipped."""
SCENARIO_SCHEMA_PATH = Path(__file__).with_name("scenario.schema.json")
"""The scenario's."""
DRILL_SCHEMA_PATH = Path(__file__).with_name("drill.schema.json")
"""The drill's."""


def profile_schema() -> dict[str, Any]:
    """The schema, as shipped in SCHEMA_PATH."""
    return _schema("BellJar profile", profiles.Profile, profiles)


def scenario_schema() -> dict[str, Any]:
    """The schema, as shipped in SCENARIO_SCHEMA_PATH."""
    return _schema("BellJar scenario", scenarios.Scenario, scenarios)


def drill_schema() -> dict[str, Any]:
    """The schema, as shipped in DRILL_SCHEMA_PATH."""
    return _schema("BellJar drill", drills.Drill, drills)


def schema_text(schema: dict[str, Any] | None = None) -> str:
    """A schema's file; the profile's where none is given."""
    return msgspec.json.format(msgspec.json.encode(schema or profile_schema()), indent=2).decode() + "\n"


def _schema(title: str, kind: type[msgspec.Struct], module: ModuleType) -> dict[str, Any]:
    schema = msgspec.json.schema(kind)
    for name, words in _field_words(module).items():
        for field, value in schema["$defs"].get(name, {}).get("properties", {}).items():
            if field in words and "$ref" not in value:
                value["description"] = words[field]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **schema}


def _field_words(module: ModuleType) -> dict[str, dict[str, str]]:
    """Type -> field -> the docstring under it, which Python itself does not keep."""
    found: dict[str, dict[str, str]] = {}
    for kind in ast.parse(inspect.getsource(module)).body:
        if not isinstance(kind, ast.ClassDef):
            continue
        for field, below in zip(kind.body, kind.body[1:], strict=False):
            match field, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(value=ast.Constant(value=str(words))):
                    found.setdefault(kind.name, {})[name] = inspect.cleandoc(words)
    return found
