"""The pages, read by parsers as a reader's program would: HTML by the standard library's, Mermaid by a grammar."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lark import Lark

from belljar_tui.core import events as ev
from belljar_tui.core.model import Health, Mode
from belljar_tui.core.question import Conclusion, Found, Question
from belljar_tui.core.report import Report, report_of
from belljar_tui.report import FORMATS, mermaid, render
from belljar_tui.report.document import code, escaped
from belljar_tui.report.graph import graph_of
from belljar_tui.report.timeline import LEFT, WIDTH, timeline_of
from belljar_tui.report.words import command_of
from tests.unit.strategies import events

HOSTILE = "<img src=x onerror=alert(1)>\"'`|\u202e\x1b[31m](https://evil.example)\n# x %%{init} &lt;"
_ALLOWED = (
    "html head meta link title style body main header p h1 h2 section time span strong blockquote dl dt dd code figure "
    "figcaption div svg desc defs pattern rect line text g circle path table caption thead tbody tr th td ul ol li"
)
ALLOWED = set(_ALLOWED.split())
VOID = {"meta", "link"}
GANTT_LINE = re.compile(r"  section [^:;#%{}]+|  [^:;#%{}]+ : (?:(?:crit|done|active|milestone), )?\d+, \d+(?:ms)?")
FLOWCHART = Lark(
    r"""
    start: "flowchart LR" _NL (statement _NL?)+
    ?statement: node | edge | classdef | class
    node: ID ("[" LABEL "]" | "([" LABEL "])")
    edge: ID " " ARROW " " ID
    classdef: "classDef single stroke-width:4px"
    class: "class " ID ("," ID)* " single"
    ARROW: "==>" | "-.->" | "---"
    ID: /[a-z][a-z0-9]*/
    LABEL: /"(?:[a-zA-Z0-9 .,:\/_()?-]|#[0-9]+;|<br\/>)*"/
    _NL: /\n */
    """
)


class Tags(HTMLParser):
    """Every element, closed in order, with its attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data


def session(name: str = "shop", note: str = "look") -> Report:
    dependency = f"tcp://{name}:1"
    return report_of(
        [
            ev.SessionStarted(at=0, name=name, jar=name, command=[name], checks=[name], started=name, version=name),
            ev.SealProven(at=0, ok=True, detail=name),
            ev.ProcessSeen(at=0, pid=7, parent=1, name=name, command=name),
            ev.DependencySeen(at=0.1, dependency=dependency, endpoint=name, pid=7, process=name),
            ev.HealthChanged(at=0.5, health=Health.HEALTHY, check=name, detail=name),
            ev.CutApplied(at=1, dependency=dependency, mode=Mode.REFUSE),
            ev.CallBlocked(at=1.5, dependency=dependency, mode=Mode.REFUSE, pid=7, process=name, count=2),
            ev.HealthChanged(at=2, health=Health.UNHEALTHY, check=name, detail=name),
            ev.NoteAdded(at=3, text=note, dependency=dependency),
            ev.SessionEnded(at=4, reason=name),
        ]
    )


def is_tame(text: str) -> None:
    page = Tags(text)
    assert {tag for tag, _ in page.seen} <= ALLOWED
    for tag, attributes in page.seen:
        assert not [name for name in attributes if name.startswith("on") or name in ("src", "action", "formaction")]
        assert "href" not in attributes or (tag, attributes["href"]) == ("link", "data:,")
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_hostile_session_cannot_put_anything_into_the_page() -> None:
    is_tame(render(session(HOSTILE, HOSTILE), "html"))


NAMELESS: list[ev.AnyEvent] = [
    ev.SearchStarted(at=0.0, question=Question()),
    ev.SearchEnded(at=1.0, found=Found(conclusion=Conclusion.FOUND, minimal=("",))),
]
"""A set with a member that nothing else in the recording knows."""


@given(st.lists(events, max_size=10))
@example(NAMELESS)
@settings(max_examples=60, deadline=None)
def test_any_session_makes_a_page_and_a_document(stream: list[ev.AnyEvent]) -> None:
    report = report_of(stream)
    is_tame(render(report, "html"))
    assert render(report, "md").startswith("# ")


def test_every_picture_has_a_title_and_every_table_a_caption_and_headings() -> None:
    page = Tags(render(session(), "html"))
    pictures = [attributes for tag, attributes in page.seen if tag == "svg"]
    assert [one for one in pictures if one.get("role") == "img"]
    assert all(one.get("aria-labelledby") or one.get("aria-hidden") == "true" for one in pictures)
    tags = [tag for tag, _ in page.seen]
    assert tags.count("table") == tags.count("caption")
    assert all(attributes.get("scope") for tag, attributes in page.seen if tag == "th")
    ids = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("form", FORMATS)
def test_the_page_says_what_the_session_was(form: str) -> None:
    text = render(session(note="the pager rang"), form)
    for word in ("shop", "unhealthy after 1.0 s", "the pager rang", "00:01.0", "refuse"):
        assert word in text


def test_the_command_is_one_that_brings_the_reader_there() -> None:
    opening = ev.SessionStarted(at=0, name="x", jar="lab checkout", command=["/opt/python", "-m", "service"])
    search = ev.SearchStarted(at=0, question=Question())
    assert command_of(report_of([opening])) == "belljar demo checkout"
    assert command_of(report_of([opening, search])) == "belljar minimize --lab checkout"
    assert command_of(report_of([msgspec.structs.replace(opening, drill="half")])) == "belljar drill half"


def test_a_session_that_was_damaged_says_so() -> None:
    report = report_of([ev.SessionStarted(at=0, name="x", jar="lab", command=[])], damage="line 3: damaged, not JSON.")
    assert all("line 3: damaged" in render(report, form) for form in FORMATS)


@given(st.text(max_size=60))
def test_nothing_in_a_document_is_a_tag_a_link_or_a_second_line(text: str) -> None:
    for written in (escaped(text), code(text)):
        assert "\n" not in written
    assert "<" not in escaped(text)
    assert not re.search(r"(?<!\\)[`|*\[\]]", re.sub(r"\\\\", "", escaped(text)))
    assert code(text).count("`") == 2
    assert "|" not in code(text)


@given(st.lists(events, max_size=10), st.text(max_size=30))
@settings(max_examples=60, deadline=None)
def test_the_diagrams_can_be_read_whatever_is_in_them(stream: list[ev.AnyEvent], name: str) -> None:
    for report in (report_of(stream), session(name or "x")):
        chart = mermaid.flowchart(report)
        assert not chart or FLOWCHART.parse(chart + "\n")
        for line in mermaid.gantt(report).splitlines()[3:]:
            assert re.fullmatch(
                r"  section [^:;#%{}]+|  [^:;#%{}]+ : (?:(?:crit|done|active|milestone), )?\d+, \d+(?:ms)?", line
            )


@given(st.lists(events, max_size=10))
@settings(max_examples=60, deadline=None)
def test_no_bar_leaves_the_picture(stream: list[ev.AnyEvent]) -> None:
    timeline = timeline_of(report_of(stream))
    for bar in [bar for lane in timeline.lanes for bar in lane.bars] if timeline else []:
        assert LEFT <= bar.x <= bar.x + bar.width <= WIDTH
        assert timeline is not None
        assert 0 <= bar.y <= bar.y + bar.height <= timeline.bottom
    graph = graph_of(report_of(stream))
    assert graph is None or all(0 <= box.y <= graph.height for box in graph.boxes)
