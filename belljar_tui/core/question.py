"""What a search is asked, and what it answers."""

from __future__ import annotations

from enum import StrEnum

import msgspec

from belljar_tui.core.given import written
from belljar_tui.core.model import Mode, Settings
from belljar_tui.core.trial import Trial, TrialVerdict


class Phase(StrEnum):
    """What a trial is for."""

    BASELINE = "everything open"
    VACUUM = "vacuum"
    UNFOLD = "unfolding"
    SWEEP = "one cut"
    ESSENTIALS = "essentials alone"
    SIBLINGS = "look-alikes"
    GALLOP = "blocks"
    CONFIRM = "confirmation"
    MODES = "modes"
    REASONS = "cut sets"


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be found out."""

    candidates: tuple[str, ...] = ()
    """Ids known beforehand; more may show up where calls are seen."""
    has_evidence: bool = True
    """Whether outcomes say what was called and what met a cut."""
    modes: tuple[Mode, ...] = (Mode.REFUSE,)
    """The first is how the set is sealed; the table has all of them."""
    settings: dict[Mode, Settings] = {}
    """The parameters of modes that have any, where they are not the defaults."""
    stay_open: frozenset[str] = frozenset()
    """Never cut; not counted into the set."""
    stay_cut: frozenset[str] = frozenset()
    """Never opened, but for the trial with everything open."""
    prefer: tuple[str, ...] = ()
    """Where one of several will do, the earlier here is kept."""
    retries: int = 0
    """A member's necessity rests on this many failed trials more than one."""
    has_sweep: bool = True
    """Cut each by itself, even where the set alone could be found with fewer trials."""
    has_reasons: bool = True
    """Find the cut sets behind the members."""
    is_all: bool = False
    """Find every minimal working set and every minimal cut set."""
    is_direct: bool = False
    """Infer nothing: every claim is a trial of its own."""
    limit: int = 64
    """With `is_all`: stop at this many sets."""

    def parameters_of(self, mode: Mode) -> str:
        """`delay_s=2`; empty where they are the defaults."""
        return written(msgspec.to_builtins(self.settings.get(mode, Settings())))

    def named(self, mode: Mode) -> str:
        """`slow delay_s=2`"""
        return f"{mode} {self.parameters_of(mode)}".rstrip()


class Conclusion(StrEnum):
    FOUND = "found"
    NEVER_HEALTHY = "never healthy"
    """Not even with everything open."""
    INCONCLUSIVE = "inconclusive"
    """A trial failed to say anything, several times over."""


class Conflict(msgspec.Struct, frozen=True):
    """More was open, and it was worse."""

    passed: tuple[str, ...]
    """What was open when it passed."""
    failed: tuple[str, ...]
    """What was open when it failed: the same and more."""


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """What a search found out. Ids are sorted; sets are sorted by size, then by id."""

    conclusion: Conclusion
    minimal: tuple[str, ...] = ()
    cut_sets: tuple[tuple[str, ...], ...] = ()
    """Dependencies whose loss together breaks the service; a set of one is a single point of failure."""
    working_sets: tuple[tuple[str, ...], ...] = ()
    """Every minimal working set found; with `is_all` and `is_complete` there is no other."""
    tolerated: tuple[str, ...] = ()
    """Outside the set, and cut by itself the service was healthy."""
    never_called: tuple[str, ...] = ()
    modes: dict[str, dict[Mode, TrialVerdict]] = {}
    """Dependency -> mode -> the service's verdict with that one cut and all else open."""
    is_monotone: bool = True
    conflicts: tuple[Conflict, ...] = ()
    """Where more open was worse."""
    flaky: int = 0
    """Trials that both passed and failed."""
    is_complete: bool = True
    """False when the limit came first."""
    detail: str = ""


class Wanted(msgspec.Struct, frozen=True):
    """A trial that is wanted, and why."""

    trial: Trial
    phase: Phase
    about: str = ""
    """The dependency it asks about, where it is one."""
