"""The verdict of a run, from what was seen of it. Pure."""

from __future__ import annotations

import signal

from belljar_tui.core.model import Dependency, Health
from belljar_tui.core.profile import Profile, called_in, claim_of
from belljar_tui.core.state import State
from belljar_tui.headless.verifying.result import Member, Need, Verdict, Verified
from belljar_tui.headless.verifying.sealed_run import Run


def judged(path: str, profile: Profile, run: Run) -> Verified:
    """Of the profile's own run."""
    state = run.state
    called = called_in(state)
    new = sorted(called - _known(profile))
    result = Verified(
        profile=path,
        verdict=_verdict(profile, run, bool(new)),
        healthy_after_s=healthy_after_s(state) if run.held or run.cut_at is not None else None,
        new_dependencies=new,
        no_longer_needed=[member for member in profile.allow if member not in called] if run.held else [],
        detail=state.health_detail,
        blocked={view.id: view.blocked for view in state.dependencies.values() if view.blocked},
        lost=state.lost,
        stayed_healthy_s=run.soak_s if run.held else None,
        recovery=profile.recovery.kind,
        claim=claim_of(profile),
        journal=run.journal,
        log=[] if run.held else run.log,
        is_interrupted=run.is_interrupted,
        spent_s=run.spent_s,
    )
    result.why = _why(profile, run, result)
    if run.exit_code is not None and not run.held:
        result.detail = result.why
    if run.unset and not run.held:
        result.why += f" Not set here, and the profile names it: {', '.join(run.unset)}."
    return result


def judged_member(member: str, profile: Profile, run: Run) -> Member:
    """Of the run without `member`: `profile` is the one without it."""
    needs = {
        Verdict.HOLDS: Need.NO_LONGER_NEEDED,
        Verdict.BROKEN: Need.NEEDED,
        Verdict.UNSEALED: Need.UNSEALED,
        Verdict.INCONCLUSIVE: Need.INCONCLUSIVE,
    }
    own = judged("", profile, run)
    need = needs[_verdict(profile, run, has_new=False)]
    words = own.why if need in (Need.UNSEALED, Need.INCONCLUSIVE) else own.detail
    return Member(
        id=member,
        need=need,
        healthy_after_s=own.healthy_after_s,
        detail=words,
        journal=run.journal,
        spent_s=run.spent_s,
    )


def add_members(result: Verified, members: list[Member]) -> None:
    """What the runs without each member change about the whole."""
    result.members = members
    result.no_longer_needed = [one.id for one in members if one.need is Need.NO_LONGER_NEEDED]
    unclear = [one for one in members if one.need in (Need.UNSEALED, Need.INCONCLUSIVE)]
    if unclear:
        is_unsealed = any(one.need is Need.UNSEALED for one in unclear)
        result.verdict = Verdict.UNSEALED if is_unsealed else Verdict.INCONCLUSIVE
        result.why = f"The run without {unclear[0].id} gave no answer: {unclear[0].detail}"
    elif result.no_longer_needed:
        result.verdict = Verdict.DRIFTED
        words = f"It is healthy without {_listed(result.no_longer_needed)} too."
        result.why = f"{result.why} {words}".strip()


def healthy_after_s(state: State) -> float | None:
    """Seconds from the service's start to the health it ended with, or last had; None when it never was healthy."""
    since: float | None = None
    before = Health.UNKNOWN
    for span in state.health_spans:
        if span.health is Health.HEALTHY and before is not Health.HEALTHY:
            since = span.at
        before = span.health
    return None if since is None else round(since - state.service_started_at, 3)


def _known(profile: Profile) -> frozenset[str]:
    """Dependencies the profile knows of, whatever it says about them."""
    allow = {str(Dependency.parse(member)) for member in profile.allow}
    evidence = profile.evidence
    return frozenset(allow | {one.id for one in evidence.dependencies} | set(evidence.never_exercised))


def _verdict(profile: Profile, run: Run, has_new: bool) -> Verdict:
    if run.is_unsealed:
        return Verdict.UNSEALED
    if run.trouble or run.is_interrupted:
        return Verdict.INCONCLUSIVE
    if _leak(profile, run.state):
        return Verdict.UNSEALED
    if run.state.has_stalled and not run.held:
        return Verdict.INCONCLUSIVE
    if run.held:
        return Verdict.DRIFTED if has_new else Verdict.HOLDS
    if profile.recovery.kind == "steady" and run.cut_at is None:
        return Verdict.INCONCLUSIVE
    return Verdict.BROKEN


def _leak(profile: Profile, state: State) -> str:
    """Why the seal cannot be relied on; empty when it can."""
    if state.proof is None:
        return "The seal was not proven."
    if not state.proof.ok:
        return state.proof.detail
    return "; ".join([*state.audit_failures, *_holes(profile, state)])


def _holes(profile: Profile, state: State) -> list[str]:
    """Ways around the seal that the profile does not name. The mounts it names are part of its claim; what the engine
    leaves open to every container is not the profile's to name."""
    container = profile.service.container
    named = {mount.split(":")[1] for mount in container.mounts} if container is not None else set()
    own = (hole for hole in state.holes if hole.kind != "family")
    found = (hole for hole in own if hole.kind == "mounts" or hole.path not in named)
    return [f"A hole in the seal that the profile does not name: {hole.source} at {hole.path}." for hole in found]


def _why(profile: Profile, run: Run, result: Verified) -> str:
    if run.trouble:
        return run.trouble
    if result.verdict is Verdict.INCONCLUSIVE and run.state.has_stalled:
        return "A part of the jar was stopped meanwhile."
    if result.verdict is Verdict.UNSEALED:
        return _leak(profile, run.state)
    if run.is_interrupted:
        return f"Interrupted; until then the service was {_so_far(run.state)}."
    if run.held:
        new = result.new_dependencies
        return f"It calls {_listed(new)}, which the profile does not know." if new else ""
    if run.exit_code is not None:
        return _ending(run.exit_code)
    if run.cut_at is not None:
        return f"It was unhealthy {run.state.health_since - run.cut_at:.1f} s after the cut."
    return _never_healthy(profile, run.state)


def _never_healthy(profile: Profile, state: State) -> str:
    healthy, deadline_s = profile.healthy, profile.recovery.deadline_s
    with_all = " with everything open, before any cut" if profile.recovery.kind == "steady" else ""
    was_healthy = healthy_after_s(state)
    if was_healthy is not None:
        return (
            f"It was healthy after {was_healthy:.1f} s, but not for long, and the deadline of {deadline_s:g} s passed."
        )
    words = f"It was not healthy within {deadline_s:g} s{with_all}."
    if deadline_s < healthy.every_s * (healthy.healthy_for - 1) + healthy.every_s:
        words += (
            f" The deadline is too short for {healthy.healthy_for} checks in a row, {healthy.every_s:g} s apart:"
            " raise recovery.deadline_s."
        )
    elif state.health is Health.UNKNOWN:
        words += " No check had failed; it may only need more time: raise recovery.deadline_s."
    return words


def _ending(code: int) -> str:
    if code >= 0:
        return f"the service ended with exit code {code}"
    try:
        return f"the service was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"the service was ended by signal {-code}"


def _so_far(state: State) -> str:
    if state.service_pid is None:
        return "not started yet"
    return "neither healthy nor unhealthy yet" if state.health is Health.UNKNOWN else str(state.health)


def _listed(words: list[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last
