"""What the dependency panel says before a cut."""

from __future__ import annotations

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.core.host_name import CLAIMS_KEPT
from belljar_tui.core.layout import order
from belljar_tui.core.model import Mode, Reach
from belljar_tui.tui import words
from belljar_tui.tui.panels import _facts


def test_the_panel_names_what_falls_with_a_dependency_before_it_is_cut() -> None:
    state = fold(
        [
            ev.NameResolved(at=0.1, name="a.lab", addresses=["10.7.0.1"]),
            ev.NameResolved(at=0.2, name="b.lab", addresses=["10.7.0.1"]),
            ev.DependencySeen(at=0.3, dependency="tcp://a.lab:80", endpoint="tcp 10.7.0.1:80", pid=1, process="web"),
        ]
    )
    facts = _facts(state, state.dependencies["tcp://a.lab:80"], 1.0)
    said = [text.plain for label, text in facts if label == "with it"]
    assert said == ["b.lab: same address, cut together"]
    attached = fold([ev.TargetEntered(at=1.0, target="shop", via="host")], state)
    facts = _facts(attached, attached.dependencies["tcp://a.lab:80"], 1.0)
    said = [text.plain for label, text in facts if label == "with it"]
    assert said == ["b.lab: same address, cut together (attached: not told apart)"]


def test_the_panel_and_the_row_say_what_a_raw_address_is_said_to_be() -> None:
    address = "tcp://10.9.0.44:443"
    claims = [
        ev.NameClaimed(at=0.2, dependency=address, name=name, source="tls")
        for name in ("updates.example", "cdn.example", "updates.example", "\x1b[2Jevil", "")
    ]
    seen = ev.DependencySeen(at=0.1, dependency=address, endpoint="tcp 10.9.0.44:443", pid=1, process="web")
    state = fold([seen, *claims])
    view = state.dependencies[address]
    assert [text.plain for label, text in _facts(state, view, 1.0) if label == "says"] == [
        "it is updates.example, cdn.example"
    ]
    assert words.named("10.9.0.44", view, 30) == "10.9.0.44 “updates.example”   "
    assert words.named("10.9.0.44", view, 20) == "10.9.0.44 “updates…”"
    assert words.named("10.9.0.44", view, 12) == "10.9.0.44   "
    assert order(state, "updates") == order(state, "10.9") == (address,)


def test_of_a_raw_address_that_is_said_to_be_many_some_are_kept() -> None:
    address = "tcp://10.9.0.44:443"
    many = [ev.NameClaimed(at=0.2, dependency=address, name=f"n{n}.example", source="http") for n in range(20)]
    assert fold(many).dependencies[address].claims == tuple(f"n{n}.example" for n in range(CLAIMS_KEPT))


def test_a_group_is_told_from_a_dependency_and_not_counted_among_them() -> None:
    group, host = "udp://239.1.2.3:5000", "udp://time.lab:123"
    state = fold(
        [
            ev.DependencySeen(at=0.1, dependency=group, endpoint="udp 239.1.2.3:5000", pid=1, process="web"),
            ev.GroupCalled(at=0.1, dependency=group, reach=Reach.MULTICAST),
            ev.DependencySeen(at=0.2, dependency=host, endpoint="udp 10.7.0.2:123", pid=2, process="cron"),
            ev.GroupsJoined(at=0.3, groups=["239.1.2.3"]),
        ]
    )
    view = state.dependencies[group]
    assert (state.open_count, state.group_count) == (1, 1)
    assert order(state) == (host, group), "below the dependencies, whoever calls it"
    assert words.glyph(state, view)[0] != words.glyph(state, state.dependencies[host])[0]
    assert words.verdict(view)[0] == "multicast"
    assert [text.plain for label, text in _facts(state, view, 1.0) if label == "reach"] == [
        "multicast: whoever has joined the group, the service too"
    ]
    cut = fold([ev.CutApplied(at=1.0, dependency=group, mode=Mode.REFUSE)], state)
    assert (cut.open_count, cut.group_count, cut.cut_count) == (1, 0, 1)


def test_what_shares_an_address_and_is_reached_by_another_is_not_cut_together() -> None:
    endpoint = "tcp 10.9.0.1:80"
    state = fold(
        [
            ev.NameResolved(at=1.0, name="a.lab", addresses=["10.9.0.1"]),
            ev.DependencySeen(at=1.0, dependency="tcp://a.lab:80", endpoint=endpoint),
            ev.NameResolved(at=1.0, name="b.lab", addresses=["10.9.0.1"], virtual={"10.9.0.1": "198.18.0.1"}),
            ev.DependencySeen(at=1.0, dependency="tcp://b.lab:80", endpoint=endpoint, virtual="198.18.0.1"),
        ]
    )
    told = {d: _facts(state, state.dependencies[d], 2.0) for d in ("tcp://a.lab:80", "tcp://b.lab:80")}
    assert [label for facts in told.values() for label, _ in facts if label == "with it"] == []
    assert [text.plain for facts in told.values() for label, text in facts if label == "endpoint"] == [
        "tcp 10.9.0.1:80",
        "tcp 10.9.0.1:80 as 198.18.0.1",
    ]
