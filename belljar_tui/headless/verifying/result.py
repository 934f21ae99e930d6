"""What a verification has to say: the objects in `--json`, and what each other report is made of."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec

from belljar_tui.headless.diagnostics import Exit


class Verdict(StrEnum):
    """Of one profile."""

    HOLDS = "holds"
    BROKEN = "broken"
    DRIFTED = "drifted"
    UNSEALED = "unsealed"
    """The jar could not be made, or its seal not be proven."""
    INCONCLUSIVE = "inconclusive"
    """Nothing was learned."""


class Need(StrEnum):
    """Of one member of the working set, cut too."""

    NEEDED = "needed"
    NO_LONGER_NEEDED = "no longer needed"
    UNSEALED = "unsealed"
    INCONCLUSIVE = "inconclusive"


class Member(msgspec.Struct, kw_only=True):
    """What the run without one member showed (`--strict`)."""

    id: str
    need: Need
    healthy_after_s: float | None = None
    detail: str = ""
    """The check's own words, or why there is no answer."""
    journal: str = ""
    spent_s: float = 0.0


class Verified(msgspec.Struct, kw_only=True):
    """What the proof of one profile showed; the object in `--json`."""

    profile: str
    verdict: Verdict
    healthy_after_s: float | None = None
    """Seconds from the service's start to the health that lasted."""
    new_dependencies: list[str] = []
    """Called, and unknown to the profile."""
    no_longer_needed: list[str] = []
    """Members that were not called in the run; with `--strict`, members without which it was healthy."""
    why: str = ""
    """What happened, as a sentence; empty where the profile holds."""
    detail: str = ""
    """The check's own words."""
    blocked: dict[str, int] = {}
    """Blocked calls per dependency."""
    lost: int = 0
    """What could not be observed: new dependencies may have been missed."""
    stayed_healthy_s: float | None = None
    """How long it was watched healthy after that; under the cut."""
    recovery: str = ""
    """`cold` or `steady`."""
    members: list[Member] = []
    """With `--strict`."""
    claim: str = ""
    journal: str = ""
    log: list[str] = []
    """The service's last words, where it did not get healthy."""
    is_interrupted: bool = False
    spent_s: float = 0.0
    """Of its own run, without those of `members`."""

    @property
    def held(self) -> bool:
        """Healthy as claimed, whatever else has changed."""
        return self.stayed_healthy_s is not None


CODES = {
    Verdict.HOLDS: Exit.HOLDS,
    Verdict.BROKEN: Exit.BROKEN,
    Verdict.DRIFTED: Exit.DRIFTED,
    Verdict.UNSEALED: Exit.UNSEALED,
    Verdict.INCONCLUSIVE: Exit.INCONCLUSIVE,
}
_WORST = (Exit.UNSEALED, Exit.BROKEN, Exit.INCONCLUSIVE, Exit.DRIFTED, Exit.HOLDS)


def exit_code(results: Iterable[Verified]) -> Exit:
    """Of several the worst; interrupted where one was."""
    results = list(results)
    if any(result.is_interrupted for result in results):
        return Exit.INTERRUPTED
    codes = {CODES[result.verdict] for result in results}
    return next(code for code in _WORST if code in codes)
