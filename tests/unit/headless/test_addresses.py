"""The switch for virtual addresses, from the command line to the agent and back from a profile."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from belljar_tui.core.profile import Profile, profile_of
from belljar_tui.core.state import State
from belljar_tui.headless.asked import Asked
from belljar_tui.headless.opening import _prepare, asked_for_profile
from belljar_tui.journal.profile_file import read_profile, write_profile
from belljar_tui.wire.messages import Checks, Prepare


@pytest.mark.parametrize("is_on", [True, False])
def test_a_profile_is_proven_with_the_addresses_it_was_found_with(tmp_path: Path, is_on: bool) -> None:
    state = State(name="shop", command=("./server",), checks=("tcp://localhost:80",))
    path = tmp_path / "shop.belljar.yaml"
    write_profile(path, profile_of(state, deadline_s=9, date="", version="", has_virtual_addresses=is_on))
    assert ("virtual_addresses: false" in path.read_text()) is not is_on
    asked = asked_for_profile(read_profile(path))
    assert _prepare(asked, "").has_virtual_addresses is is_on


def test_a_lab_and_a_profile_from_before_have_them_and_an_agent_not_told_of_them_has_not() -> None:
    profile = Profile(belljar=2, name="checkout", lab="checkout", allow=())
    assert asked_for_profile(profile).has_virtual_addresses
    off = msgspec.structs.replace(profile, virtual_addresses=False)
    assert not asked_for_profile(off).has_virtual_addresses
    assert Asked(name="x", command=(), health=Checks()).has_virtual_addresses
    assert not Prepare(service=()).has_virtual_addresses, "as attach prepares it"
