"""Drills on disk: YAML for people, checked to the last field."""

from __future__ import annotations

from pathlib import Path

import msgspec

from belljar_tui.core.drill import VERSION, Drill, flaws
from belljar_tui.errors import BadDrill
from belljar_tui.journal import yaml_file
from belljar_tui.labs import WORLDS

FORM = yaml_file.recorded_form(Drill, "drill", VERSION, BadDrill, "belljar drill --make JOURNAL -o FILE")


def read_drill(path: Path) -> Drill:
    """Raises BadDrill: the message has the line, what is wrong and what to do."""
    drill, document = yaml_file.read(path, FORM)
    lab = WORLDS.get(drill.lab)
    if lab is None:
        where = f"line {document.line_of(('lab',))}"
        raise BadDrill(str(path), where, f"there is no lab {drill.lab!r}.", f"The labs are: {', '.join(WORLDS)}.")
    for flaw in flaws(drill, lab.hosts, lab.dependencies, can_be_cold=lab.can_be_cold):
        where = f"line {document.line_of(flaw.path)}"
        raise BadDrill(str(path), where, yaml_file.sentence(flaw.why), flaw.remedy)
    return drill


def write_drill(path: Path, drill: Drill) -> None:
    """Raises BadDrill when the file cannot be written."""
    yaml_file.write(path, drill_text(drill), FORM)


def drill_text(drill: Drill) -> str:
    """The file's text, every field in its order."""
    return yaml_file.dumped(msgspec.to_builtins(drill))
