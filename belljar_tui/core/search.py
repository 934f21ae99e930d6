"""Finds the minimal working set: which trials are wanted next, and what the outcomes so far amount to.

Pure, no clock, no I/O, no memory of its own: `plan(question, outcomes, at_most)` reads the outcomes from the start each
time. A search that was killed goes on from what was written down, in any order, without repeating a trial.

    1. everything open         never healthy even so: there is nothing to find
    2. vacuum and unfolding    open what is called in vain, until it is healthy (where blocked calls are seen)
    3. sweep                   each dependency cut by itself, side by side
    4. essentials alone        what the sweep found needed; not enough: there are fallbacks
    5. siblings, gallop        pairs that look alike; then blocks of 1, 2, 4 ..., and a binary search where one breaks
    6. confirmation            the set itself passes; without any one of it, it does not
    7. reasons                 modes, and the cut sets behind every member

The set is minimal for a service that more open dependencies never hurt. Outcomes that contradict this are reported, and
from then on nothing is inferred: the set is reached by single steps, each tried.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum

import msgspec

from belljar_tui.core import cut_sets as cs
from belljar_tui.core.evidence import Evidence, Ids
from belljar_tui.core.model import Dependency, Mode
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict
from belljar_tui.errors import BellJarError

HEALTHY, BROKEN = TrialVerdict.HEALTHY, TrialVerdict.BROKEN
DOUBTED = 3
"""How often a failure is tried before it is believed against other evidence, and an inconclusive one before we stop."""


class Phase(StrEnum):
    """What a trial is for."""

    BASELINE = "everything open"
    VACUUM = "vacuum"
    UNFOLD = "unfolding"
    SWEEP = "one cut"
    ESSENTIALS = "essentials alone"
    SIBLINGS = "look-alikes"
    GALLOP = "blocks"
    CONFIRM = "confirmation"
    MODES = "modes"
    REASONS = "cut sets"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be found out."""

    candidates: tuple[str, ...] = ()
    """Ids known beforehand; more may show up where calls are seen."""
    has_evidence: bool = True
    """Whether outcomes say what was called and what met a cut."""
    modes: tuple[Mode, ...] = (Mode.REFUSE,)
    """The first is how the set is sealed; the table has all of them."""
    stay_open: frozenset[str] = frozenset()
    """Never cut; not counted into the set."""
    stay_cut: frozenset[str] = frozenset()
    """Never opened, but for the trial with everything open."""
    prefer: tuple[str, ...] = ()
    """Where one of several will do, the earlier here is kept."""
    retries: int = 0
    """A member's necessity rests on this many failed trials more than one."""
    has_sweep: bool = True
    """Cut each by itself, even where the set alone could be found with fewer trials."""
    has_reasons: bool = True
    """Find the cut sets behind the members."""
    is_all: bool = False
    """Find every minimal working set and every minimal cut set."""
    is_direct: bool = False
    """Infer nothing: every claim is a trial of its own."""
    limit: int = 64
    """With `is_all`: stop at this many sets."""


class Conclusion(StrEnum):
    FOUND = "found"
    NEVER_HEALTHY = "never healthy"
    """Not even with everything open."""
    INCONCLUSIVE = "inconclusive"
    """A trial failed to say anything, several times over."""


class Conflict(msgspec.Struct, frozen=True):
    """More was open, and it was worse."""

    passed: tuple[str, ...]
    """What was open when it passed."""
    failed: tuple[str, ...]
    """What was open when it failed: the same and more."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found out. Ids are sorted; sets are sorted by size, then by id."""

    conclusion: Conclusion
    minimal: tuple[str, ...] = ()
    cut_sets: tuple[tuple[str, ...], ...] = ()
    """Dependencies whose loss together breaks the service; a set of one is a single point of failure."""
    working_sets: tuple[tuple[str, ...], ...] = ()
    """Every minimal working set found; with `is_all` and `is_complete` there is no other."""
    tolerated: tuple[str, ...] = ()
    """Outside the set, and cut by itself the service was healthy."""
    never_called: tuple[str, ...] = ()
    modes: dict[str, dict[Mode, TrialVerdict]] = {}
    """Dependency -> mode -> the service's verdict with that one cut and all else open."""
    is_monotone: bool = True
    conflicts: tuple[Conflict, ...] = ()
    """Where more open was worse."""
    flaky: int = 0
    """Trials that both passed and failed."""
    is_complete: bool = True
    """False when the limit came first."""
    detail: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """A trial that is wanted, and why."""

    trial: Trial
    phase: Phase
    about: str = ""
    """The dependency it asks about, where it is one."""


