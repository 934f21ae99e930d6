"""The Compose file, read by a strict implementation of the Compose Specification."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml
from compose_spec import PyCompose
from hypothesis import given, settings

from belljar_tui.core.model import Protocol
from belljar_tui.core.profile import Profile
from belljar_tui.export.compose import export
from belljar_tui.export.contract import Contract, is_address, is_local
from tests.unit.export.profiles import CHECKOUT, SOCKET, members_of, profile_with, profiles

VARIABLE = re.compile(r"\$\{[A-Z_][A-Z0-9_]*_IMAGE:\?set it to [A-Za-z0-9 .,:/_?-]+\}")

LABEL = r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
ALIAS = re.compile(rf"{LABEL}(?:\.{LABEL})*")


def environment(profile: Profile) -> Any:
    """The file as written, after it was read as Compose reads it."""
    read = yaml.safe_load(export(Contract.of(profile)).text)
    PyCompose.from_yaml(yaml.safe_dump(interpolated(read))).validate()
    return read


def interpolated(value: Any) -> Any:
    """A document with its variables replaced, as Compose does before it looks at it. Underscores in
    aliases, which Docker takes and this reader does not, become letters."""
    if isinstance(value, dict):
        return {key: interpolated(one) for key, one in value.items()}
    if isinstance(value, list):
        return [interpolated(one) for one in value]
    if not isinstance(value, str):
        return value
    plain = VARIABLE.sub("example/image:1", value).replace("$$", "$")
    return re.sub(r"_(?=[a-z0-9_.-]*$)", "x", plain) if re.fullmatch(r"[a-z0-9_.-]+", plain) else plain


def strings(value: Any) -> list[str]:
    """Every text in a document, keys too."""
    if isinstance(value, dict):
        return [found for pair in value.items() for one in pair for found in strings(one)]
    if isinstance(value, list):
        return [found for one in value for found in strings(one)]
    return [value] if isinstance(value, str) else []


@settings(max_examples=80)
@given(profile=profiles)
def test_any_profile_becomes_a_file_by_the_specification(profile: Profile) -> None:
    environment(profile)


@settings(max_examples=80)
@given(profile=profiles)
def test_compose_replaces_nothing_but_the_images(profile: Profile) -> None:
    for text in strings(environment(profile)):
        assert VARIABLE.fullmatch(text) or "$" not in text.replace("$$", "")


@settings(max_examples=80)
@given(profile=profiles)
def test_every_named_member_is_an_alias_on_a_network_without_a_way_out(profile: Profile) -> None:
    made = export(Contract.of(profile))
    read = yaml.safe_load(made.text)
    assert read["networks"] == {"sealed": {"internal": True}}
    placed = {
        (alias, port)
        for service in read["services"].values()
        if isinstance(service.get("networks"), dict)
        for alias in service["networks"]["sealed"]["aliases"]
        for port in [*service.get("expose", []), ""]
    }
    for member in members_of(profile, Protocol.TCP, Protocol.UDP, Protocol.ICMP):
        if is_local(member.host):
            assert any("network_mode" in service for service in read["services"].values())
        elif is_address(member.host) or not ALIAS.fullmatch(member.host):
            assert any(note.startswith(f"{member}: ") for note in made.notes)
        else:
            assert (member.host, f"{member.port}/{member.protocol}" if member.port else "") in placed
    hosts = {m.host for m in members_of(profile, Protocol.TCP, Protocol.UDP, Protocol.ICMP) if not is_local(m.host)}
    assert {alias for alias, _ in placed} == {host for host in hosts if ALIAS.fullmatch(host) and not is_address(host)}


def test_a_unix_socket_is_mounted_from_the_machine_and_told() -> None:
    made = export(Contract.of(profile_with(SOCKET)))
    (volume,) = yaml.safe_load(made.text)["services"]["checkout"]["volumes"]
    assert volume["source"] == volume["target"] == "/run/docker.sock"
    assert made.notes[0].startswith(f"{SOCKET}: ")


def test_the_checks_become_the_health_check() -> None:
    (_, command) = environment(CHECKOUT)["services"]["checkout"]["healthcheck"]["test"]
    assert "http://localhost:8080/ready" in command


def test_the_specification_refuses_what_is_wrong() -> None:
    text = export(Contract.of(CHECKOUT)).text
    with pytest.raises(ValueError, match="internall"):
        PyCompose.from_yaml(VARIABLE.sub("example/image:1", text).replace("internal:", "internall:"))
