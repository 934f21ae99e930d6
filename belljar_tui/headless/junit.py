"""A verification as JUnit XML: one suite, one case per profile, and per member with `--strict`.

The shape is the narrowest in use, that of Apache Ant (one `testsuite` as the root; `properties`, cases, `system-out`,
`system-err`, in this order), which Jenkins, GitLab, GitHub's reporters and others all read.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree as Xml

from belljar_tui.headless.verifying.result import Member, Need, Verdict, Verified

_NOT_XML = re.compile(r"[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters XML 1.0 has no way to write."""


def junit_xml(results: Sequence[Verified], *, started: str, version: str) -> bytes:
    """The whole file.

    Args:
        started: ISO 8601 without a zone, to the second.
        version: BellJar's.
    """
    cases = [case for result in results for case in _cases(result)]
    suite = Xml.Element(
        "testsuite",
        name="belljar verify",
        timestamp=started,
        hostname=platform.node() or "localhost",
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=_seconds(sum(float(case.get("time", 0)) for case in cases)),
    )
    properties = Xml.SubElement(suite, "properties")
    for name, value in _properties(results, version):
        Xml.SubElement(properties, "property", name=_clean(name), value=_clean(value))
    suite.extend(cases)
    Xml.SubElement(suite, "system-out").text = ""
    Xml.SubElement(suite, "system-err").text = ""
    Xml.indent(suite)
    content: bytes = Xml.tostring(suite, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def _properties(results: Sequence[Verified], version: str) -> Iterator[tuple[str, str]]:
    yield "belljar", version
    for result in results:
        yield f"{result.profile} claim", result.claim
        yield f"{result.profile} verdict", result.verdict
        if result.healthy_after_s is not None:
            yield f"{result.profile} healthy_after_s", f"{result.healthy_after_s:.3f}"
        if result.new_dependencies:
            yield f"{result.profile} new_dependencies", " ".join(result.new_dependencies)
        if result.no_longer_needed:
            yield f"{result.profile} no_longer_needed", " ".join(result.no_longer_needed)


def _cases(result: Verified) -> Iterator[Xml.Element]:
    case = _case("belljar.verify", result.profile, result.spent_s)
    if result.is_interrupted and not result.journal:
        Xml.SubElement(case, "skipped")
    elif result.is_interrupted or result.verdict in (Verdict.UNSEALED, Verdict.INCONCLUSIVE):
        kind = "interrupted" if result.is_interrupted else result.verdict
        _add(case, "error", kind, result.why, _told(result))
    elif result.verdict is not Verdict.HOLDS:
        message = result.detail if result.verdict is Verdict.BROKEN and result.detail else result.why
        _add(case, "failure", result.verdict, message, _told(result))
    yield case
    for member in result.members:
        yield _member_case(result, member)


def _member_case(result: Verified, member: Member) -> Xml.Element:
    case = _case(result.profile, f"{member.id} is still needed", member.spent_s)
    if member.need is Need.NO_LONGER_NEEDED:
        message = f"healthy without {member.id} after {member.healthy_after_s or 0:.1f} s"
        _add(case, "failure", member.need, message, f"Take it out of the profile's allow.\njournal: {member.journal}")
    elif member.need is not Need.NEEDED:
        _add(case, "error", member.need, member.detail, f"journal: {member.journal}")
    return case


def _case(group: str, name: str, spent_s: float) -> Xml.Element:
    return Xml.Element("testcase", classname=_clean(group), name=_clean(name), time=_seconds(spent_s))


def _add(case: Xml.Element, tag: str, kind: str, message: str, text: str) -> None:
    Xml.SubElement(case, tag, type=kind, message=_clean(message)).text = _clean(text)


def _told(result: Verified) -> str:
    lines = [result.claim, result.why, f"the check says: {result.detail}" if result.detail else ""]
    lines += [f"blocked: {identity} ({count})" for identity, count in sorted(result.blocked.items())]
    lines += [f"new: {identity}" for identity in result.new_dependencies]
    lines += [f"no longer needed: {identity}" for identity in result.no_longer_needed]
    lines += [f"│ {line}" for line in result.log]
    lines.append(f"journal: {result.journal}" if result.journal else "")
    return "\n".join(line for line in lines if line)


def _seconds(value: float) -> str:
    return f"{value:.3f}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("�", text)
