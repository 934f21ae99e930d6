"""An outage as a script: what is cut and restored when, and what health must do meanwhile. Pure: which commands are
due, and whether what the fold saw is what was expected. Reading and writing the file is `journal.scenario_file`.

0 s is the service's start (`clock: start`), or the moment it was first healthy (`clock: healthy`). Cuts at 0 s of a
start are in force before the service's first packet.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec

from belljar_tui.core import commands as cmd
from belljar_tui.core.failures import why_no_cut, why_no_seal
from belljar_tui.core.model import Dependency, Health, Mode, Seal, Wanted
from belljar_tui.core.profile import Flaw, Part
from belljar_tui.core.state import State
from belljar_tui.errors import BadDependencyId

VERSION = 1
"""The scenario's format."""
ALL = "all"
VERBS = ("cut", "restore", "seal", "note", "expect")

Moment = Annotated[float, msgspec.Meta(ge=0)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]


class Step(Part, frozen=True, kw_only=True):
    """One line of the script: when, and one of cut, restore, seal, note, expect."""

    at: Moment | None = None
    """Seconds on the scenario's clock."""
    cut: str | None = None
    """The id of the dependency to cut."""
    mode: Mode | None = None
    """How the cut, or the vacuum seal, fails; refuse where it is not said."""
    settings: dict[str, Any] = msgspec.field(default={}, name="with")
    """Further parameters of the cut, as its command takes them."""
    restore: str | None = None
    """The id of the dependency to restore, or `all`."""
    seal: Seal | None = None
    """`vacuum` cuts whatever nobody decided about, `open` ends that."""
    open: tuple[str, ...] = ()
    """Ids that stay open under a vacuum seal."""
    note: str | None = None
    """Words for the journal."""
    expect: Health | None = None
    """What health must be at `by`."""
    by: Moment | None = None
    """When an expectation is judged."""
    since: Moment | None = None
    """With `expect`: it must have been so from then on, without a break."""

    @property
    def verbs(self) -> list[str]:
        return [verb for verb in VERBS if getattr(self, verb) is not None]

    @property
    def moment(self) -> float:
        """When it is due, or judged."""
        return (self.by if self.expect is not None else self.at) or 0.0


class Scenario(Part, frozen=True, kw_only=True, omit_defaults=False):
    """The script. Field order is the file's order."""

    claim: str = ""
    """The script as a sentence, written anew with every save."""
    belljar_scenario: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    """The format's version."""
    name: Annotated[str, msgspec.Meta(min_length=1)]
    """What the outage is called."""
    clock: Literal["start", "healthy"] = "start"
    """What 0 s is: the service's start, or when it was first healthy."""
    healthy_within_s: Seconds = 60.0
    """With `clock: healthy`: how long after its start the service may take to be healthy for the first time."""
    steps: tuple[Step, ...]
    """In the order they happen."""

    @property
    def ends_s(self) -> float:
        """When the last step is due or judged, on the scenario's clock."""
        return max((step.moment for step in self.steps), default=0.0)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an expectation."""

    step: int
    """1 for the scenario's first."""
    expect: Health
    by: float
    since: float | None
    health: Health | None
    """What it was at `by`; None: the session did not get that far."""
    met: bool
    words: str


def flaws(scenario: Scenario) -> Iterator[Flaw]:
    """Everything wrong with a well-typed scenario, in the file's order."""
    if not scenario.steps:
        yield Flaw(("steps",), "there is no step", "Add one: - {at: 0, cut: tcp://auth:9000, mode: blackhole}")
    latest = 0.0
    for index, step in enumerate(scenario.steps):
        yield from (Flaw(("steps", index, *flaw.path), flaw.why, flaw.remedy) for flaw in _step_flaws(step))
        if step.moment < latest:
            field = "by" if step.expect is not None else "at"
            why = f"{step.moment:g} s is in the past: the step before is at {latest:g} s"
            yield Flaw(("steps", index, field), why, "Write the steps in the order they happen.")
        latest = max(latest, step.moment)


