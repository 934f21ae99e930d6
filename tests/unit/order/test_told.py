"""A plan as text, JSON, pictures and a runbook."""

from __future__ import annotations

import re

import msgspec
import pydot
import pytest
from rich.text import Text

from belljar_tui.core.order.plan import Source, order_of
from belljar_tui.core.order.words import cycle_words, listed
from belljar_tui.export.order import ORDER_FORMATS, export_order
from belljar_tui.headless.ordering.reading import Reading
from belljar_tui.headless.ordering.result import result_of
from belljar_tui.headless.ordering.text import lines_of
from tests.unit.order.world import COMPANY, cold, looks_like, planned

ORDER = planned(COMPANY)
NAMES = {profile.name: profile for profile in COMPANY}
NOTHING = Reading((), (), (), ())


def plain() -> str:
    return Text.from_markup("\n".join(lines_of(ORDER, NOTHING, None))).plain + "\n"


def test_the_text_looks_as_it_did() -> None:
    looks_like("order.txt", plain())


def test_the_json_looks_as_it_did() -> None:
    encoded = msgspec.json.format(msgspec.json.encode(result_of(ORDER, NOTHING, None)), indent=2)
    looks_like("order.json", encoded.decode() + "\n")


@pytest.mark.parametrize(("name", "ending"), [("mermaid", "mmd"), ("dot", "dot"), ("runbook", "md")])
def test_every_format_looks_as_it_did(name: str, ending: str) -> None:
    assert name in ORDER_FORMATS
    looks_like(f"order.{ending}", export_order(name, ORDER, NAMES).text)


def test_known_cycles_are_no_alarm_and_new_ones_are_named() -> None:
    known = lines_of(ORDER, NOTHING, [])[0]
    assert "!" in known
    assert "all were known before" in known
    fresh = lines_of(ORDER, NOTHING, [("auth", "config")])
    assert any("new:" in line for line in fresh)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pydot's use of its own parser
def test_the_digraph_has_every_service_and_every_need() -> None:
    graphs = pydot.graph_from_dot_data(export_order("dot", ORDER, NAMES).text)
    assert graphs is not None
    nodes = [node for box in graphs[0].get_subgraphs() for node in box.get_nodes()]
    shown = {str(node.get("label")).strip('"') for node in nodes}
    assert shown == {*NAMES, *ORDER.roots}
    count = sum(len(service.needs) + len(service.roots) for service in ORDER.services.values())
    assert len(graphs[0].get_edges()) == count


def test_names_that_mean_something_elsewhere_stay_names() -> None:
    nasty = 'a"]; x --> y\n%%{init}'
    order = order_of([Source(nasty, (("tcp://b:1",),)), Source("b", ((),))])
    profiles = {nasty: cold(nasty, "tcp://b:1"), "b": cold("b")}
    mermaid = export_order("mermaid", order, profiles).text
    assert not re.search(r"%%\s*\{", mermaid)
    assert "x --> y" not in mermaid
    assert '\\"' in export_order("dot", order, profiles).text
    runbook = export_order("runbook", order, {nasty: cold("`rm -rf`<b>", "tcp://b:1"), "b": cold("b")}).text
    assert "<b>" not in re.sub(r"`[^\n]*`", "", runbook)


def test_mermaids_own_limit_is_told() -> None:
    names = [f"s{n}" for n in range(40)]
    order = order_of(Source(n, (tuple(f"tcp://{o}:1" for o in names[:i]),)) for i, n in enumerate(names))
    (note,) = export_order("mermaid", order, {}).notes
    assert "up to 500 arrows" in note


def test_long_lists_and_long_cycles_are_cut_short() -> None:
    assert listed([str(n) for n in range(10)], 3) == "0, 1, 2 and 7 more"
    assert listed(["a", "b"], 3) == "a and b"
    names = [f"s{n:02}" for n in range(30)]
    order = order_of(
        Source(name, ((f"tcp://{need}:1",),)) for name, need in zip(names, [*names[1:], names[0]], strict=True)
    )
    assert "30 services" in cycle_words(order, order.cycles[0])
