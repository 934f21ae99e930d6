"""What changed from one profile to another, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from belljar_tui.core.cut_sets import Ids
from belljar_tui.core.profile import Evidence, Profile, Verdict

Value = str | int | float | list[str] | None


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One difference."""

    field: str
    """Where in the profile: `allow`, `recovery.deadline_s`, `evidence.cut_sets`."""
    words: str
    """A sentence without a full stop."""
    is_contract: bool = True
    """Whether it changes what is promised; evidence only says how it came about."""
    before: Value = None
    after: Value = None


def changes(before: Profile, after: Profile) -> list[Change]:
    """Every difference, the contract's first. Versions, dates and counts are no difference."""
    return [*_contract(before, after), *_evidence(before.evidence, after.evidence)]


def _contract(before: Profile, after: Profile) -> Iterator[Change]:
    yield from _plain("name", "the name", before.name, after.name)
    yield from _plain("lab", "the lab", before.lab, after.lab)
    yield from _members(before, after)
    yield from _plain("sealed", "everything else", before.sealed.value, after.sealed.value)
    yield from _plain("recovery.kind", "recovery", before.recovery.kind, after.recovery.kind)
    for field, subject, one, other in (
        ("deadline_s", "the deadline (seconds)", before.recovery.deadline_s, after.recovery.deadline_s),
        ("soak_s", "the soak (seconds)", before.recovery.soak_s, after.recovery.soak_s),
    ):
        yield from _plain(f"recovery.{field}", subject, one, other)
    yield from _listed("healthy.checks", "health check", before.healthy.checks, after.healthy.checks)
    for field, subject, one, other in (
        ("every_s", "the time between checks (seconds)", before.healthy.every_s, after.healthy.every_s),
        ("timeout_s", "the time a check may take (seconds)", before.healthy.timeout_s, after.healthy.timeout_s),
        ("healthy_for", "the passes in a row that mean healthy", before.healthy.healthy_for, after.healthy.healthy_for),
    ):
        yield from _plain(f"healthy.{field}", subject, one, other)
    yield from _service(before, after)


def _service(before: Profile, after: Profile) -> Iterator[Change]:
    one, other = before.service, after.service
    yield from _plain("service.command", "the command", " ".join(one.command), " ".join(other.command))
    yield from _listed("service.environment", "variable", one.environment, other.environment)
    yield from _plain("service.limits.memory_mb", "the memory (MB)", one.limits.memory_mb, other.limits.memory_mb)
    yield from _plain("service.limits.cpus", "the CPUs", one.limits.cpus, other.limits.cpus)
    yield from _listed("forward", "forwarded port", map(str, before.forward), map(str, after.forward))


def _members(before: Profile, after: Profile) -> Iterator[Change]:
    """What the working set gained and lost, and what is known of each."""
    for one in sorted(set(after.allow) - set(before.allow)):
        was = _known_as(before.evidence, one)
        yield Change(field="allow", words=f"it needs {one} now{was}", before=None, after=one)
    for one in sorted(set(before.allow) - set(after.allow)):
        now = _known_as(after.evidence, one)
        yield Change(field="allow", words=f"it does without {one} now{now}", before=one, after=None)


def _known_as(evidence: Evidence, identity: str) -> str:
    """What the profile without it knows of a member of the other."""
    if identity in evidence.never_exercised:
        return f" (the one without it: {_NEVER})"
    verdicts = _verdicts(evidence).get(identity)
    if verdicts is None:
        return " (the one without it does not know it)"
    told = ", ".join(f"{mode}: {verdict}" for mode, verdict in sorted(verdicts.items()))
    return f" (the one without it: {told})" if told else ""