def command_of(step: Step) -> cmd.AnyCommand | None:
    """What a step asks for; None for an expectation. Raises msgspec.ValidationError for parameters no cut has."""
    if step.cut is not None:
        mode = {} if step.mode is None else {"mode": step.mode}
        return msgspec.convert({**step.settings, **mode, "command": "cut", "dependency": _id(step.cut)}, cmd.Cut)
    if step.restore is not None:
        return cmd.RestoreAll() if step.restore == ALL else cmd.Restore(_id(step.restore))
    if step.seal is not None:
        return cmd.SealWith(step.seal, step.mode or Mode.REFUSE, frozenset(map(_id, step.open)))
    return cmd.Note(step.note) if step.note is not None else None


def first_wanted(scenario: Scenario, wanted: Wanted) -> Wanted:
    """The state to start the service in: what is due at its start is in force before its first packet."""
    for command in _at_the_start(scenario):
        wanted = cmd.changed(wanted, command)
    return wanted


def due(scenario: Scenario) -> list[tuple[float, cmd.AnyCommand]]:
    """What is to be done and when, on the scenario's clock, without what the service is started in."""
    rest = scenario.steps[len(_at_the_start(scenario)) :]
    return [(step.moment, command) for step in rest if (command := command_of(step)) is not None]


def zero_of(scenario: Scenario, state: State) -> float | None:
    """When 0 s was, on the session's clock; None: not yet."""
    if state.service_pid is None:
        return None
    if scenario.clock == "start":
        return state.service_started_at
    return next((one.at for one in state.health_spans if one.health is Health.HEALTHY), None)


def judged(scenario: Scenario, state: State) -> list[Judged]:
    """Every expectation against the health that was seen."""
    zero = zero_of(scenario, state)
    steps = enumerate(scenario.steps, 1)
    return [_judged(number, step, state, zero) for number, step in steps if step.expect is not None]


def never_called(scenario: Scenario, called: frozenset[str]) -> list[tuple[int, str]]:
    """Steps (1 for the first) that cut what the service never called: the outage was another than the script's."""
    cuts = [(number, _id(step.cut)) for number, step in enumerate(scenario.steps, 1) if step.cut is not None]
    if any(Dependency.parse(one).label == "name service" for _, one in cuts):
        return []  # without names it gets no further
    return [(number, one) for number, one in cuts if one not in called]


def claim_of(scenario: Scenario) -> str:
    """The script as a sentence: `outage: at 0 s cut auth, blackhole; at 60 s restore all; expect healthy by 90 s`."""
    clock = "its start" if scenario.clock == "start" else "the moment it is first healthy"
    return f"{scenario.name}, counted from {clock}: {'; '.join(map(words_of, scenario.steps))}"


def words_of(step: Step) -> str:
    """One step in words."""
    if step.expect is not None:
        since = f" from {step.since:g} s" if step.since is not None else ""
        return f"expect {step.expect}{since} by {step.moment:g} s"
    at = f"at {step.moment:g} s "
    if step.cut is not None:
        given = "".join(f", {name} {value}" for name, value in step.settings.items())
        return f"{at}cut {step.cut}, {step.mode or Mode.REFUSE}{given}"
    if step.restore is not None:
        return f"{at}restore {step.restore}"
    return f"{at}seal {step.seal}" if step.seal is not None else f"{at}note"


def _at_the_start(scenario: Scenario) -> list[cmd.Change]:
    """The leading changes at 0 s, where 0 s is the service's start."""
    first: list[cmd.Change] = []
    for step in scenario.steps if scenario.clock == "start" else ():
        command = command_of(step)
        if step.moment > 0 or not isinstance(command, cmd.Change):
            break
        first.append(command)
    return first


def _id(text: str) -> str:
    return str(Dependency.parse(text))


