"""Profiles on disk: YAML for people, checked to the last field, written whole or not at all."""

from __future__ import annotations

import textwrap
from pathlib import Path

import msgspec

from belljar_tui.core.profile import VERSION, Profile, claim_of
from belljar_tui.core.profile_flaws import flaws
from belljar_tui.errors import BadProfile
from belljar_tui.journal import yaml_file
from belljar_tui.journal.profile_migrate import migrated
from belljar_tui.journal.yaml_text import Place

FORM = yaml_file.Form(
    kind=Profile,
    noun="profile",
    field="belljar",
    version=VERSION,
    error=BadProfile,
    remedy="Is it a profile (NAME.belljar.yaml) that BellJar wrote?",
    missing="Save one from a session first: press s in the explorer, or give it the path it has.",
    migrated=migrated,
)


def read_profile(path: Path) -> Profile:
    """The profile at `path`, brought up to the present format.

    Raises:
        BadProfile: it cannot be read or is not a profile; the message has the line, what is wrong and what to do.
    """
    profile, document = yaml_file.read(path, FORM)
    for flaw in flaws(profile):
        where = f"line {document.line_of(flaw.path)}"
        raise BadProfile(str(path), where, yaml_file.sentence(flaw.why), flaw.remedy)
    return profile


def line_in(path: Path, place: Place) -> int:
    """The line of `place` in the file at `path`; a member of a list may be named by its value. 1: not known."""
    try:
        document = yaml_file.document_at(path, FORM)
    except BadProfile:
        return 1
    if len(place) == 2 and isinstance(place[1], str) and isinstance(document.value, dict):
        values = document.value.get(str(place[0]))
        if isinstance(values, list):
            place = (place[0], values.index(place[1])) if place[1] in values else place[:1]
    return document.line_of(place, is_key=True)


def write_profile(path: Path, profile: Profile) -> None:
    """Write `profile` to `path` with its claim brought up to date: the whole new file, or the old one untouched.

    Raises:
        BadProfile: the file cannot be written.
    """
    yaml_file.write(path, profile_text(profile), FORM)


def profile_text(profile: Profile) -> str:
    """The file's text: the claim as a comment, then every field in its order."""
    profile = msgspec.structs.replace(profile, claim=claim_of(profile))
    built = {key: value for key, value in msgspec.to_builtins(profile).items() if value is not None}
    return commented(profile.claim, "Prove it again: belljar verify FILE", yaml_file.dumped(built))


def commented(claim: str, remedy: str, body: str) -> str:
    """A file that opens with its claim."""
    printable = "".join(c if c.isprintable() else " " for c in claim)
    comment = textwrap.wrap(printable, 116, initial_indent="# ", subsequent_indent="# ")
    return "\n".join([*comment, f"# {remedy}", "", body])
