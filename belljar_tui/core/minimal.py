"""The road to a minimal working set, and its proof. Pure: a function knows the answer, or raises Need."""

from __future__ import annotations

from collections.abc import Sequence

from belljar_tui.core.asker import DOUBTED, Asker, Need
from belljar_tui.core.evidence import Ids
from belljar_tui.core.model import Dependency
from belljar_tui.core.question import Phase, Wanted
from belljar_tui.core.trial import Trial, TrialVerdict
from belljar_tui.errors import BellJarError

HEALTHY, BROKEN = TrialVerdict.HEALTHY, TrialVerdict.BROKEN
_MANY = 48
"""Candidates. From here on, with one in twenty failing by chance, three failures a member are too few now and then
(tests/bench/search.py)."""


class Hopeless(Exception):
    """Broken with everything open that may be open."""


def minimal_set(asker: Asker) -> Ids:
    """A set that was tried and works, and of which no member can be missed. Raises Hopeless where there is none."""
    if not is_healthy_with_everything(asker):
        raise Hopeless
    _settle_conflicts(asker)
    if asker.evidence.is_direct:
        return _descended(asker)
    return _confirmed(asker, _minimal(asker))


def is_healthy_with_everything(asker: Asker) -> bool:
    evidence = asker.evidence
    if evidence.exact(None) is HEALTHY:
        return True
    mode = asker.question.modes[0]
    if evidence.exact(None) is None or evidence.attempts(None) <= asker.question.retries:
        raise Need(Wanted(asker.again(None, evidence, mode), Phase.BASELINE))
    return False


def _settle_conflicts(asker: Asker) -> None:
    """A failure that contradicts a pass is tried again before it is believed; then nothing is inferred any more."""
    for _, broken in asker.evidence.conflicts():
        opened = broken.trial.open
        attempts = asker.evidence.attempts(opened)
        if attempts < DOUBTED:
            raise Need(Wanted(Trial(opened, asker.question.modes[0], attempts + 1), Phase.CONFIRM))
        asker.infer_nothing()
        return


def _minimal(asker: Asker) -> Ids:
    """A set that works and has, as far as inference goes, nothing to spare."""
    top = _unfolded(asker) if asker.question.has_evidence else asker.cuttable
    if not asker.ask(top, Phase.UNFOLD):
        raise Hopeless
    needed = _essentials(asker, top) if asker.question.has_sweep else frozenset[str]()
    soft = asker.ordered(top - needed)
    if asker.question.has_sweep:
        if asker.ask(needed, Phase.ESSENTIALS, likely=lambda: _guesses(asker, needed, soft)):
            return needed
        needed |= _siblings(asker, needed, soft)
        soft = [identity for identity in soft if identity not in needed]
    return gallop(asker, needed, soft)


def _unfolded(asker: Asker) -> Ids:
    """Open what is called in vain, from nothing on, until the service is healthy."""
    opened: Ids = frozenset()
    while not asker.ask(opened, Phase.UNFOLD if opened else Phase.VACUUM, likely=lambda: _sweep_ahead(asker)):
        fresh = (asker.evidence.blocked_at(asker.pinned(opened)) & asker.cuttable) - opened
        if not fresh:
            return asker.cuttable  # no further clue: anything may be missing
        opened |= fresh
    return opened


def _sweep_ahead(asker: Asker) -> list[Wanted]:
    """While the unfolding goes step by step, there is room for trials that the sweep is likely to want."""
    if not asker.question.has_sweep:
        return []
    return _unknown(asker, {one: asker.cuttable - {one} for one in sorted(asker.cuttable)}, Phase.SWEEP)


def _unknown(asker: Asker, sets: dict[str, Ids], phase: Phase) -> list[Wanted]:
    return [m for about, opened in sets.items() if (m := asker.missing(opened, phase, about)) is not None]


def _essentials(asker: Asker, top: Ids) -> Ids:
    """What breaks the service when it alone is cut."""
    answers = asker.ask_each({one: asker.cuttable - {one} for one in sorted(top)}, Phase.SWEEP)
    return frozenset(one for one, is_healthy in answers.items() if not is_healthy)


