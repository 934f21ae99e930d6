"""What the dependency panel says before a cut."""

from __future__ import annotations

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
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