def _step_flaws(step: Step) -> Iterator[Flaw]:
    if len(step.verbs) != 1:
        why = f"a step does one thing, and this one has {' and '.join(step.verbs) or 'nothing to do'}"
        yield Flaw((), why, f"It can have one of: {', '.join(VERBS)}.")
        return
    yield from _time_flaws(step)
    for field, texts in (("cut", (step.cut,)), ("restore", (step.restore,)), ("open", step.open)):
        for text in texts:
            if text is None or (field == "restore" and text == ALL):
                continue
            try:
                _id(text)
            except BadDependencyId as error:
                yield Flaw((field,), error.what, error.remedy)
                return
    try:
        command = command_of(step)
    except msgspec.ValidationError as error:
        yield Flaw(("with",), f"a cut has no such parameter: {error}")
        return
    why = _why_not(command)
    if why:
        yield Flaw(("with",) if step.settings else ("mode",), why)


def _why_not(command: cmd.AnyCommand | None) -> str:
    """Why the mode of a change cannot be; empty when it can."""
    match command:
        case cmd.Cut():
            return why_no_cut(Dependency.parse(command.dependency), command.mode, command.given)
        case cmd.SealWith(Seal.VACUUM, mode):
            return why_no_seal(mode)
    return ""


def _time_flaws(step: Step) -> Iterator[Flaw]:
    wanted, other = ("by", "at") if step.expect is not None else ("at", "by")
    if getattr(step, other) is not None:
        yield Flaw((other,), f"a step that has {step.verbs[0]} is timed with {wanted}", f"Write {wanted}: SECONDS")
    elif getattr(step, wanted) is None:
        yield Flaw((), f"a step that has {step.verbs[0]} says when", f"Write {wanted}: SECONDS")
    if step.since is not None and (step.expect is None or step.since > step.moment):
        yield Flaw(("since",), "since goes with expect, and comes before by")
    for field in ("at", "by", "since"):
        value = getattr(step, field)
        if value is not None and not math.isfinite(value):
            yield Flaw((field,), f"{value} is not a number of seconds")
    if step.settings and step.cut is None:
        yield Flaw(("with",), "with goes with cut")
    if step.mode is not None and step.cut is None and step.seal is None:
        yield Flaw(("mode",), "mode goes with cut or seal")


def _judged(number: int, step: Step, state: State, zero: float | None) -> Judged:
    assert step.expect is not None
    by = step.moment
    said = words_of(step).replace("expect", "expected", 1)
    health: Health | None = None
    if zero is None:
        why = "the scenario's clock never began"
    elif state.at < zero + by:
        why = f"the session ended at {state.at - zero:.1f} s"
    else:
        health, at, detail = _health_at(state, zero + by)
        why = f"{health} since {max(at - zero, 0):.1f} s" + (f", {detail}" if detail else "")
    is_met = health is step.expect
    if is_met and zero is not None and step.since is not None:
        broken = _break(step.expect, state, zero + step.since, zero + by)
        if broken is not None:
            is_met, why = False, f"it was {broken[0]} at {broken[1] - zero:.1f} s"
    return Judged(
        step=number, expect=step.expect, by=by, since=step.since, health=health, met=is_met, words=f"{said}: {why}"
    )


def _health_at(state: State, moment: float) -> tuple[Health, float, str]:
    """Health at a moment, since when, and the check's words."""
    found = (Health.UNKNOWN, 0.0, "")
    for one in state.health_spans:
        if one.at > moment:
            break
        found = (one.health, found[1] if one.health is found[0] else one.at, one.detail)
    return found


def _break(expected: Health, state: State, since: float, by: float) -> tuple[Health, float] | None:
    """The first moment within the time at which health was something else."""
    if (first := _health_at(state, since)[0]) is not expected:
        return first, since
    within = (one for one in state.health_spans if since < one.at <= by and one.health is not expected)
    return next(((one.health, one.at) for one in within), None)
