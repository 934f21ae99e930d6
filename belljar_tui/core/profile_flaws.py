"""What types cannot say is wrong with a profile. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from belljar_tui.core.check import parse_check
from belljar_tui.core.failures import why_no_seal
from belljar_tui.core.model import Dependency
from belljar_tui.core.profile import Flaw, Profile
from belljar_tui.errors import BadCheck, BadDependencyId


def flaws(profile: Profile) -> Iterator[Flaw]:
    """Everything wrong with a well-typed profile, in the file's order: ids, checks, names, numbers."""
    if profile.lab is None and not profile.service.command and profile.service.container is None:
        yield Flaw(
            ("service",), "the service has no command", "Write it as a list: command: [./server, --port, '8080']"
        )
    yield from _bad_environment(profile.service.environment)
    yield from _endless(profile)
    if not profile.healthy.checks:
        remedy = "Add one under healthy: checks: [http://localhost:8080/ready]"
        yield Flaw(("healthy",), "there is no health check, so nothing can be proven", remedy)
    for index, check in enumerate(profile.healthy.checks):
        try:
            parse_check(check)
        except BadCheck as error:
            yield Flaw(("healthy", "checks", index), error.what, error.remedy)
    if why := why_no_seal(profile.sealed):
        yield Flaw(("sealed",), why.removesuffix("."), "Write one of those")
    for index, identity in enumerate(profile.allow):
        try:
            Dependency.parse(identity)
        except BadDependencyId as error:
            yield Flaw(("allow", index), error.what, error.remedy)


def _bad_environment(names: Sequence[str]) -> Iterator[Flaw]:
    for index, name in enumerate(names):
        if "=" in name:
            why = "an environment variable is given by its name, never with its value"
            yield Flaw(("service", "environment", index), why, f"Write only {name.partition('=')[0]}")
        elif not name or "\0" in name:
            yield Flaw(("service", "environment", index), f"{name!r} is not the name of an environment variable")


def _endless(profile: Profile) -> Iterator[Flaw]:
    healthy = profile.healthy
    numbers: list[tuple[tuple[str, str], float]] = [
        (("recovery", "deadline_s"), profile.recovery.deadline_s),
        (("recovery", "soak_s"), profile.recovery.soak_s),
        (("healthy", "every_s"), healthy.every_s),
        (("healthy", "timeout_s"), healthy.timeout_s),
    ]
    for path, number in numbers:
        if not math.isfinite(number):
            yield Flaw(path, "the number has no end", "Write the seconds to wait, e.g. 60")
