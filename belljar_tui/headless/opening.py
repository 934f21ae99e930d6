"""Builds a session from what the command line asked for."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from belljar_tui import __version__, locations
from belljar_tui.core.events import SessionStarted
from belljar_tui.core.model import Wanted
from belljar_tui.core.profile import Healthy, Profile, profile_of, wanted_of
from belljar_tui.core.state import State
from belljar_tui.core.trial import SOAK_S, Outcome
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics
from belljar_tui.headless.asked import Asked, Attached, asked_for_lab
from belljar_tui.headless.containers import command_of_profile, plan_of_profile, with_container, with_own_check
from belljar_tui.headless.options import require_command
from belljar_tui.journal.writer import JournalWriter
from belljar_tui.labs import LABS
from belljar_tui.session import NewSearch, Session
from belljar_tui.wire.messages import Checks, Prepare

if TYPE_CHECKING:
    from belljar_tui.jars.attach import AttachJar
    from belljar_tui.jars.clone import Clone
    from belljar_tui.jars.docker import DockerJar
    from belljar_tui.jars.namespaces import NamespaceJar
    from belljar_tui.trials.jar_oracle import JarOracle
    from belljar_tui.trials.steady import SteadyOracle
    from belljar_tui.trials.trial_jar import TrialJar

_GRACE_S = 2.0
"""How long a service may take to end."""
Searches = Callable[[Asked, Path], NewSearch]
"""From what was asked for and the session's folder."""


class Opened(msgspec.Struct):
    """A session ready to start, and where its files are."""

    session: Session
    journal: Path
    log: Path
    """The service's own output; there is none where that goes where it went before."""
    writer: JournalWriter


def asked_for_profile(profile: Profile) -> Asked:
    """What it takes to put a profile to the test: its jar, sealed, with only its working set open."""
    healthy = profile.healthy
    health = Checks(
        tuple(healthy.checks),
        every_s=healthy.every_s,
        timeout_s=healthy.timeout_s,
        healthy_for=healthy.healthy_for,
    )
    if profile.lab is not None:
        asked = asked_for_lab(profile.lab, wanted_of(profile), health, profile.name)
        return msgspec.structs.replace(
            asked,
            deadline_s=profile.recovery.deadline_s,
            has_virtual_addresses=profile.virtual_addresses is not False,
        )
    plan = plan_of_profile(profile)
    return Asked(
        name=profile.name,
        command=command_of_profile(profile, plan) if plan else profile.service.command,
        plan=plan,
        health=health,
        wanted=wanted_of(profile),
        environment=dict(os.environ),
        forward=tuple(profile.forward),
        deadline_s=profile.recovery.deadline_s,
        has_virtual_addresses=profile.virtual_addresses is not False,
    )


def open_session(asked: Asked, searches: Searches | None = None) -> Opened:
    """Make the session's folder, journal and jar. Nothing runs yet. Raises BellJarError.

    Args:
        searches: makes what the session searches with, where it can.
    """
    if asked.plan is None and asked.attached is None:
        require_command(asked.command)
    started = datetime.now().astimezone()
    folder = locations.new_session(asked.name, started)
    journal = Path(asked.journal) if asked.journal else locations.journal_of(folder)
    log = locations.service_log_of(folder)
    zero = time.monotonic()
    writer = JournalWriter(journal)
    opening = SessionStarted(
        at=0.0,
        name=asked.name,
        jar=jar_of(asked),
        command=list(asked.command),
        checks=list(asked.health.checks),
        started=started.isoformat(timespec="seconds"),
        version=__version__,
        drill=asked.drill,
    )
    if asked.attached is None:
        _make(log)
    session = Session(
        _attach_jar(asked, asked.attached, zero) if asked.attached else _jar(asked, str(log), zero),
        opening,
        write=writer.write,
        save=saver_of(asked),
        wanted=asked.wanted,
        clock_zero=zero,
        new_search=searches(asked, folder) if searches is not None else None,
        **({"why_no_search": _why_no_search(asked.attached)} if asked.attached is not None else {}),
    )
    return Opened(session, journal, log, writer)


def _make(log: Path) -> None:
    try:
        log.touch(mode=0o600)
    except OSError as error:
        remedy = "Make room, or set XDG_STATE_HOME to a folder on another disk."
        raise UsageError(f"{log}: {error.strerror}.", "The service's output goes there.", remedy) from error


def _why_no_search(attached: Attached) -> str:
    """Trials break what they are tried on, and what is attached to is somebody's."""
    if attached.clone is None:
        return f"{attached.target.name} cannot be started again for trials; run it in a jar: belljar run -- COMMAND"
    name = attached.target.name
    return f"trials would break {name} again and again; try clones of it instead: belljar minimize --from {name}"


def jar_of(asked: Asked) -> str:
    """What kind of jar it is, as events say it."""
    if asked.attached is not None:
        return f"attached via {asked.attached.via}"
    if asked.plan is not None:
        return "docker"
    if asked.lab:
        return "lab" if asked.lab == asked.name else f"lab {asked.lab}"
    return "namespaces"


