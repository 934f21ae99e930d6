"""One experiment: what was left open, and what came of it."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from belljar_tui.core.model import NAME_SERVICE, Mode, Seal, Settings, Wanted

SOAK_S = 5.0
"""How long a cut of a steady trial lasts, where nobody said."""


class Recovery(StrEnum):
    """What a trial asks of the service."""

    COLD = "cold"
    """To become healthy from a fresh start."""
    STEADY = "steady"
    """To stay healthy while it runs."""


class TrialVerdict(StrEnum):
    HEALTHY = "healthy"
    BROKEN = "broken"
    INCONCLUSIVE = "inconclusive"
    """Nothing was learned: the trial itself failed."""


class Trial(msgspec.Struct, frozen=True, order=False):
    """An experiment that is wanted."""

    open: frozenset[str] | None
    """Ids left open, all else is cut; None: everything is open, also what nobody knows of yet."""
    mode: Mode = Mode.REFUSE
    """How all else fails."""
    attempt: int = 1
    """1, and more when the same trial is wanted again."""
    alone: str = ""
    """The one id that is cut in `mode`, where no seal can fail so; what else is not open is refused."""
    settings: Settings = Settings()
    """The parameters of that cut."""

    @property
    def wanted(self) -> Wanted:
        """The state it asks of a jar. The vacuum seal leaves name service open unless it is cut by itself."""
        if self.open is None:
            return Wanted()
        seal_mode = Mode.REFUSE if self.alone else self.mode
        cuts = {} if NAME_SERVICE in self.open else {NAME_SERVICE: seal_mode}
        alone = {self.alone: self.mode} if self.alone else {}
        settings = {self.alone: self.settings} if self.settings != Settings() else {}
        return Wanted(Seal.VACUUM, seal_mode, cuts | alone, self.open - {NAME_SERVICE}, settings)


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a trial showed."""

    trial: Trial
    verdict: TrialVerdict
    called: frozenset[str] | None = None
    """Ids the service called, open ones and cut ones; None where nobody watched."""
    blocked: frozenset[str] | None = None
    """Ids whose calls met the cut; None where nobody watched."""
    endpoints: dict[str, tuple[str, ...]] = {}
    """Id -> where it was called: `tcp 10.77.1.10:5432`."""
    healthy_after_s: float | None = None
    """Cold: seconds from the service's start to healthy."""
    recovered_after_s: float | None = None
    """Steady: seconds from the restore to healthy; None where it never was unhealthy, or is stuck."""
    is_stuck: bool = False
    """Steady: everything was restored and the service stayed unhealthy."""
    detail: str = ""
    """The check's own words, or why nothing was learned."""
    spent_s: float = 0.0
