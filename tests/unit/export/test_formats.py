"""What holds for every format."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from belljar_tui.core.model import Protocol
from belljar_tui.core.profile import Profile, claim_of
from belljar_tui.errors import CannotExport
from belljar_tui.export import FORMATS, export
from belljar_tui.export.contract import Contract, parse_endpoint
from belljar_tui.export.names import LONGEST, slugs
from tests.unit.export.profiles import AUTH, CHECKOUT, members_of, profile_with, profiles

EVERY = pytest.mark.parametrize("name", sorted(FORMATS))
MARKS = {"mermaid": "%%", "dot": "//"}


@EVERY
@settings(max_examples=30)
@given(profile=profiles)
def test_every_format_takes_any_profile(name: str, profile: Profile) -> None:
    made = export(name, Contract.of(profile))
    made.text.encode()
    assert made.text.endswith("\n")
    assert "\r" not in made.text


@EVERY
@settings(max_examples=30)
@given(profile=profiles, random=st.randoms())
def test_the_order_of_a_profile_changes_nothing(name: str, profile: Profile, random: st.DataObject) -> None:
    allow, dependencies = list(profile.allow), list({one.id: one for one in profile.evidence.dependencies}.values())
    evidence = msgspec.structs.replace(profile.evidence, dependencies=tuple(dependencies))
    profile = msgspec.structs.replace(profile, allow=tuple(sorted(set(allow))), evidence=evidence)
    random.shuffle(dependencies)  # type: ignore[attr-defined]
    shuffled = msgspec.structs.replace(evidence, dependencies=tuple(dependencies))
    other = msgspec.structs.replace(profile, evidence=shuffled)
    assert export(name, Contract.of(profile)) == export(name, Contract.of(other))


@EVERY
def test_a_file_opens_with_its_claim(name: str) -> None:
    made = export(name, Contract.of(CHECKOUT))
    if name == "toxiproxy":  # JSON has no comments: the claim is the first note
        assert made.notes[0] == f"{claim_of(CHECKOUT)}."
        return
    mark = MARKS.get(name, "#")
    comments = [line.removeprefix(mark).strip() for line in made.text.splitlines() if line.startswith(mark)]
    assert claim_of(CHECKOUT) in " ".join(line for line in comments if not line.startswith("!"))


@EVERY
@settings(max_examples=30)
@given(profile=profiles)
def test_what_cannot_be_said_is_said_in_the_file_too(name: str, profile: Profile) -> None:
    made = export(name, Contract.of(profile))
    if name == "toxiproxy":  # JSON has no comments
        return
    words = _letters(made.text)
    assert all(_letters(note) in words for note in made.notes)


def _letters(text: str) -> str:
    """What is left of a text however its lines are broken and marked."""
    return "".join(c for c in text if c.isascii() and c.isalnum())


@pytest.mark.parametrize("name", ["nft", "networkpolicy", "cilium", "toxiproxy", "compose"])
@settings(max_examples=30)
@given(profile=profiles)
def test_no_unix_socket_is_dropped_in_silence(name: str, profile: Profile) -> None:
    notes = " ".join(export(name, Contract.of(profile)).notes)
    for member in members_of(profile, Protocol.UNIX):
        assert f"{member}: " in notes


@pytest.mark.parametrize("name", ["nft", "networkpolicy"])
def test_a_name_without_an_address_is_refused_with_what_to_do(name: str) -> None:
    contract = Contract.of(profile_with("tcp://elsewhere.lab:1"))
    with pytest.raises(CannotExport, match=r"(?s)tcp://elsewhere\.lab:1.*--resolve"):
        export(name, contract)


@pytest.mark.parametrize("name", ["nft", "networkpolicy"])
def test_addresses_that_were_looked_up_replace_the_recorded_ones_and_are_told(name: str) -> None:
    text = export(name, Contract.of(profile_with(AUTH), {"auth.lab": ["192.0.2.7"]})).text
    assert "192.0.2.7" in text
    assert "10.77.1.11" not in text
    assert "looked up when this was exported" in text


@pytest.mark.parametrize(
    "text", ["", "tcp", "tcp 1.2.3.4", "sctp 1.2.3.4:5", "tcp x:5", "tcp 1.2.3.4:99999", "tcp 1.2.3.4:x"]
)
def test_evidence_that_is_no_endpoint_is_an_error(text: str) -> None:
    with pytest.raises(CannotExport, match="not an endpoint"):
        parse_endpoint(text)


@given(texts=st.lists(st.text(max_size=90), unique=True), more=st.text(max_size=90))
def test_names_are_short_different_and_stay(texts: list[str], more: str) -> None:
    made = slugs(texts, taken=["service"])
    assert len({*made.values(), "service"}) == len(made) + 1
    assert all(0 < len(name) <= LONGEST for name in made.values())
    tailed = {text: name for text, name in made.items() if slugs([text], taken=["service"])[text] != name}
    again = slugs([*texts, more], taken=["service"])
    assert all(again[text] == name for text, name in tailed.items())