def _guesses(asker: Asker, needed: Ids, soft: list[str]) -> list[Wanted]:
    """What is likely asked next should the essentials not suffice."""
    groups = _look_alikes(soft)
    if not groups:
        return []
    kept = asker.missing(needed | {group[-1] for group in groups}, Phase.SIBLINGS)
    together = {group[-1]: asker.cuttable - frozenset(group) for group in groups}
    return [*_unknown(asker, together, Phase.SIBLINGS), *([kept] if kept is not None else [])]


def _siblings(asker: Asker, needed: Ids, soft: list[str]) -> Ids:
    """One of each group of look-alikes that cannot be missed together: the cheap guess before the search."""
    groups = _look_alikes(soft)
    answers = asker.ask_each({group[-1]: asker.cuttable - frozenset(group) for group in groups}, Phase.SIBLINGS)
    return frozenset(kept for kept, is_healthy in answers.items() if not is_healthy)


def gallop(asker: Asker, needed: Ids, soft: Sequence[str]) -> Ids:
    """Cut ever larger blocks of `soft`, and find the one that breaks it where a block does."""
    at = found = 0
    while at < len(soft):
        end = min(len(soft), at + _block(at, found))
        if asker.ask(needed | set(soft[end:]), Phase.GALLOP):
            at = end
            continue
        low, high = at, end
        while high - low > 1:
            middle = (low + high) // 2
            if asker.ask(needed | set(soft[middle:]), Phase.GALLOP):
                low = middle
            else:
                high = middle
        needed |= {soft[high - 1]}
        found += 1
        at = high
    return needed


def _confirmed(asker: Asker, minimal: Ids) -> Ids:
    """The set itself was tried and passed; enough failed trials stand behind every member."""
    if asker.evidence.exact(asker.pinned(minimal)) is not HEALTHY:
        trial = asker.again(asker.pinned(minimal), asker.evidence, asker.question.modes[0])
        if asker.evidence.exact(asker.pinned(minimal)) is BROKEN:
            asker.infer_nothing()  # inference promised a pass, and the trial failed
            return _descended(asker)
        raise Need(Wanted(trial, Phase.CONFIRM if minimal else Phase.VACUUM))
    wanted: list[Wanted] = []
    for member in asker.ordered(minimal):
        without = asker.pinned(minimal - {member})
        if asker.evidence.verdict(without) is HEALTHY:
            return _confirmed(asker, minimal - {member})
        if _is_doubtful(asker, without):
            trial = asker.again(without, asker.evidence, asker.question.modes[0])
            wanted.append(Wanted(trial, Phase.CONFIRM, member))
    if wanted:
        raise Need(*wanted)
    return minimal


def _is_doubtful(asker: Asker, without: Ids) -> bool:
    """Whether too few failed trials say that `without` is broken. The more there was to try, the more of them failed by
    chance; then those that were trials of this very set weigh more."""
    retries, evidence = asker.question.retries, asker.evidence
    failed = evidence.support(without)
    if failed <= retries or len(evidence.universe) < _MANY:
        return failed <= retries
    itself = evidence.attempts(without)
    return failed - itself <= retries and itself < retries


def _descended(asker: Asker) -> Ids:
    """From the smallest set that passed, take one away at a time, each step tried, until none can go."""
    smallest = asker.smallest
    return _descend(asker, asker.cuttable if smallest is None else smallest & asker.cuttable)


def _descend(asker: Asker, opened: Ids) -> Ids:
    """Take one away at a time, each step tried, until none can go."""
    for one in asker.ordered(opened):
        if asker.ask(opened - {one}, Phase.CONFIRM, one):
            return _descend(asker, opened - {one})
    return opened


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


def look_alikes_of(member: str, others: Sequence[str]) -> list[str]:
    return [other for other in others if _is_alike(member, other)]


def _is_alike(one: str, other: str) -> bool:
    try:
        a, b = Dependency.parse(one), Dependency.parse(other)
    except BellJarError:
        return False  # an outside trial command may name its dependencies as it likes
    is_near = a.host[:2] == b.host[:2] and not a.host[:1].isdigit()
    return (a.protocol, a.port) == (b.protocol, b.port) and is_near
