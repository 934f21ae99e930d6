"""Scenarios on disk: YAML for people, checked to the last field, written whole or not at all."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from pathlib import Path

import msgspec

from belljar_tui.core.model import Dependency
from belljar_tui.core.scenario import ALL, VERSION, Scenario, claim_of, flaws
from belljar_tui.errors import BadScenario
from belljar_tui.journal import yaml_file
from belljar_tui.journal.profile_file import commented

FORM = yaml_file.recorded_form(Scenario, "scenario", VERSION, BadScenario, "belljar scenario JOURNAL -o FILE")


def read_scenario(path: Path, known: Collection[str] = ()) -> Scenario:
    """The scenario at `path`.

    Args:
        known: every dependency there is, where that is known: a lab's. A step about another is an error.

    Raises:
        BadScenario: it cannot be read or is not a scenario; the message has the line, what is wrong and what to do.
    """
    scenario, document = yaml_file.read(path, FORM)
    for flaw in flaws(scenario):
        where = f"line {document.line_of(flaw.path)}"
        raise BadScenario(str(path), where, yaml_file.sentence(flaw.why), flaw.remedy)
    for place, text in _named(scenario) if known else ():
        identity = str(Dependency.parse(text))
        if identity not in known:
            near = difflib.get_close_matches(identity, known, n=1) or sorted(known)
            remedy = f"Did you mean {near[0]}?" if len(near) == 1 else f"There are: {', '.join(near)}."
            raise BadScenario(str(path), f"line {document.line_of(place)}", f"{text} is not in this lab.", remedy)
    return scenario


def _named(scenario: Scenario) -> list[tuple[tuple[str | int, ...], str]]:
    """Every dependency a step names, and where."""
    named: list[tuple[tuple[str | int, ...], str]] = []
    for index, step in enumerate(scenario.steps):
        for field, text in (("cut", step.cut), ("restore", step.restore), *(("open", one) for one in step.open)):
            if text is not None and text != ALL:
                named.append((("steps", index, field), text))
    return named


def line_of_step(path: Path, number: int) -> int:
    """The line of a step, 1 for the first."""
    try:
        return yaml_file.document_at(path, FORM).line_of(("steps", number - 1))
    except BadScenario:
        return 1


def write_scenario(path: Path, scenario: Scenario) -> None:
    """Raises BadScenario when the file cannot be written."""
    yaml_file.write(path, scenario_text(scenario), FORM)


def scenario_text(scenario: Scenario) -> str:
    """The file's text: the claim as a comment, then every field in its order."""
    scenario = msgspec.structs.replace(scenario, claim=claim_of(scenario))
    built = msgspec.to_builtins(scenario)
    return commented(
        scenario.claim,
        "Run it: belljar run --scenario FILE … -- COMMAND; in a lab: belljar demo --scenario FILE",
        yaml_file.dumped(built),
    )
