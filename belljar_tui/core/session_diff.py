"""What was called, cut and needed in one session and not in another, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from belljar_tui.core.model import Health, Mode
from belljar_tui.core.moments import shown
from belljar_tui.core.profile import Verdict, called_in
from belljar_tui.core.report import Report


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One difference."""

    about: str
    """`called`, `cut`, `needed`, `health`, `minimal`, `checks` or `name`."""
    words: str
    """A sentence without a full stop."""
    before: str | None = None
    after: str | None = None


def differences(before: Report, after: Report) -> list[Difference]:
    """Every difference, what was called first. Times and counts are none."""
    return [
        *_named(before, after),
        *_called(before, after),
        *_cut(before, after),
        *_needed(before, after),
        *_minimal(before, after),
        *_stuck(before, after),
        *_ended(before, after),
    ]


def _named(before: Report, after: Report) -> Iterator[Difference]:
    yield from _plain("name", "the session is about", before.state.name, after.state.name)
    one, other = (" ".join(report.state.checks) for report in (before, after))
    yield from _plain("checks", "health was measured by", one, other)


def _called(before: Report, after: Report) -> Iterator[Difference]:
    one, other = _all_called(before), _all_called(after)
    for identity in sorted(other - one):
        yield Difference(about="called", words=f"{shown(identity)} is called now", after=identity)
    for identity in sorted(one - other):
        yield Difference(about="called", words=f"{shown(identity)} is not called any more", before=identity)


def _all_called(report: Report) -> frozenset[str]:
    search = report.state.search
    outcomes = search.outcomes if search is not None else []
    tried = {one for outcome in outcomes for one in (outcome.called or frozenset()) | (outcome.blocked or frozenset())}
    return called_in(report.state) | tried


def _cut(before: Report, after: Report) -> Iterator[Difference]:
    one, other = _all_cut(before), _all_cut(after)
    for identity, mode in sorted(other - one):
        yield Difference(about="cut", words=f"{_subject(identity)} was cut now, {mode}", after=f"{identity} {mode}")
    for identity, mode in sorted(one - other):
        words = f"{_subject(identity)} was not cut this time, {mode}"
        yield Difference(about="cut", words=words, before=f"{identity} {mode}")


def _all_cut(report: Report) -> set[tuple[str, Mode]]:
    """By hand, by the seal, and by a search's trials."""
    search = report.state.search
    wanted = [outcome.trial.wanted for outcome in search.outcomes] if search is not None else []
    known = search.dependencies if search is not None else ()
    tried = {(one, mode) for each in wanted for one in known if (mode := each.mode_of(one)) is not None}
    return {(cut.dependency, cut.mode) for cut in report.cuts} | tried


def _subject(identity: str) -> str:
    return shown(identity) if identity else "everything undecided (vacuum)"


def _needed(before: Report, after: Report) -> Iterator[Difference]:
    """Where both tried it, or one of them found it needed."""
    one, other = before.verdicts, after.verdicts
    for identity in sorted(one.keys() | other.keys()):
        for mode in Mode:
            was, now = one.get(identity, {}).get(mode), other.get(identity, {}).get(mode)
            if was is now or (Verdict.NEEDED not in (was, now) and None in (was, now)):
                continue
            words = f"{shown(identity)}, {mode}: {now or 'not tried'} now, and was {was or 'not tried'}"
            yield Difference(about="needed", words=words, before=was, after=now)


def _minimal(before: Report, after: Report) -> Iterator[Difference]:
    one, other = _minimal_of(before), _minimal_of(after)
    if one is None or other is None:
        return
    for identity in sorted(other - one):
        words = f"{shown(identity)} is in the minimal working set now"
        yield Difference(about="minimal", words=words, after=identity)
    for identity in sorted(one - other):
        words = f"{shown(identity)} is not in the minimal working set any more"
        yield Difference(about="minimal", words=words, before=identity)


def _minimal_of(report: Report) -> set[str] | None:
    search = report.state.search
    return set(search.found.minimal) if search is not None and search.found is not None else None


def _stuck(before: Report, after: Report) -> Iterator[Difference]:
    one, other = (any(cut.is_stuck for cut in report.cuts) for report in (before, after))
    if one != other:
        words = "it stays unhealthy after a restore now" if other else "it comes back after every restore now"
        yield Difference(about="health", words=words)


def _ended(before: Report, after: Report) -> Iterator[Difference]:
    one, other = before.state.health, after.state.health
    if one is not other and Health.UNKNOWN not in (one, other):
        yield Difference(about="health", words=f"it is {other} at the end now, and was {one}", before=one, after=other)


def _plain(about: str, subject: str, before: str, after: str) -> Iterator[Difference]:
    if before != after:
        words = f"{subject} {after or 'nothing'} now, and was {before or 'nothing'}"
        yield Difference(about=about, words=words, before=before, after=after)
