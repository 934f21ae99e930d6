from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core.model import NAME_SERVICE, Dependency, Mode, Protocol, Seal, Wanted
from belljar_tui.errors import BadDependencyId
from tests.unit.strategies import dependencies


@given(dependencies)
def test_an_id_reads_back_as_the_dependency_it_came_from(dependency: Dependency) -> None:
    assert Dependency.parse(str(dependency)) == dependency


@given(
    st.text() | st.builds("{}{}".format, st.sampled_from(["tcp://", "udp://[", "icmp://", "unix:", "dns:"]), st.text())
)
def test_garbage_is_an_id_or_a_bad_one_and_nothing_else(text: str) -> None:
    try:
        dependency = Dependency.parse(text)
    except BadDependencyId:
        return
    assert Dependency.parse(str(dependency)) == dependency


@pytest.mark.parametrize(
    ("text", "dependency"),
    [
        ("tcp://Orders-DB:5432", Dependency(Protocol.TCP, "orders-db", 5432)),
        ("tcp://10.9.0.44:443", Dependency(Protocol.TCP, "10.9.0.44", 443)),
        ("tcp://[fd00::1]:443", Dependency(Protocol.TCP, "fd00::1", 443)),
        ("udp://time.lab:123", Dependency(Protocol.UDP, "time.lab", 123)),
        ("icmp://gw", Dependency(Protocol.ICMP, "gw")),
        ("icmp://[fd00::1]", Dependency(Protocol.ICMP, "fd00::1")),
        ("unix:/run/docker.sock", Dependency(Protocol.UNIX, "/run/docker.sock")),
        ("dns:", Dependency(Protocol.DNS, "")),
    ],
)
def test_each_kind_of_id_is_read(text: str, dependency: Dependency) -> None:
    assert Dependency.parse(text) == dependency


@pytest.mark.parametrize(
    "text",
    ["", "auth", "auth:9000", "http://a:1", "tcp://", "tcp://a", "tcp://a:", "tcp://a:0", "tcp://a:65536", "tcp://a:-1",
     "tcp://a:٣", "tcp://a:1:2", "tcp://[::1:1", "tcp://[1.2.3.4]:1", "tcp://[::1]x:1", "tcp://fd00::1:443",
     "tcp://a b:1", "tcp://a/b:1", "icmp://a:1", "unix:relative", "dns:x"],
)  # fmt: skip
def test_what_is_not_an_id_is_refused_with_a_reason(text: str) -> None:
    with pytest.raises(BadDependencyId, match="is not a dependency id"):
        Dependency.parse(text)


def test_under_a_vacuum_only_what_was_opened_and_name_service_are_open() -> None:
    wanted = Wanted(Seal.VACUUM, Mode.BLACKHOLE, opens=frozenset({"tcp://a:1"}))
    assert wanted.mode_of("tcp://a:1") is None
    assert wanted.mode_of(NAME_SERVICE) is None
    assert wanted.mode_of("tcp://b:1") is Mode.BLACKHOLE


def test_a_cut_by_hand_wins_over_the_seal() -> None:
    cuts = {NAME_SERVICE: Mode.REFUSE, "tcp://a:1": Mode.BLACKHOLE}
    for seal in Seal:
        wanted = Wanted(seal, cuts=cuts, opens=frozenset(cuts))
        assert {identity: wanted.mode_of(identity) for identity in cuts} == cuts
