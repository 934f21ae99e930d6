"""Parameters as a person types them: of a cut `delay_s=0.5 jitter_s=0.1`, of trials `refuse,slow:delay_s=2`."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from belljar_tui.core.commands import Cut
from belljar_tui.core.failures import FAILURES, SEALING, why_no_cut
from belljar_tui.core.model import Dependency, Mode, Settings
from belljar_tui.errors import BadParameters, UsageError

TrialModes = dict[Mode, Settings]
"""How cuts fail in trials, with their parameters. The set is found in the first."""
_ANYBODY = "tcp://any:1"


def parse_modes(text: str) -> TrialModes:
    """`refuse,dns,slow:delay_s=2:jitter_s=0.5`

    Raises:
        UsageError: a word is no mode, or says what the mode does not have, or the first cannot seal.
    """
    modes: TrialModes = {}
    for word in text.split(","):
        name, *words = word.strip().split(":")
        if name not in list(Mode):
            raise UsageError(f"{name!r} is not a mode. They are: {', '.join(FAILURES)}.")
        given = parse_given(" ".join(words), Mode(name), _ANYBODY)
        modes.setdefault(Mode(name), msgspec.convert(given, Settings))
    first = next(iter(modes))
    if first not in SEALING or modes[first] != Settings():
        known = ", ".join(SEALING)
        word = text.partition(",")[0].strip()
        raise UsageError(f"The set is found in the first mode, and {word} cannot seal. The first can be: {known}.")
    return modes


def set_apart(modes: TrialModes) -> dict[Mode, Settings]:
    """Those whose parameters are not the defaults."""
    return {mode: own for mode, own in modes.items() if own != Settings()}


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
