"""A drill: a fault to find, what it teaches, and how finding it is scored. Pure: the clock and the health that was seen
are given. Reading the file is `journal.drill_file`; making the fault is the lab's world, `labs.faults`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Annotated, Literal

import msgspec

from belljar_tui.core.model import NAME_SERVICE, Dependency, Health, How
from belljar_tui.core.profile import Flaw, Part
from belljar_tui.core.state import State
from belljar_tui.errors import BadDependencyId, UsageError

VERSION = 1
"""The drill's format."""
NAME = "^[a-z0-9][a-z0-9-]*$"
FULL = 100
HINT_COSTS, WRONG_COSTS = 15, 25
"""Points, off the full hundred."""
SETTLED_S = 8.0
"""A cut has shown what it does by then; a prediction is judged by health at that moment, or before the next change."""
_ELSEWHERE = "dns"
"""What the world calls the host of the name service."""


class Fault(Part, frozen=True, kw_only=True):
    """What the lab's world breaks."""

    host: Annotated[str, msgspec.Meta(min_length=1)]
    """One of the lab's hosts, `auth.lab`; `dns` for the name service."""
    how: How
    after_s: Annotated[float, msgspec.Meta(ge=0, le=600)] = 0.0
    """Seconds after the world was made."""
    delay_s: Annotated[float, msgspec.Meta(ge=0, le=60)] = 0.0
    """Of each answer, with slow."""

    def __str__(self) -> str:
        delay = f":{self.delay_s:g}" if self.delay_s else ""
        return f"{self.host}={self.how}{delay}@{self.after_s:g}"

    @classmethod
    def parse(cls, text: str) -> Fault:
        """What `str` made. Raises ValueError."""
        host, _, rest = text.partition("=")
        kind, _, after = rest.partition("@")
        how, _, delay = kind.partition(":")
        return cls(host=host, how=How(how), after_s=float(after or 0), delay_s=float(delay or 0))


class Culprit(Part, frozen=True, kw_only=True):
    """The answer."""

    dependency: str
    """Its id; where several are one knot, any of `others` is as right."""
    how: How
    others: tuple[str, ...] = ()


class Drill(Part, frozen=True, kw_only=True, omit_defaults=False):
    """The file. Field order is the file's order."""

    belljar_drill: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    """The format's version."""
    name: Annotated[str, msgspec.Meta(pattern=NAME)]
    lab: str
    """The built-in lab whose world is broken."""
    teaches: str
    """In a line, for the list."""
    minutes: Annotated[int, msgspec.Meta(ge=1, le=240)]
    """How long somebody may need who has not seen it."""
    level: Literal["easy", "middling", "hard"]
    briefing: str
    """What the oncaller is told."""
    faults: Annotated[tuple[Fault, ...], msgspec.Meta(min_length=1)]
    """What is broken, all of it."""
    culprit: Culprit
    hints: tuple[str, ...] = ()
    """From vague to plain."""
    shortest: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    """The shortest way to the answer, step by step."""


def flaws(drill: Drill, hosts: Collection[str], dependencies: Collection[str], *, can_be_cold: bool) -> Iterator[Flaw]:
    """Everything wrong with a well-typed drill in a lab of these hosts and dependencies, in the file's order."""
    for index, fault in enumerate(drill.faults):
        if fault.host not in hosts and fault.host != _ELSEWHERE:
            yield Flaw(("faults", index, "host"), f"there is no host {fault.host} in this lab", _there_are(hosts))
        if (fault.how is How.SLOW) != (fault.delay_s > 0):
            yield Flaw(("faults", index), "slow goes with delay_s, and only slow does", "Write delay_s: SECONDS")
        if fault.host == _ELSEWHERE and fault.how is not How.HANG:
            yield Flaw(("faults", index, "how"), "the name service can only hang", "Write how: hang")
        if fault.how is How.COLD and not can_be_cold:
            yield Flaw(("faults", index, "how"), "no host of this lab waits for another", "Use the lab bootstrap.")
        if is_datagrams(fault.host, dependencies) and (fault.how is not How.DEAD or fault.after_s):
            why = "a host of datagrams can only be dead, from the beginning"
            yield Flaw(("faults", index, "how"), why, "Write how: dead, without after_s")
    named = [("dependency", drill.culprit.dependency), *(("others", each) for each in drill.culprit.others)]
    for field, text in named:
        try:
            is_known = str(Dependency.parse(text)) in dependencies
        except BadDependencyId as error:
            yield Flaw(("culprit", field), error.what, error.remedy)
            continue
        if not is_known:
            yield Flaw(("culprit", field), f"{text} is not in this lab", _there_are(dependencies))


