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