class Plan(msgspec.Struct, frozen=True):
    """What to do next: run the trials (most wanted first), or take the answer."""

    trials: tuple[Wanted, ...] = ()
    found: Found | None = None
    set_so_far: tuple[str, ...] | None = None
    """The smallest set known to work; None before any did."""


def plan(question: Question, outcomes: Sequence[Outcome], at_most: int = 1) -> Plan:
    """The next trials, at most `at_most` of them, or the answer.

    Where fewer are certain than asked for, the rest are guesses at what will be wanted next, both ways.
    """
    first = _step(question, outcomes)
    if isinstance(first, Found):
        return Plan(found=first, set_so_far=first.minimal)
    evidence = _evidence(question, outcomes)
    return Plan(
        trials=tuple(_wanted(question, outcomes, first, at_most)),
        set_so_far=_smallest(question, evidence),
    )


class _Need(Exception):
    """The search cannot go on without these."""

    def __init__(self, *wanted: Wanted, likely: Iterable[Wanted] = ()) -> None:
        super().__init__()
        self.wanted = wanted
        self.likely = tuple(likely)


class _Unclear(Exception):
    """A trial said nothing, several times over."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self.trial = trial


class _Hopeless(Exception):
    """Broken with everything open that may be open."""


def _step(question: Question, outcomes: Sequence[Outcome]) -> Found | _Need:
    """As far as the outcomes carry."""
    try:
        return _Search(question, outcomes).run()
    except _Need as need:
        return need
    except _Hopeless:
        return Found(conclusion=Conclusion.NEVER_HEALTHY, detail="broken with what was to stay cut")
    except _Unclear as unclear:
        words = [outcome.detail for outcome in outcomes if outcome.trial.open == unclear.trial.open]
        return Found(conclusion=Conclusion.INCONCLUSIVE, detail=words[-1] if words else "")


def _wanted(question: Question, outcomes: Sequence[Outcome], first: _Need, at_most: int) -> list[Wanted]:
    """What is needed, then what would be after each way it may turn out, nearest first."""
    found: dict[Trial, Wanted] = {}
    futures: deque[tuple[tuple[Outcome, ...], _Need]] = deque([((), first)])
    looked_at = 0
    while futures and len(found) < at_most and looked_at < 4 * at_most:
        supposed, need = futures.popleft()
        looked_at += 1
        for wanted in (*need.wanted, *need.likely):
            found.setdefault(wanted.trial, wanted)
        if len(found) >= at_most or need.likely:
            continue
        for verdict in (BROKEN, HEALTHY):
            future = (*supposed, Outcome(trial=need.wanted[0].trial, verdict=verdict))
            then = _step(question, [*outcomes, *future])
            if isinstance(then, _Need):
                futures.append((future, then))
    return list(found.values())[:at_most]


def expected(question: Question, outcomes: Sequence[Outcome]) -> int:
    """About how many trials are still to come, if one cut alone is tolerated, as most are, and the rest is not."""
    ahead: list[Outcome] = []
    while len(ahead) < 400:
        step = _step(question, [*outcomes, *ahead])
        if isinstance(step, Found):
            break
        for wanted in step.wanted:
            is_soft = wanted.phase in (Phase.BASELINE, Phase.SWEEP, Phase.MODES, Phase.GALLOP, Phase.UNFOLD)
            ahead.append(Outcome(trial=wanted.trial, verdict=HEALTHY if is_soft else BROKEN))
    return len(ahead)


def _evidence(
    question: Question, outcomes: Sequence[Outcome], mode: Mode | None = None, *, direct: bool = False
) -> Evidence:
    known = frozenset(question.candidates) | question.stay_open | question.stay_cut
    return Evidence(outcomes, mode or question.modes[0], known, is_direct=question.is_direct or direct)


def _smallest(question: Question, evidence: Evidence) -> tuple[str, ...] | None:
    sets = [evidence.universe if o.trial.open is None else o.trial.open for o in evidence.healthy]
    return tuple(sorted(min(sets, key=len) - question.stay_open)) if sets else None


class _Search:
    """One reading of the outcomes. Every method returns what is known or raises _Need."""

    def __init__(self, question: Question, outcomes: Sequence[Outcome]) -> None:
        self._question = question
        self._outcomes = outcomes
        self._evidence = _evidence(question, outcomes)
        self._is_monotone = True

    def run(self) -> Found:
        if not self._is_healthy_with_everything():
            return Found(conclusion=Conclusion.NEVER_HEALTHY, detail=self._outcomes[-1].detail)
        self._settle_conflicts()
        if self._evidence.is_direct:
            minimal = self._descend(self._start_of_descent())
        else:
            minimal = self._confirmed(self._minimal())
        return self._explained(minimal)

    # Questions to the evidence

    def _ask(
        self, opened: Ids, phase: Phase, about: str = "", likely: Callable[[], Iterable[Wanted]] | None = None
    ) -> bool:
        """Whether the service is healthy with only `opened` open."""
        missing = self._missing(opened, phase, about)
        if missing is not None:
            raise _Need(missing, likely=likely() if likely else ())
        return self._evidence.verdict(self._pinned(opened)) is HEALTHY

    def _ask_each(self, cut_by: dict[str, Ids], phase: Phase) -> dict[str, bool]:
        """The same for several, which may run side by side."""
        missing = [m for about, opened in cut_by.items() if (m := self._missing(opened, phase, about)) is not None]
        if missing:
            raise _Need(*missing)
        return {about: self._ask(opened, phase) for about, opened in cut_by.items()}

    def _missing(
        self, opened: Ids, phase: Phase, about: str = "", evidence: Evidence | None = None, mode: Mode | None = None
    ) -> Wanted | None:
        """The trial that would answer; None when the evidence does."""
        evidence = evidence or self._evidence
        opened = self._pinned(opened)
        if evidence.verdict(opened) is not None:
            return None
        return Wanted(self._again(opened, evidence, mode or self._question.modes[0]), phase, about)

    def _again(self, opened: Ids | None, evidence: Evidence, mode: Mode) -> Trial:
        """The next attempt at a set. Raises _Unclear when it was tried often and never said anything."""
        attempts = evidence.attempts(opened)
        trial = Trial(opened, mode, attempts + 1)
        if attempts >= DOUBTED and evidence.exact(opened) is None:
            raise _Unclear(trial)
        return trial

    def _pinned(self, opened: Ids) -> Ids:
        return (opened | self._question.stay_open) - self._question.stay_cut

    def _ordered(self, ids: Iterable[str]) -> list[str]:
        """In the order to cut: what nobody prefers (the last by name first), and at the end the most preferred."""
        rank = {identity: len(self._question.prefer) - n for n, identity in enumerate(self._question.prefer)}
        return sorted(sorted(ids, reverse=True), key=lambda identity: rank.get(identity, 0))

    @property
    def _cuttable(self) -> Ids:
        return self._evidence.universe - self._question.stay_open - self._question.stay_cut

    # The road to a minimal set

    def _is_healthy_with_everything(self) -> bool:
        evidence = self._evidence
        if evidence.exact(None) is HEALTHY:
            return True
        mode = self._question.modes[0]
        if evidence.exact(None) is None or evidence.attempts(None) <= self._question.retries:
            raise _Need(Wanted(self._again(None, evidence, mode), Phase.BASELINE))
        return False

    def _settle_conflicts(self) -> None:
        """A failure that contradicts a pass is tried again before it is believed; then nothing is inferred any more."""
        for healthy, broken in self._evidence.conflicts():
            opened = broken.trial.open
            if self._evidence.attempts(opened) < DOUBTED:
                trial = Trial(opened, self._question.modes[0], self._evidence.attempts(opened) + 1)
                raise _Need(Wanted(trial, Phase.CONFIRM))
            if healthy.trial.open is not None and opened is not None and healthy.trial.open <= opened:
                self._is_monotone = False
            self._evidence = _evidence(self._question, self._outcomes, direct=True)

    def _minimal(self) -> Ids:
        """A set that works and has, as far as inference goes, nothing to spare."""
        top = self._unfolded() if self._question.has_evidence else self._cuttable
        if not self._ask(top, Phase.UNFOLD):
            raise _Hopeless
        needed = self._essentials(top) if self._question.has_sweep else frozenset[str]()
        soft = self._ordered(top - needed)
        if self._question.has_sweep:
            if self._ask(needed, Phase.ESSENTIALS, likely=lambda: self._guesses(needed, soft)):
                return needed
            needed |= self._siblings(needed, soft)
            soft = [identity for identity in soft if identity not in needed]
        return self._gallop(needed, soft)

    def _unfolded(self) -> Ids:
        """Open what is called in vain, from nothing on, until the service is healthy."""
        opened: Ids = frozenset()
        while not self._ask(opened, Phase.UNFOLD if opened else Phase.VACUUM, likely=self._sweep_ahead):
            fresh = (self._evidence.blocked_at(self._pinned(opened)) & self._cuttable) - opened
            if not fresh:
                return self._cuttable  # no further clue: anything may be missing
            opened |= fresh
        return opened

    def _sweep_ahead(self) -> list[Wanted]:
        """While the unfolding goes step by step, there is room for trials that the sweep is likely to want."""
        if not self._question.has_sweep:
            return []
        return self._unknown({one: self._cuttable - {one} for one in sorted(self._cuttable)}, Phase.SWEEP)

    def _unknown(self, sets: dict[str, Ids], phase: Phase) -> list[Wanted]:
        return [m for about, opened in sets.items() if (m := self._missing(opened, phase, about)) is not None]

    def _essentials(self, top: Ids) -> Ids:
        """What breaks the service when it alone is cut."""
        answers = self._ask_each({one: self._cuttable - {one} for one in sorted(top)}, Phase.SWEEP)
        return frozenset(one for one, is_healthy in answers.items() if not is_healthy)

    def _guesses(self, needed: Ids, soft: list[str]) -> list[Wanted]:
        """What is likely asked next should the essentials not suffice."""
        groups = _look_alikes(soft)
        sets = {group[0]: self._cuttable - frozenset(group) for group in groups}
        sets["kept"] = needed | {group[-1] for group in groups}
        return self._unknown(sets, Phase.SIBLINGS) if groups else []

    def _siblings(self, needed: Ids, soft: list[str]) -> Ids:
        """One of each group of look-alikes that cannot be missed together: the cheap guess before the search."""
        groups = _look_alikes(soft)
        answers = self._ask_each({group[-1]: self._cuttable - frozenset(group) for group in groups}, Phase.SIBLINGS)
        return frozenset(kept for kept, is_healthy in answers.items() if not is_healthy)

    def _gallop(self, needed: Ids, soft: Sequence[str]) -> Ids:
        """Cut ever larger blocks of `soft`, and find the one that breaks it where a block does."""
        at = found = 0
        while at < len(soft):
            end = min(len(soft), at + _block(at, found))
            if self._ask(needed | set(soft[end:]), Phase.GALLOP):
                at = end
                continue
            low, high = at, end
            while high - low > 1:
                middle = (low + high) // 2
                if self._ask(needed | set(soft[middle:]), Phase.GALLOP):
                    low = middle
                else:
                    high = middle
            needed |= {soft[high - 1]}
            found += 1
            at = high
        return needed

    # Proof

    def _confirmed(self, minimal: Ids) -> Ids:
        """The set itself was tried and passed; enough failed trials stand behind every member."""
        if self._evidence.exact(self._pinned(minimal)) is not HEALTHY:
            trial = self._again(self._pinned(minimal), self._evidence, self._question.modes[0])
            if self._evidence.exact(self._pinned(minimal)) is BROKEN:
                return self._after_contradiction()
            raise _Need(Wanted(trial, Phase.CONFIRM if minimal else Phase.VACUUM))
        wanted: list[Wanted] = []
        for member in self._ordered(minimal):
            without = self._pinned(minimal - {member})
            if self._evidence.verdict(without) is HEALTHY:
                return self._confirmed(minimal - {member})
            if self._evidence.support(without) <= self._question.retries:
                trial = self._again(without, self._evidence, self._question.modes[0])
                wanted.append(Wanted(trial, Phase.CONFIRM, member))
        if wanted:
            raise _Need(*wanted)
        return minimal

    def _after_contradiction(self) -> Ids:
        """Inference promised a pass and the trial failed: from here on only what was tried counts."""
        self._evidence = _evidence(self._question, self._outcomes, direct=True)
        return self._descend(self._start_of_descent())

    def _start_of_descent(self) -> Ids:
        smallest = _smallest(self._question, self._evidence)
        return frozenset(smallest if smallest is not None else self._cuttable) & self._cuttable

    def _descend(self, opened: Ids) -> Ids:
        """Take one away at a time, each step tried, until none can go."""
        for one in self._ordered(opened):
            if self._ask(opened - {one}, Phase.CONFIRM, one):
                return self._descend(opened - {one})
        return opened

    # Reasons

    def _explained(self, minimal: Ids) -> Found:
        modes = self._modes()
        working: list[Ids] = [minimal]
        cuts: list[Ids] = []
        is_complete = True
        if self._question.is_all and not self._evidence.is_direct:
            working, cuts, is_complete = self._all(minimal)
        elif self._question.has_reasons and not self._evidence.is_direct:
            cuts = self._cut_sets(minimal)
        first = self._question.modes[0]
        never = self._never_called()
        tolerated = self._cuttable - minimal - never
        if self._question.has_sweep or self._question.has_reasons:
            tolerated = frozenset(one for one in tolerated if modes.get(one, {}).get(first) is not BROKEN)
        conflicts = [] if self._is_monotone else _raw_conflicts(_evidence(self._question, self._outcomes))
        return Found(
            conclusion=Conclusion.FOUND,
            minimal=tuple(sorted(minimal)),
            cut_sets=cs.listed(cuts),
            working_sets=cs.listed(working),
            tolerated=tuple(sorted(tolerated)),
            never_called=tuple(sorted(never)),
            modes=modes,
            is_monotone=self._is_monotone,
            conflicts=tuple(conflicts),
            flaky=len(self._evidence.flaky),
            is_complete=is_complete,
        )

    def _modes(self) -> dict[str, dict[Mode, TrialVerdict]]:
        """Each dependency cut by itself, in each mode; in the first mode only as far as it is known or asked for."""
        table: dict[str, dict[Mode, TrialVerdict]] = {}
        missing: list[Wanted] = []
        for mode in self._question.modes:
            is_first = mode is self._question.modes[0]
            evidence = self._evidence if is_first else _evidence(self._question, self._outcomes, mode)
            for one in sorted(self._cuttable - self._never_called()):
                opened = self._pinned(self._cuttable - {one})
                verdict = evidence.verdict(opened)
                if verdict is not None:
                    table.setdefault(one, {})[mode] = verdict
                elif not is_first or self._question.has_sweep:
                    missing.append(Wanted(self._again(opened, evidence, mode), Phase.MODES, one))
        if missing:
            raise _Need(*missing)
        return table

    def _never_called(self) -> Ids:
        if not self._question.has_evidence:
            return frozenset()
        called = {one for o in self._outcomes for one in (o.called or frozenset()) | (o.blocked or frozenset())}
        return self._cuttable - called

    def _cut_sets(self, minimal: Ids) -> list[Ids]:
        """A minimal cut set for every member: itself, or itself and its fallbacks."""
        alone = self._ask_each({one: self._cuttable - {one} for one in sorted(minimal)}, Phase.REASONS)
        found = [frozenset({one}) for one, is_healthy in alone.items() if not is_healthy]
        for member in [one for one, is_healthy in alone.items() if is_healthy]:
            others = self._ordered(self._cuttable - minimal)
            if not any(member in cut for cut in found):
                found.append(self._least_cut(member, others))
        return found

    def _least_cut(self, member: str, others: list[str]) -> Ids:
        """The fewest of `others` (which all cut together with `member` break the service) that still do."""
        for twin in _alike(member, others):
            if not self._ask(self._cuttable - {member, twin}, Phase.REASONS, member):
                return frozenset({member, twin})
        needed: Ids = frozenset({member})
        rest = others
        while rest and self._ask(self._cuttable - needed, Phase.REASONS, member):
            low, high = 0, len(rest)
            while high - low > 1:
                middle = (low + high) // 2
                if self._ask(self._cuttable - needed - set(rest[:middle]), Phase.REASONS, member):
                    low = middle
                else:
                    high = middle
            needed |= {rest[high - 1]}
            rest = rest[: high - 1]
        return needed

    def _all(self, minimal: Ids) -> tuple[list[Ids], list[Ids], bool]:
        """Dualize and advance: every minimal hitting set of the working sets found so far either is a cut set, or
        leaves room for a working set that is not among them."""
        working = [minimal]
        while True:
            hitting = cs.minimal_transversals(working, self._question.limit)
            if len(hitting) > self._question.limit or len(working) > self._question.limit:
                return working, [], False
            names = {" ".join(sorted(hit)): self._cuttable - hit for hit in hitting}
            answers = self._ask_each(names, Phase.REASONS)
            left = [opened for name, opened in names.items() if answers[name]]
            if not left:
                return working, hitting, True
            working.append(self._gallop(frozenset(), self._ordered(left[0])))


def _block(at: int, found: int) -> int:
    """How many to cut at once, from how thinly needed ones lay so far: a block breaks about every other time."""
    return max(1, round(0.8 * (at + 4) / (found + 1)))


def _look_alikes(soft: Sequence[str]) -> list[list[str]]:
    """Groups that may stand in for each other: one protocol and port, and names that begin alike. Cut order is kept."""
    groups: list[list[str]] = []
    for identity in soft:
        group = next((g for g in groups if _is_alike(g[0], identity)), None)
        if group is None:
            groups.append([identity])
        else:
            group.append(identity)
    return [group for group in groups if len(group) > 1]


def _alike(member: str, others: Sequence[str]) -> list[str]:
    return [other for other in others if _is_alike(member, other)]


def _is_alike(one: str, other: str) -> bool:
    try:
        a, b = Dependency.parse(one), Dependency.parse(other)
    except BellJarError:
        return False  # an outside trial command may name its dependencies as it likes
    is_near = a.host[:2] == b.host[:2] and not a.host[:1].isdigit()
    return (a.protocol, a.port) == (b.protocol, b.port) and is_near


def _raw_conflicts(evidence: Evidence) -> list[Conflict]:
    return [
        Conflict(tuple(sorted(healthy.trial.open)), tuple(sorted(broken.trial.open)))
        for healthy, broken in evidence.conflicts()
        if healthy.trial.open is not None and broken.trial.open is not None and healthy.trial.open <= broken.trial.open
    ]