def jar_oracle(
    asked: Asked, folder: Path, *, deadline_s: float = 0.0, soak_s: float = 0.0, recalled: Sequence[Outcome] = ()
) -> JarOracle:
    """Cold trials of what was asked for; `folder` (it exists) takes each trial's output. Raises BellJarError."""
    from belljar_tui.trials.jar_oracle import JarOracle

    return JarOracle(jar_maker(asked), folder, deadline_s=deadline_s, soak_s=soak_s, recalled=recalled)


def steady_oracle(
    asked: Asked, folder: Path, *, deadline_s: float = 0.0, soak_s: float = SOAK_S, recalled: Sequence[Outcome] = ()
) -> SteadyOracle:
    """Steady trials of what was asked for, likewise."""
    from belljar_tui.trials.steady import SteadyOracle

    health = asked.health
    return SteadyOracle(
        jar_maker(asked),
        folder,
        deadline_s=deadline_s,
        soak_s=soak_s,
        settle_s=health.timeout_s + health.every_s * (health.healthy_for + 1),
        recalled=recalled,
    )


def jar_maker(asked: Asked) -> Callable[[], TrialJar]:
    """Makes jars whose service waits for its trial. Raises UsageError where no trial could be judged."""
    if asked.plan is None:
        require_command(asked.command)
    if not asked.health.checks:
        raise UsageError("A search needs to know when the service is healthy.", remedy="Give a check: --health URL")
    from belljar_tui.trials.trial_jar import TrialJar

    sealed = msgspec.structs.replace(asked, wanted=Wanted(), beginning=None)

    def make() -> TrialJar:
        zero = time.monotonic()
        return TrialJar(_jar(sealed, "", zero, is_waiting=True), zero)

    return make


def _attach_jar(asked: Asked, attached: Attached, zero: float) -> AttachJar:
    from belljar_tui.jars.attach import AttachJar  # only then is the engine's SDK needed

    prepare = Prepare(service=asked.command, wanted=asked.wanted, health=asked.health)
    return AttachJar(
        attached.target,
        prepare,
        via=attached.via,
        clock_zero=zero,
        waiting=attached.waiting,
        say=diagnostics.note,
    )


def _jar(asked: Asked, log_path: str, zero: float, *, is_waiting: bool = False) -> NamespaceJar | DockerJar:
    """What was asked for, not yet started. A trial's jar waits, and ends its service without grace."""
    prepare = msgspec.structs.replace(_prepare(asked, log_path), is_waiting=is_waiting)
    grace_s = 0.0 if is_waiting else _GRACE_S
    if asked.plan is None:
        from belljar_tui.jars.namespaces import NamespaceJar  # each kind of jar has much to load

        world = LABS[asked.lab].world if asked.lab else None
        return NamespaceJar(prepare, lab=world, faults=asked.faults, clock_zero=zero, grace_s=grace_s)
    from belljar_tui.jars.docker import DockerJar

    return DockerJar(
        asked.plan,
        prepare,
        beginning=asked.beginning,
        log_path=log_path,
        clock_zero=zero,
        grace_s=grace_s,
        say=diagnostics.note,
    )


def _prepare(asked: Asked, log_path: str) -> Prepare:
    lab = LABS[asked.lab] if asked.lab else None
    return Prepare(
        service=asked.command,
        wanted=asked.wanted,
        health=asked.health,
        environment=asked.environment,
        directory=str(Path.cwd()),
        user=os.geteuid(),
        group=os.getegid(),
        nameservers=lab.nameservers if lab else (),
        forwarded=asked.forward,
        log_path=log_path,
        has_virtual_addresses=asked.has_virtual_addresses,
    )


def saver_of(asked: Asked) -> Callable[[State, Path], None]:
    timing = asked.health

    def save(state: State, path: Path) -> None:
        from belljar_tui.journal.profile_file import write_profile  # YAML is not needed before

        plan, digest = asked.plan, asked.digest
        if asked.attached is not None:
            clone = _clone_to_save(asked.attached)
            plan, digest = clone.plan, clone.digest
        profile = profile_of(
            state,
            deadline_s=asked.deadline_s,
            date=datetime.now().astimezone().isoformat(timespec="seconds"),
            version=__version__,
            forward=asked.forward,
            lab=asked.lab,
            environment=asked.added,
            has_virtual_addresses=asked.has_virtual_addresses,
            healthy=Healthy(every_s=timing.every_s, timeout_s=timing.timeout_s, healthy_for=timing.healthy_for),
        )
        if plan is not None:
            profile = with_container(profile, plan, digest)
        if asked.attached is not None and asked.attached.clone is not None and asked.attached.clone.check:
            profile = with_own_check(profile, asked.attached.clone.check)
        write_profile(path, profile)

    return save


def _clone_to_save(attached: Attached) -> Clone:
    """Raises UsageError where a profile would be a promise that nobody can prove again."""
    if attached.clone is None:
        raise UsageError(
            f"{attached.target.name} cannot be started again, so no profile of it could be proven.",
            remedy="Run it in a jar and save there: belljar run -- COMMAND",
        )
    return attached.clone
