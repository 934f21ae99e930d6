"""Numbers, moments and verdicts as people read them. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from belljar_tui.core.model import Health, Mode
from belljar_tui.core.moments import shown
from belljar_tui.core.profile import Verdict
from belljar_tui.core.report import CutSpan, Report

GLYPHS = {Health.HEALTHY: "✓", Health.UNHEALTHY: "✗", Health.UNKNOWN: "?"}
VERDICT_GLYPHS = {Verdict.NEEDED: "✗", Verdict.TOLERATED: "✓", Verdict.INCONCLUSIVE: "?"}


def printable(text: str) -> str:
    """`text` without what draws nothing or moves other letters about: control and direction characters."""
    return "".join(c if c.isprintable() else " " if c in "\n\t" else "�" for c in text)


def clock(seconds: float) -> str:
    """`00:07.3`, or with hours when there are any."""
    tenths = int(seconds * 10)
    minutes, rest = divmod(tenths, 600)
    hours, minutes = divmod(minutes, 60)
    head = f"{hours}:" if hours else ""
    return f"{head}{minutes:02}:{rest // 10:02}.{rest % 10}"


def time_of_day(report: Report, at: float) -> str:
    """`22:43:38`, where it was recorded, `at` seconds after the start; empty where the journal does not say."""
    try:
        return f"{datetime.fromisoformat(report.state.started) + timedelta(seconds=at):%H:%M:%S}"
    except (ValueError, OverflowError):
        return ""


def span(seconds: float) -> str:
    """`0.4 s`, `42 s`, `3 min 5 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 call`, `2 calls`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def what_was_cut(cut: CutSpan) -> str:
    return "everything undecided (vacuum)" if cut.is_seal else shown(cut.dependency)


def effect_of(cut: CutSpan) -> str:
    """What a cut did, in words."""
    if cut.effect is Health.UNHEALTHY:
        return f"unhealthy after {span(cut.effect_after_s)}" if cut.effect_after_s is not None else "unhealthy"
    if cut.effect is Health.HEALTHY:
        return "tolerated: stayed healthy"
    return "none seen" if cut.blocked else "hit nothing"


def recovery_of(cut: CutSpan) -> str:
    """How the service came back."""
    if cut.is_stuck:
        return "stuck: still unhealthy after the restore"
    if cut.recovered_after_s is not None:
        return span(cut.recovered_after_s)
    return "–"


def length_of(cut: CutSpan, report: Report) -> str:
    if cut.until is None:
        return f"{span(report.until_s - cut.at)}, to the end"
    return span(cut.until - cut.at)


def title_of(report: Report) -> str:
    return report.state.name or "session"


def command_of(report: Report) -> str:
    """How it was started. A lab's own command line names places on the machine it ran on, and brings nobody further."""
    state = report.state
    if state.drill:
        return f"belljar drill {state.drill}"
    if state.lab and state.is_search_alone:
        return f"belljar minimize --lab {state.lab}"
    return f"belljar demo {state.lab}" if state.lab else " ".join(state.command)


def jar_of(report: Report) -> str:
    """Where it ran."""
    jars = {"namespaces": "in a jar of namespaces", "docker": "in a Docker jar"}
    if report.state.lab:
        name = report.state.lab
        return "in the built-in lab" if name == report.state.name else f"in the built-in lab {name}"
    return jars.get(report.state.jar, f"in the jar {report.state.jar}" if report.state.jar else "")


def summary_of(report: Report) -> list[str]:
    """What a reader in a hurry wants: a few sentences."""
    state = report.state
    lines = [f"{counted(len(known_in(report)), 'dependency', 'dependencies')} seen."]
    by_hand = [cut for cut in report.cuts if not cut.is_seal]
    if by_hand:
        broke = {shown(cut.dependency) for cut in by_hand if cut.effect is Health.UNHEALTHY}
        told = f"; broken by cutting {', '.join(sorted(broke))}" if broke else "; none of them broke it"
        lines.append(f"{counted(len(by_hand), 'cut')} by hand{told}.")
    if state.blocked:
        lines.append(f"{counted(state.blocked, 'blocked call')}.")
    if report.health:
        lines.append(_health_of(report))
    if any(cut.is_stuck for cut in report.cuts):
        lines.append("Stuck after restore: everything was open again and the service stayed unhealthy.")
    if state.search is not None:
        lines.append(f"{counted(state.search.done, 'trial')} of a search for the minimal working set.")
    return lines


def _health_of(report: Report) -> str:
    """How often it fell; that it was unhealthy before it was first up is no fall."""
    up = next((index for index, one in enumerate(report.health) if one.health is Health.HEALTHY), None)
    if up is None:
        return "Never healthy."
    falls = sum(stretch.health is Health.UNHEALTHY for stretch in report.health[up:])
    if not falls:
        return "Healthy from then on, once it was up."
    return f"It fell {'once' if falls == 1 else f'{falls} times'}, and was {report.state.health} at the end."


def known_in(report: Report) -> list[str]:
    """Every dependency the session knew, by name."""
    state = report.state
    known = set(state.dependencies) | set(report.verdicts)
    if state.search is not None:
        known |= set(state.search.dependencies)
        known |= set(state.search.found.minimal) if state.search.found is not None else set[str]()
    if report.claim.profile is not None and not known:
        known = set(report.claim.profile.allow)
    return sorted(known, key=lambda identity: (identity.partition("://")[2] or identity, identity))


def marks_of(report: Report) -> dict[str, str]:
    """Dependency -> the most telling thing about it."""
    state = report.state
    found = state.search.found if state.search is not None else None
    singles = {one[0] for one in found.cut_sets if len(one) == 1} if found is not None else set[str]()
    together = {one for each in found.cut_sets if len(each) > 1 for one in each} if found is not None else set[str]()
    marks: dict[str, str] = {}
    for identity in known_in(report):
        verdicts = report.verdicts.get(identity, {})
        view = state.dependencies.get(identity)
        if identity in singles:
            marks[identity] = "single point of failure"
        elif found is not None and identity in found.minimal:
            marks[identity] = "needed, or its fallback" if identity in together else "needed"
        elif identity in together:
            marks[identity] = "fallback"
        elif Verdict.NEEDED in verdicts.values():
            marks[identity] = "needed" + _where(verdicts)
        elif Verdict.TOLERATED in verdicts.values():
            marks[identity] = "tolerated"
        elif found is not None and identity in found.never_called:
            marks[identity] = "never called"
        elif view is not None and view.is_cut:
            marks[identity] = "cut"
        elif verdicts:
            marks[identity] = "inconclusive"
        else:
            marks[identity] = "not tried"
    return marks


def _where(verdicts: dict[Mode, Verdict]) -> str:
    """Said only where the modes differ: `needed (if blackhole)`."""
    if len(set(verdicts.values())) < 2:
        return ""
    modes = [str(mode) for mode, verdict in verdicts.items() if verdict is Verdict.NEEDED]
    return f" (if {', '.join(modes)})"
