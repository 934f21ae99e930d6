"""What stands behind a minimal set: the cut sets, the other working sets, and the modes. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from belljar_tui.core import cut_sets as cs
from belljar_tui.core.asker import Asker, Need
from belljar_tui.core.evidence import Evidence, Ids
from belljar_tui.core.failures import SEALING, why_no_cut
from belljar_tui.core.minimal import gallop, look_alikes_of
from belljar_tui.core.model import Dependency, Mode
from belljar_tui.core.question import Conclusion, Conflict, Found, Phase, Wanted
from belljar_tui.core.trial import TrialVerdict
from belljar_tui.errors import BadDependencyId

_IF = {
    Mode.REFUSE: "refused",
    Mode.BLACKHOLE: "it hangs",
    Mode.RESET: "reset",
    Mode.UNREACHABLE: "unreachable",
    Mode.DNS: "its name is gone",
    Mode.SLOW: "slow",
    Mode.HANG: "it never answers",
    Mode.FLAKY: "flaky",
}


def explained(asker: Asker, minimal: Ids) -> Found:
    """The answer in full. Raises Need."""
    question = asker.question
    modes = _modes(asker)
    never = _never_called(asker)
    working, cuts, is_complete = [minimal], list[Ids](), True
    if question.is_all and not asker.evidence.is_direct:
        working, cuts, is_complete = _all(asker, minimal)
    elif question.has_reasons and not asker.evidence.is_direct:
        cuts = _cut_sets(asker, minimal)
    needed = {one for one, verdicts in modes.items() if verdicts.get(question.modes[0]) is TrialVerdict.BROKEN}
    conflicts = _conflicts(asker.evidence_of(question.modes[0])) if asker.evidence.is_direct else []
    return Found(
        conclusion=Conclusion.FOUND,
        minimal=tuple(sorted(minimal)),
        cut_sets=cs.listed(cuts),
        working_sets=cs.listed(working),
        tolerated=tuple(sorted(asker.cuttable - minimal - never - needed)),
        never_called=tuple(sorted(never)),
        modes=modes,
        is_monotone=not conflicts,
        conflicts=tuple(conflicts),
        flaky=len(asker.evidence.flaky),
        is_complete=is_complete,
    )


def _modes(asker: Asker) -> dict[str, dict[Mode, TrialVerdict]]:
    """Each dependency cut by itself, in each mode it can fail in; in the first mode only as far as it is known or asked
    for."""
    table: dict[str, dict[Mode, TrialVerdict]] = {}
    missing: list[Wanted] = []
    for mode in asker.question.modes:
        is_first = mode is asker.question.modes[0]
        evidence = asker.evidence if is_first else asker.evidence_of(mode)
        for one in sorted(asker.cuttable - _never_called(asker)):
            if not is_first and not _can_fail(one, mode):
                continue
            opened = asker.pinned(asker.cuttable - {one})
            verdict = evidence.verdict(opened)
            if verdict is not None:
                table.setdefault(one, {})[mode] = verdict
            elif not is_first or asker.question.has_sweep:
                missing.append(Wanted(asker.again(opened, evidence, mode, one), Phase.MODES, one))
    if missing:
        raise Need(*missing)
    return table


def _can_fail(identity: str, mode: Mode) -> bool:
    """Whether a trial of it would be one. What an outside command calls a dependency need be no id of ours."""
    try:
        return mode in SEALING or not why_no_cut(Dependency.parse(identity), mode, {})
    except BadDependencyId:
        return True


def in_modes(verdicts: Mapping[Mode, TrialVerdict]) -> str:
    """What the modes of one dependency amount to: `fine if refused, broken if it hangs`; empty where they agree."""
    fine = [_IF[mode] for mode, verdict in verdicts.items() if verdict is TrialVerdict.HEALTHY]
    broken = [_IF[mode] for mode, verdict in verdicts.items() if verdict is TrialVerdict.BROKEN]
    return f"fine if {' or '.join(fine)}, broken if {' or '.join(broken)}" if fine and broken else ""


def _never_called(asker: Asker) -> Ids:
    if not asker.question.has_evidence:
        return frozenset()
    called = {one for o in asker.outcomes for one in (o.called or frozenset()) | (o.blocked or frozenset())}
    return asker.cuttable - called


def _cut_sets(asker: Asker, minimal: Ids) -> list[Ids]:
    """A minimal cut set for every member: itself, or itself and its fallbacks."""
    alone = asker.ask_each({one: asker.cuttable - {one} for one in sorted(minimal)}, Phase.REASONS)
    found = [frozenset({one}) for one, is_healthy in alone.items() if not is_healthy]
    for member in [one for one, is_healthy in alone.items() if is_healthy]:
        others = asker.ordered(asker.cuttable - minimal)
        if not any(member in cut for cut in found):
            found.append(_least_cut(asker, member, others))
    return found


def _least_cut(asker: Asker, member: str, others: list[str]) -> Ids:
    """The fewest of `others` (which all cut together with `member` break the service) that still do."""
    for twin in look_alikes_of(member, others):
        if not asker.ask(asker.cuttable - {member, twin}, Phase.REASONS, member):
            return frozenset({member, twin})
    needed: Ids = frozenset({member})
    rest = others
    while rest and asker.ask(asker.cuttable - needed, Phase.REASONS, member):
        low, high = 0, len(rest)
        while high - low > 1:
            middle = (low + high) // 2
            if asker.ask(asker.cuttable - needed - set(rest[:middle]), Phase.REASONS, member):
                low = middle
            else:
                high = middle
        needed |= {rest[high - 1]}
        rest = rest[: high - 1]
    return needed


def _all(asker: Asker, minimal: Ids) -> tuple[list[Ids], list[Ids], bool]:
    """Dualize and advance: every minimal hitting set of the working sets found so far either is a cut set, or
    leaves room for a working set that is not among them."""
    working = [minimal]
    while True:
        hitting = cs.minimal_transversals(working, asker.question.limit)
        if len(hitting) > asker.question.limit or len(working) > asker.question.limit:
            return working, [], False
        names = {" ".join(sorted(hit)): asker.cuttable - hit for hit in hitting}
        answers = asker.ask_each(names, Phase.REASONS)
        left = [opened for name, opened in names.items() if answers[name]]
        if not left:
            return working, hitting, True
        working.append(gallop(asker, frozenset(), asker.ordered(left[0])))


def _conflicts(evidence: Evidence) -> list[Conflict]:
    return [
        Conflict(tuple(sorted(healthy.trial.open)), tuple(sorted(broken.trial.open)))
        for healthy, broken in evidence.conflicts()
        if healthy.trial.open is not None and broken.trial.open is not None and healthy.trial.open <= broken.trial.open
    ]
