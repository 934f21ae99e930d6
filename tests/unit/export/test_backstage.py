"""The catalog's entities, held to the catalog's documented rules (names, annotation keys, required fields); the
catalog's own model was run by hand on these."""

from __future__ import annotations

import re
from typing import Any

import yaml
from hypothesis import given, settings

from belljar_tui.core.model import Protocol
from belljar_tui.core.profile import Profile
from belljar_tui.export.backstage import ANNOTATION, export
from belljar_tui.export.contract import Contract
from tests.unit.export.profiles import CHECKOUT, members_of, profiles

NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")
REQUIRED = {"Component": {"type", "lifecycle", "owner", "dependsOn"}, "Resource": {"type", "owner"}}


def entities(profile: Profile) -> list[Any]:
    read = list(yaml.safe_load_all(export(Contract.of(profile)).text))
    for entity in read:
        assert set(entity) == {"apiVersion", "kind", "metadata", "spec"}
        assert entity["apiVersion"] == "backstage.io/v1alpha1"
        assert NAME.fullmatch(entity["metadata"]["name"])
        assert len(entity["metadata"]["name"]) <= 63
        assert set(entity["spec"]) == REQUIRED[entity["kind"]]
        assert all(isinstance(value, str) and value for key, value in entity["spec"].items() if key != "dependsOn")
    return read


@settings(max_examples=60)
@given(profile=profiles)
def test_the_component_depends_on_a_resource_for_each_member(profile: Profile) -> None:
    component, *resources = entities(profile)
    assert component["spec"]["dependsOn"] == [f"resource:{one['metadata']['name']}" for one in resources]
    members = members_of(profile, *Protocol)
    shown = sorted("".join(c if c.isprintable() else "?" for c in str(member)) for member in members)
    assert sorted(one["metadata"]["annotations"][ANNOTATION] for one in resources) == shown
    assert len({one["metadata"]["name"] for one in resources}) == len(members)


def test_a_fallback_says_what_else_is_enough() -> None:
    said = {one["metadata"]["title"]: one["metadata"]["description"] for one in entities(CHECKOUT)}
    assert said["pay-a.lab"] == "Needed; one of these is enough: tcp://pay-a.lab:7000, tcp://pay-b.lab:7000."
    assert said["auth.lab"] == "A single point of failure."