def _there_are(names: Collection[str]) -> str:
    return f"There are: {', '.join(sorted(names))}."


def dependency_at(host: str, dependencies: Collection[str]) -> str | None:
    """The id of what a fault's host is to the service."""
    if host == _ELSEWHERE:
        return NAME_SERVICE
    return next((each for each in dependencies if Dependency.parse(each).host == host), None)


def is_datagrams(host: str, dependencies: Collection[str]) -> bool:
    """Whether the host speaks UDP."""
    return (dependency_at(host, dependencies) or "").startswith("udp://")


class Guess(msgspec.Struct, frozen=True):
    """What somebody thinks it is."""

    at: float
    dependency: str
    how: How
    is_right: bool


class Foretold(msgspec.Struct, frozen=True):
    """What somebody said before a cut."""

    at: float
    dependency: str
    breaks: bool
    sure: float
    """0.5 to 1."""


class Calibration(msgspec.Struct, frozen=True):
    """How well cuts were foretold."""

    count: int
    right: int
    brier: float
    """Mean square of what was said to be sure and was not: 0 is perfect, 0.25 is tossing a coin."""

    def __str__(self) -> str:
        return f"{self.right} of {self.count} right, Brier score {self.brier:.2f} (0 is perfect, 0.25 a coin)"


class Game(msgspec.Struct, frozen=True):
    """One play of a drill (None: a session in which only cuts are foretold). Immutable, as the state is."""

    drill: Drill | None = None
    hints: int = 0
    guesses: tuple[Guess, ...] = ()
    foretold: tuple[Foretold, ...] = ()
    has_given_up: bool = False

    @property
    def is_found(self) -> bool:
        return any(guess.is_right for guess in self.guesses)

    @property
    def is_over(self) -> bool:
        return self.is_found or self.has_given_up

    @property
    def score(self) -> int:
        """Points; nothing for a fault that was not found."""
        wrong = sum(not guess.is_right for guess in self.guesses)
        return max(1, FULL - HINT_COSTS * self.hints - WRONG_COSTS * wrong) if self.is_found else 0

    def hinted(self) -> tuple[Game, str]:
        """The game with one hint more, and the hint. Raises UsageError when there is none left."""
        hints = self.drill.hints if self.drill is not None else ()
        if self.hints >= len(hints):
            raise UsageError("There is no further hint.")
        return msgspec.structs.replace(self, hints=self.hints + 1), hints[self.hints]

    def guessed(self, dependency: str, how: How, at: float) -> Game:
        """Raises BadDependencyId; UsageError where there is nothing to guess."""
        if self.drill is None:
            raise UsageError("This session is no drill.", remedy="Choose one: belljar drill")
        identity, culprit = str(Dependency.parse(dependency)), self.drill.culprit
        names = {str(Dependency.parse(each)) for each in (culprit.dependency, *culprit.others)}
        guess = Guess(at, identity, how, identity in names and how is culprit.how)
        return msgspec.structs.replace(self, guesses=(*self.guesses, guess))

    def calibration(self, state: State, changes: Sequence[float]) -> Calibration | None:
        """None where nothing was foretold. `changes`: when cuts were made or restored."""
        if not self.foretold:
            return None
        errors = []
        right = 0
        for said in self.foretold:
            until = min([said.at + SETTLED_S, *(at for at in changes if at > said.at + 0.5), state.at])
            broke = _health_at(state, until) is not Health.HEALTHY
            right += broke is said.breaks
            chance = said.sure if said.breaks else 1 - said.sure
            errors.append((chance - broke) ** 2)
        return Calibration(len(errors), right, sum(errors) / len(errors))


def _health_at(state: State, moment: float) -> Health:
    health = Health.UNKNOWN
    for span in state.health_spans:
        if span.at > moment:
            break
        health = span.health
    return health
