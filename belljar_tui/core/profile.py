"""The profile: what a service needs, as a contract that can be proven again. Pure; reading and writing the file is
`journal.profile_file`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Literal

import msgspec

from belljar_tui.core.deadline import Deadline
from belljar_tui.core.model import NAME_SERVICE, Dependency, Health, Mode, Seal, Wanted
from belljar_tui.core.search import Conclusion, Found
from belljar_tui.core.search_view import SearchView
from belljar_tui.core.state import DependencyView, State
from belljar_tui.core.trial import Recovery as RecoveryKind
from belljar_tui.core.trial import TrialVerdict
from belljar_tui.errors import NothingToSave

VERSION = 2
"""The profile's format."""

Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]
Seconds = Annotated[float, msgspec.Meta(gt=0)]
Count = Annotated[int, msgspec.Meta(ge=0)]


class Verdict(StrEnum):
    """What a cut told us about a dependency."""

    NEEDED = "needed"
    TOLERATED = "tolerated"
    INCONCLUSIVE = "inconclusive"


class Part(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The common ground of every mapping in a profile: a field nobody knows is an error, not a wish."""


class Limits(Part, frozen=True, kw_only=True):
    """Hardware the service was given; absent means no limit."""

    memory_mb: Annotated[int, msgspec.Meta(ge=1)] | None = None
    cpus: Annotated[float, msgspec.Meta(gt=0)] | None = None


class Container(Part, frozen=True, kw_only=True):
    """The service as a container, in the words of `docker run`."""

    image: Annotated[str, msgspec.Meta(min_length=1)]
    digest: str = ""
    """Of the image that the evidence is about."""
    entrypoint: str | None = None
    """Instead of the image's."""
    networks: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    """What others on the networks may call it."""
    dns: tuple[str, ...] = ()
    """Name servers instead of the engine's own choice."""
    mounts: tuple[str, ...] = ()
    """`SOURCE:PATH[:ro]`. A mount of the host's own files is a hole in the seal; these are the ones that may be."""
    tmpfs: tuple[str, ...] = ()
    """`PATH[:OPTIONS]`."""
    hosts: tuple[str, ...] = ()
    """`NAME:ADDRESS`, for its /etc/hosts."""
    user: str = ""
    directory: str = ""
    own_pid: bool = False
    """It is PID 1 of a namespace of its own."""


class Service(Part, frozen=True, kw_only=True):
    command: tuple[str, ...] = ()
    """The command line; may be absent only where a lab brings its own service, or an image does."""
    container: Container | None = None
    """Where it runs as one."""
    environment: tuple[str, ...] = ()
    """Names of the environment variables it is given. Never their values."""
    limits: Limits = Limits()


class Recovery(Part, frozen=True, kw_only=True, omit_defaults=False):
    kind: Literal["cold", "steady"] = "cold"
    """`cold`: from a fresh start; `steady`: cut while running."""
    deadline_s: Seconds = 60.0
    """Seconds from the start within which the service must be healthy; for `steady` with everything still open."""
    soak_s: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Seconds it must stay healthy (`steady`: once cut); 0: a few rounds of checks."""


class Healthy(Part, frozen=True, kw_only=True, omit_defaults=False):
    checks: tuple[str, ...] = ()
    """`http://localhost:8080/ready`, `tcp://localhost:5432`, `exec:CMD`."""
    every_s: Seconds = 0.5
    timeout_s: Seconds = 2.0
    healthy_for: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Healthy = all checks pass this many times in a row."""


class DependencyEvidence(Part, frozen=True, kw_only=True):
    """What one dependency showed in the session behind the profile."""

    id: str
    calls: Count = 0
    blocked: Count = 0
    """Blocked calls."""
    endpoints: tuple[str, ...] = ()
    """Where it was called: `tcp 10.77.1.10:5432`."""
    verdicts: dict[Mode, Verdict] = {}
    """How the service took it, cut by itself in each mode."""


class Evidence(Part, frozen=True, kw_only=True):
    """Where the profile comes from. For people; verifying only takes from it which dependencies are known."""

    date: str = ""
    """ISO 8601."""
    health: Health = Health.UNKNOWN
    """The service's health when the profile was saved, or with the working set alone where a search found it."""
    versions: dict[str, str] = {}
    trials: Count = 0
    """Trials behind the working set; 0 where a person cut by hand."""
    repeated: Count = 0
    """How many of them repeated a failed one."""
    is_minimal: bool = False
    """Whether no member (pinned ones aside) can be taken away, as the trials showed."""
    pinned: tuple[str, ...] = ()
    """Members that were kept open by request: nothing was learned about them."""
    cut_sets: tuple[tuple[str, ...], ...] = ()
    """Dependencies whose loss together breaks the service; a set of one is a single point of failure."""
    working_sets: tuple[tuple[str, ...], ...] = ()
    """Other minimal working sets that were found."""
    parameters: dict[Mode, str] = {}
    """Of the modes that were tried, `delay_s=2`, where they were not the defaults."""
    contradictions: Count = 0
    """Trials in which more open dependencies were worse; the set rests on single steps then."""
    dependencies: tuple[DependencyEvidence, ...] = ()
    never_exercised: tuple[str, ...] = ()
    """Dependencies that are known and were never called: nothing was learned about them."""


class Profile(Part, frozen=True, kw_only=True, omit_defaults=False):
    """A contract between a person and CI. Field order is the file's order."""

    claim: str = ""
    """The contract as a sentence, written anew from the rest with every save."""
    belljar: Annotated[int, msgspec.Meta(ge=VERSION, le=VERSION)]
    """The format's version."""
    name: Annotated[str, msgspec.Meta(min_length=1)]
    """What the service is called."""
    lab: str | None = None
    """The built-in lab that brings the service and its world."""
    service: Service = Service()
    forward: tuple[Port, ...] = ()
    """TCP ports of the jar's loopback that lead to the host's loopback."""
    virtual_addresses: bool | None = None
    """False: names that share an address are cut together, as the one that resolved first; absent: each alone."""
    recovery: Recovery = Recovery()
    healthy: Healthy = Healthy()
    allow: tuple[str, ...]
    """The working set: ids of the dependencies left open. Name service (`dns:`) is a member like any other."""
    sealed: Mode = Mode.REFUSE
    """How everything else fails."""
    evidence: Evidence = Evidence()


class Flaw(msgspec.Struct, frozen=True):
    """Something a type cannot say is wrong with a profile."""

    path: tuple[str | int, ...]
    """Where, e.g. `("allow", 2)`."""
    why: str
    remedy: str = ""


def profile_of(
    state: State,
    *,
    deadline_s: float,
    date: str,
    version: str,
    forward: Sequence[int] = (),
    lab: str | None = None,
    environment: Sequence[str] = (),
    healthy: Healthy | None = None,
    has_virtual_addresses: bool = True,
) -> Profile:
    """The profile that the session so far amounts to.

    After a finished search that is the working set it found. Otherwise: what is open and was called may stay, all else
    is sealed.

    Args:
        deadline_s: where no search says otherwise.
        date: ISO 8601, when it is saved.
        version: BellJar's.
        healthy: how health was measured, where it is not the default; its checks are replaced by the session's.

    Raises:
        NothingToSave: the search ended without a working set.
    """
    learned = _learned_by_hand(state, deadline_s)
    if state.search is not None and state.search.found is not None:
        learned = _learned_by_search(state, state.search, state.search.found)
    profile = Profile(
        belljar=VERSION,
        name=state.name or "service",
        lab=lab,
        # A lab's command line names places on this machine; the lab itself brings its service anywhere.
        service=Service(command=() if lab else state.command, environment=tuple(sorted(environment))),
        forward=tuple(sorted(forward)),
        virtual_addresses=None if has_virtual_addresses else False,
        recovery=learned.recovery,
        healthy=msgspec.structs.replace(healthy or Healthy(), checks=state.checks),
        allow=tuple(sorted(learned.allow)),
        sealed=learned.sealed,
        evidence=msgspec.structs.replace(learned.evidence, date=date, versions={"belljar": version}),
    )
    return msgspec.structs.replace(profile, claim=claim_of(profile))


def wanted_of(profile: Profile) -> Wanted:
    """The wanted state that puts the profile to the test: vacuum, with only the working set open."""
    opens = frozenset(str(Dependency.parse(identity)) for identity in profile.allow)
    # the vacuum spares name service unless it is cut by itself
    cuts = {} if NAME_SERVICE in opens else {NAME_SERVICE: profile.sealed}
    return Wanted(seal=Seal.VACUUM, seal_mode=profile.sealed, cuts=cuts, opens=opens)


def called_in(state: State) -> frozenset[str]:
    """Ids of what the service called, name service included: open or cut, answered or not."""
    called = {view.id for view in state.dependencies.values() if _was_called(view)}
    return frozenset(called | {NAME_SERVICE} if state.names else called)


def verdicts_in(state: State) -> dict[str, dict[Mode, Verdict]]:
    """Dependency -> mode -> what cutting it showed: by the search's trials, or else by hand."""
    found = state.search.found if state.search is not None else None
    table = {
        view.id: {trying.mode: _VERDICTS[trying.health] for trying in view.tried}
        for view in state.dependencies.values()
        if view.tried
    }
    if found is None:
        return table
    return table | {one: table.get(one, {}) | _verdicts(found, one) for one in found.modes}


def claim_of(profile: Profile) -> str:
    """The contract as a sentence: `checkout becomes healthy within 60 s of a cold start with only ...`."""
    labels = _labels(profile.allow)
    if not labels:
        return f"{_promise(profile)} with nothing reachable, everything {_failed(profile.sealed)}"
    only = f"with only {_listed(labels)} reachable, everything else {_failed(profile.sealed)}"
    return f"{_promise(profile)} {only}"


_FAILED = {
    Mode.REFUSE: "refused",
    Mode.BLACKHOLE: "dropped in silence",
    Mode.RESET: "reset",
    Mode.UNREACHABLE: "unreachable",
    Mode.HANG: "accepted and never answered",
}

_VERDICTS = {
    Health.UNHEALTHY: Verdict.NEEDED,
    Health.HEALTHY: Verdict.TOLERATED,
    Health.UNKNOWN: Verdict.INCONCLUSIVE,
}


_TRIAL_VERDICTS = {
    TrialVerdict.BROKEN: Verdict.NEEDED,
    TrialVerdict.HEALTHY: Verdict.TOLERATED,
    TrialVerdict.INCONCLUSIVE: Verdict.INCONCLUSIVE,
}


class _Learned(msgspec.Struct, frozen=True):
    """What a session says of the service, whoever did the cutting."""

    recovery: Recovery
    allow: frozenset[str]
    sealed: Mode
    evidence: Evidence


def _learned_by_hand(state: State, deadline_s: float) -> _Learned:
    called = called_in(state) | (state.dependencies.keys() & {NAME_SERVICE})
    cut = {view.id for view in state.dependencies.values() if view.is_cut}
    evidence = Evidence(
        health=state.health,
        dependencies=tuple(_evidence(one, state.dependencies.get(one)) for one in sorted(called)),
        never_exercised=tuple(sorted(state.dependencies.keys() - called)),
    )
    return _Learned(Recovery(deadline_s=float(deadline_s)), called - cut, state.seal_mode, evidence)


def _learned_by_search(state: State, search: SearchView, found: Found) -> _Learned:
    if found.conclusion is not Conclusion.FOUND:
        raise NothingToSave(_NO_SET[found.conclusion], found.detail)
    allow = frozenset(found.minimal) | search.question.stay_open
    known = called_in(state) | set(search.dependencies) | allow | found.modes.keys()
    evidence = Evidence(
        health=Health.HEALTHY,
        trials=search.done,
        repeated=search.repeated,
        is_minimal=True,
        pinned=tuple(sorted(search.question.stay_open - set(found.minimal))),
        cut_sets=found.cut_sets,
        working_sets=tuple(one for one in found.working_sets if one != found.minimal),
        parameters={mode: search.question.parameters_of(mode) for mode in search.question.settings},
        contradictions=len(found.conflicts),
        dependencies=tuple(
            _searched(_evidence(one, state.dependencies.get(one)), search.endpoints.get(one, ()), _verdicts(found, one))
            for one in sorted(known - set(found.never_called))
        ),
        never_exercised=tuple(sorted(found.never_called)),
    )
    recovery = Recovery(
        kind="steady" if search.recovery is RecoveryKind.STEADY else "cold",
        deadline_s=round(Deadline(search.deadline_s, search.outcomes).seconds, 1),
        soak_s=float(search.soak_s),
    )
    modes = search.question.modes or (Mode.REFUSE,)  # of a journal that somebody wrote by hand
    return _Learned(recovery, allow, modes[0], evidence)


_NO_SET = {
    Conclusion.NEVER_HEALTHY: "There is no working set to save: the service was never healthy, even with all open.",
    Conclusion.INCONCLUSIVE: "There is no working set to save: the search ended inconclusive.",
}


def _was_called(view: DependencyView) -> bool:
    return bool(view.calls or view.endpoints or view.blocked or view.callers)


def _searched(
    by_hand: DependencyEvidence, endpoints: tuple[str, ...], verdicts: dict[Mode, Verdict]
) -> DependencyEvidence:
    """What the trials showed, and the session before them."""
    both = tuple(sorted({*by_hand.endpoints, *endpoints}))
    return msgspec.structs.replace(by_hand, endpoints=both, verdicts=verdicts)


def _evidence(identity: str, view: DependencyView | None) -> DependencyEvidence:
    if view is None:
        return DependencyEvidence(id=identity)
    return DependencyEvidence(
        id=identity,
        calls=view.calls,
        blocked=view.blocked,
        endpoints=tuple(sorted(view.endpoints)),
        verdicts={trying.mode: _VERDICTS[trying.health] for trying in view.tried},
    )


def _verdicts(found: Found, identity: str) -> dict[Mode, Verdict]:
    return {mode: _TRIAL_VERDICTS[verdict] for mode, verdict in found.modes.get(identity, {}).items()}


def _failed(mode: Mode) -> str:
    return _FAILED.get(mode, f"cut by {mode}")


def _promise(profile: Profile) -> str:
    recovery = profile.recovery
    if recovery.kind == "cold":
        return f"{profile.name} becomes healthy within {recovery.deadline_s:g} s of a cold start"
    soak = f" for {recovery.soak_s:g} s" if recovery.soak_s else ""
    return f"{profile.name}, running and healthy, stays healthy{soak}"


def _labels(allow: Sequence[str]) -> list[str]:
    """Hosts, and whole ids where one host stands for several dependencies."""
    dependencies = [Dependency.parse(identity) for identity in allow]
    hosts = [dependency.label for dependency in dependencies]
    return [d.label if hosts.count(d.label) == 1 else str(d) for d in dependencies]


def _listed(labels: Sequence[str]) -> str:
    *most, last = labels
    return f"{', '.join(most)} and {last}" if most else last
