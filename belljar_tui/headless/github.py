"""What GitHub Actions shows of a verification: annotations on the profile's lines, and a table in the job's summary.

Formats: "Workflow commands for GitHub Actions", in GitHub's documentation; the escapes are those of actions/toolkit,
packages/core/src/command.ts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from belljar_tui.core.model import NAME_SERVICE
from belljar_tui.headless.verifying.result import Verdict, Verified

Place = tuple[str | int, ...]
LineOf = Callable[[str, Place], int]
"""The line of a place in the profile at a path; 1 when it is not known."""


def is_on(environment: Mapping[str, str]) -> bool:
    """Whether we run in a job of GitHub Actions."""
    return environment.get("GITHUB_ACTIONS") == "true"


def annotation(file: str, line: int, title: str, message: str) -> str:
    """One workflow command."""
    return f"::error file={_property(file)},line={line},title={_property(title)}::{_data(message)}"


def annotations_of(results: Sequence[Verified], line_of: LineOf, environment: Mapping[str, str]) -> Iterator[str]:
    """A workflow command for everything that does not hold, on the line it is about."""
    for result in results:
        if result.verdict is Verdict.HOLDS:
            continue
        file = _in_workspace(result.profile, environment)
        gone = result.no_longer_needed if result.members else []
        if result.verdict is not Verdict.DRIFTED:
            words = [result.claim, result.why, result.detail if result.detail != result.why else ""]
            title = f"{result.verdict}: {Path(result.profile).name}"
            yield annotation(file, line_of(result.profile, ("allow",)), title, "\n".join(filter(None, words)))
        for identity in result.new_dependencies:
            message = f"The service calls {_name(identity)}, which the profile does not know."
            yield annotation(file, line_of(result.profile, ("allow",)), f"new dependency: {identity}", message)
        for identity in gone:
            line = line_of(result.profile, ("allow", identity))
            yield annotation(file, line, f"no longer needed: {identity}", "The service is healthy without it.")


def summary(results: Sequence[Verified]) -> str:
    """The job's summary in Markdown."""
    rows = ["| profile | verdict | healthy after | new | no longer needed | |", "|---|---|---|---|---|---|"]
    for result in results:
        after = "" if result.healthy_after_s is None else f"{result.healthy_after_s:.1f} s"
        cells = (
            _code(result.profile),
            f"{'✅' if result.verdict is Verdict.HOLDS else '❌'} {result.verdict}",
            after,
            ", ".join(map(_code, result.new_dependencies)),
            ", ".join(map(_code, result.no_longer_needed if result.members else [])),
            _cell(result.detail or result.why) if not result.held else "",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(["### BellJar", "", *rows, "", ""])


def _in_workspace(path: str, environment: Mapping[str, str]) -> str:
    """As GitHub wants it: from the repository's root."""
    workspace = environment.get("GITHUB_WORKSPACE", "")
    full = Path(path).resolve()
    if workspace and full.is_relative_to(Path(workspace).resolve()):
        return str(full.relative_to(Path(workspace).resolve()))
    return path


def _name(identity: str) -> str:
    return "name service (dns:)" if identity == NAME_SERVICE else identity


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def _cell(text: str) -> str:
    """Text that stays in its cell and means nothing to Markdown or HTML."""
    text = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return "".join(f"\\{c}" if c in "\\|`*_[]" else c for c in text)


def _code(text: str) -> str:
    return f"`{' '.join(text.split()).replace('`', chr(39)).replace('|', chr(92) + '|')}`"