def _evidence(before: Evidence, after: Evidence) -> Iterator[Change]:
    yield from _verdict_changes(before, after)
    yield from _cut_sets(before.cut_sets, after.cut_sets)
    yield from _sets("evidence.working_sets", "another working set", before.working_sets, after.working_sets)
    known, known_before = _all_of(after), _all_of(before)
    for one in sorted(known - known_before):
        yield _aside("evidence.dependencies", f"{one} is known now", None, one)
    for one in sorted(known_before - known):
        yield _aside("evidence.dependencies", f"{one} is not known any more", one, None)
    for one in sorted((set(after.never_exercised) - set(before.never_exercised)) & known_before):
        yield _aside("evidence.never_exercised", f"{one} was not called this time", None, one)
    for one in sorted((set(before.never_exercised) - set(after.never_exercised)) & known):
        yield _aside("evidence.never_exercised", f"{one} is called now", one, None)
    if before.is_minimal != after.is_minimal:
        words = "shown by trials to be minimal now" if after.is_minimal else "not shown to be minimal any more"
        yield _aside("evidence.is_minimal", f"the working set is {words}", before.is_minimal, after.is_minimal)
    if bool(before.contradictions) != bool(after.contradictions):
        words = "contradict each other now" if after.contradictions else "do not contradict each other any more"
        yield _aside("evidence.contradictions", f"trials {words}", before.contradictions, after.contradictions)


def _verdict_changes(before: Evidence, after: Evidence) -> Iterator[Change]:
    one, other = _verdicts(before), _verdicts(after)
    for identity in sorted(one.keys() & other.keys()):
        for mode in sorted(one[identity].keys() | other[identity].keys()):
            was, now = one[identity].get(mode), other[identity].get(mode)
            if was != now:
                words = f"{identity} with {mode} is {now or 'not tried'}, and was {was or 'not tried'}"
                yield _aside(f"evidence.dependencies.{identity}.{mode}", words, was, now)


def _cut_sets(before: Sequence[Sequence[str]], after: Sequence[Sequence[str]]) -> Iterator[Change]:
    """A set of one is a single point of failure: the most useful thing to hear of."""
    field = "evidence.cut_sets"
    single, single_before = _singles(after), _singles(before)
    for one in sorted(single - single_before):
        yield _aside(field, f"{one} is a single point of failure now", None, [one])
    for one in sorted(single_before - single):
        yield _aside(field, f"{one} is no single point of failure any more", [one], None)
    several = [one for one in after if len(one) > 1]
    yield from _sets(field, "a cut set", [one for one in before if len(one) > 1], several)


def _sets(field: str, what: str, before: Iterable[Sequence[str]], after: Iterable[Sequence[str]]) -> Iterator[Change]:
    one, other = {tuple(sorted(s)) for s in before}, {tuple(sorted(s)) for s in after}
    for added in sorted(other - one):
        yield _aside(field, f"{' + '.join(added)} is {what} now", None, list(added))
    for gone in sorted(one - other):
        yield _aside(field, f"{' + '.join(gone)} is not {what} any more", list(gone), None)


def _plain(field: str, subject: str, before: Value, after: Value) -> Iterator[Change]:
    if before != after:
        words = f"{subject}: {_said(before)} → {_said(after)}"
        yield Change(field=field, words=words, before=before, after=after)


def _listed(field: str, subject: str, before: Iterable[str], after: Iterable[str]) -> Iterator[Change]:
    one, other = list(before), list(after)
    for added in (item for item in other if item not in one):
        yield Change(field=field, words=f"{subject} added: {added}", after=added)
    for gone in (item for item in one if item not in other):
        yield Change(field=field, words=f"{subject} removed: {gone}", before=gone)


def _aside(field: str, words: str, before: Value, after: Value) -> Change:
    return Change(field=field, words=words, is_contract=False, before=before, after=after)


def _said(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return "none" if value is None or value == "" else str(value)


_NEVER = "never called"


def _verdicts(evidence: Evidence) -> dict[str, dict[str, Verdict]]:
    return {one.id: {mode.value: verdict for mode, verdict in one.verdicts.items()} for one in evidence.dependencies}


def _all_of(evidence: Evidence) -> Ids:
    return frozenset({one.id for one in evidence.dependencies} | set(evidence.never_exercised))


def _singles(sets: Iterable[Sequence[str]]) -> Ids:
    return frozenset(one[0] for one in sets if len(one) == 1)
