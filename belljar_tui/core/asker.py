"""Puts the questions of a search to the evidence: an answer, or the trial that would give it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from belljar_tui.core.evidence import Evidence, Ids
from belljar_tui.core.failures import SEALING
from belljar_tui.core.model import Mode, Settings
from belljar_tui.core.question import Phase, Question, Wanted
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict

DOUBTED = 3
"""How often a failure is tried before it is believed against other evidence, and an inconclusive one before we stop."""


class Need(Exception):
    """The search cannot go on without these trials; the likely ones may run beside them."""

    def __init__(self, *wanted: Wanted, likely: Iterable[Wanted] = ()) -> None:
        super().__init__()
        self.wanted = wanted
        self.likely = tuple(likely)


class Unclear(Exception):
    """A trial said nothing, several times over."""

    def __init__(self, trial: Trial) -> None:
        super().__init__()
        self.trial = trial


class Asker:
    """One reading of the outcomes. Every question returns what is known, or raises Need or Unclear."""

    def __init__(self, question: Question, outcomes: Sequence[Outcome]) -> None:
        self.question = question
        self.outcomes = outcomes
        self.evidence = self.evidence_of(question.modes[0])

    def evidence_of(self, mode: Mode, *, is_direct: bool = False) -> Evidence:
        """What the outcomes say of cuts in `mode`."""
        question = self.question
        known = frozenset(question.candidates) | question.stay_open | question.stay_cut
        is_direct = is_direct or question.is_direct or mode not in SEALING
        return Evidence(self.outcomes, mode, known, is_direct=is_direct, settings=self._settings_of(mode))

    def infer_nothing(self) -> None:
        """From here on only what was tried counts."""
        self.evidence = self.evidence_of(self.question.modes[0], is_direct=True)

    @property
    def smallest(self) -> Ids | None:
        """The smallest set known to work, without what is pinned open; None before any did."""
        sets = [self.evidence.universe if o.trial.open is None else o.trial.open for o in self.evidence.healthy]
        return min(sets, key=len) - self.question.stay_open if sets else None

    def ask(
        self, opened: Ids, phase: Phase, about: str = "", likely: Callable[[], Iterable[Wanted]] | None = None
    ) -> bool:
        """Whether the service is healthy with only `opened` open."""
        missing = self.missing(opened, phase, about)
        if missing is not None:
            raise Need(missing, likely=likely() if likely else ())
        return self.evidence.verdict(self.pinned(opened)) is TrialVerdict.HEALTHY

    def ask_each(self, cut_by: dict[str, Ids], phase: Phase) -> dict[str, bool]:
        """The same for several, which may run side by side."""
        missing = [m for about, opened in cut_by.items() if (m := self.missing(opened, phase, about)) is not None]
        if missing:
            raise Need(*missing)
        return {about: self.ask(opened, phase) for about, opened in cut_by.items()}

    def missing(
        self, opened: Ids, phase: Phase, about: str = "", evidence: Evidence | None = None, mode: Mode | None = None
    ) -> Wanted | None:
        """The trial that would answer; None when the evidence does."""
        evidence = evidence or self.evidence
        opened = self.pinned(opened)
        if evidence.verdict(opened) is not None:
            return None
        return Wanted(self.again(opened, evidence, mode or self.question.modes[0]), phase, about)

    def again(self, opened: Ids | None, evidence: Evidence, mode: Mode, about: str = "") -> Trial:
        """The next attempt at a set. Raises Unclear when it was tried often and never said anything.

        Args:
            about: what is cut, where it is cut alone.
        """
        attempts = evidence.attempts(opened)
        alone = "" if mode in SEALING else about
        trial = Trial(opened, mode, attempts + 1, alone, self._settings_of(mode))
        if attempts >= DOUBTED and evidence.exact(opened) is None:
            raise Unclear(trial)
        return trial

    def _settings_of(self, mode: Mode) -> Settings:
        return self.question.settings.get(mode, Settings())

    def pinned(self, opened: Ids) -> Ids:
        return (opened | self.question.stay_open) - self.question.stay_cut

    def ordered(self, ids: Iterable[str]) -> list[str]:
        """In the order to cut: what nobody prefers (the last by name first), and at the end the most preferred."""
        rank = {identity: len(self.question.prefer) - n for n, identity in enumerate(self.question.prefer)}
        return sorted(sorted(ids, reverse=True), key=lambda identity: rank.get(identity, 0))

    @property
    def cuttable(self) -> Ids:
        return self.evidence.universe - self.question.stay_open - self.question.stay_cut
