"""The profiles an order is made of: found in folders, read, and checked against one another."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec

from belljar_tui.core.order.plan import Source, source_of
from belljar_tui.core.profile import Profile
from belljar_tui.errors import BadDependencyId, BadProfile
from belljar_tui.journal.profile_file import line_in, read_profile

ENDINGS = (".belljar.yaml", ".belljar.yml")


class Entry(msgspec.Struct, frozen=True):
    path: str
    profile: Profile
    source: Source


class Reading(msgspec.Struct, frozen=True):
    counted: tuple[Entry, ...]
    """The cold ones, each name once."""
    steady: tuple[Entry, ...]
    """They say what a running service needs, and nothing of its start."""
    problems: tuple[BadProfile, ...]
    notes: tuple[str, ...]


def read_all(paths: Sequence[str]) -> Reading:
    """Everything that can be read of these profiles and folders, and every problem with the rest."""
    entries: list[Entry] = []
    problems: list[BadProfile] = []
    for path in _each_once(_found(paths, problems)):
        try:
            entries.append(_entry(path))
        except BadProfile as error:
            problems.append(error)
    cold = [entry for entry in entries if entry.profile.recovery.kind == "cold"]
    steady = [entry for entry in entries if entry.profile.recovery.kind != "cold"]
    notes: list[str] = []
    counted = tuple(_each_name_once(cold, problems, notes))
    return Reading(counted, tuple(steady), tuple(problems), tuple(notes))


def _found(paths: Sequence[str], problems: list[BadProfile]) -> Iterator[Path]:
    for given in paths:
        path = Path(given)
        if not path.is_dir():
            yield path
            continue
        inside = sorted(_profiles_in(path))
        yield from inside
        if not inside:
            problems.append(_empty(path))


def _profiles_in(folder: Path) -> Iterator[Path]:
    """In all of it but hidden folders, and without following links to folders."""
    for here, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(here, name) for name in files if name.endswith(ENDINGS))


def _empty(folder: Path) -> BadProfile:
    others = sum(1 for one in folder.iterdir() if one.suffix in (".yaml", ".yml"))
    remedy = f"Profiles in folders end in {ENDINGS[0]}."
    if others:
        remedy += f" There {'is' if others == 1 else 'are'} {others} other YAML here: give it by its name."
    return BadProfile(str(folder), "", "there is no profile in this folder.", remedy)


def _each_once(paths: Iterable[Path]) -> Iterator[Path]:
    seen: set[Path] = set()
    for path in paths:
        try:
            real = path.resolve()
        except (OSError, RuntimeError):
            real = path
        if real not in seen:
            seen.add(real)
            yield path


def _entry(path: Path) -> Entry:
    profile = read_profile(path)
    _require_shown(path, ("name",), [profile.name])
    _require_shown(path, ("allow",), profile.allow)
    _require_shown(path, ("evidence",), [one for other in profile.evidence.working_sets for one in other])
    try:
        return Entry(str(path), profile, source_of(profile))
    except BadDependencyId as error:
        line = line_in(path, ("evidence", "working_sets"))
        raise BadProfile(str(path), f"line {line}", f"evidence.working_sets: {error.what}", error.remedy) from error


def _require_shown(path: Path, place: tuple[str, ...], texts: Iterable[str]) -> None:
    """Names and ids go to terminals and into many files: there a control character would act, not show."""
    for text in texts:
        if not text.isprintable():
            line = f"line {line_in(path, place)}"
            raise BadProfile(str(path), line, f"{text!a} has a character that cannot be shown.", "Leave it out.")


def _each_name_once(cold: Sequence[Entry], problems: list[BadProfile], notes: list[str]) -> Iterator[Entry]:
    """The first of each name; the others are problems, unless they say the same."""
    first: dict[str, Entry] = {}
    for entry in cold:
        other = first.setdefault(entry.profile.name.lower(), entry)
        if other is entry:
            yield entry
        elif _contract(entry) == _contract(other):
            notes.append(f"{entry.path} says the same of {entry.profile.name} as {other.path}; it is counted once.")
        else:
            problems.append(_clash(entry, other))


def _contract(entry: Entry) -> tuple[object, ...]:
    profile = entry.profile
    return (profile.name, profile.lab, profile.service, profile.recovery, profile.healthy, set(entry.source.sets))


def _clash(entry: Entry, other: Entry) -> BadProfile:
    there = f"{other.path}: line {line_in(Path(other.path), ('name',))}"
    one, same = entry.profile, other.profile
    is_same_program = (one.lab, one.service.command) == (same.lab, same.service.command)
    if not is_same_program:
        line = line_in(Path(entry.path), ("name",))
        why = f"another service is called {same.name} already: {there}."
        return BadProfile(entry.path, f"line {line}", why, "Give each service a name of its own.")
    line = line_in(Path(entry.path), ("allow",))
    why = f"it contradicts {there}, which says something else of {same.name}."
    remedy = "Keep the one that is true; belljar diff says what is different."
    return BadProfile(entry.path, f"line {line}", why, remedy)
