"""The parameters of a cut as a person types them: `delay_s=0.5 jitter_s=0.1`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from belljar_tui.core.commands import Cut
from belljar_tui.core.failures import FAILURES, why_no_cut
from belljar_tui.core.model import Dependency, Mode
from belljar_tui.errors import BadParameters


def parse_given(text: str, mode: Mode, dependency: str) -> dict[str, object]:
    """What a line gives to a cut of `dependency` in `mode`; an empty line gives nothing.

    Raises:
        BadParameters: the line is none, or says what the mode does not have; the message says what it has.
    """
    words = dict(_pair(word, mode) for word in text.replace(",", " ").split())
    try:
        cut = msgspec.convert({**words, "command": "cut", "dependency": dependency, "mode": mode}, Cut, strict=False)
    except msgspec.ValidationError as error:
        raise BadParameters(str(error), known(mode)) from None
    why = why_no_cut(Dependency.parse(dependency), mode, cut.given)
    if why:
        raise BadParameters(why, known(mode))
    return cut.given


def written(given: Mapping[str, object]) -> str:
    """`delay_s=0.5 jitter_s=0.1`"""
    return " ".join(f"{name}={value}" for name, value in given.items())


def known(mode: Mode) -> str:
    """The names that a mode has, for a person; empty when it has none."""
    return ", ".join(FAILURES[mode].parameters)


def _pair(word: str, mode: Mode) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    if not equals or name not in FAILURES[mode].parameters:
        raise BadParameters(f"{word!r} is no parameter of {mode}", known(mode))
    return name, value
