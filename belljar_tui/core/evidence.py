"""What the outcomes so far say of any set of open dependencies, tried or not. Pure.

Two things carry a verdict from one set to another:

- More open is never worse: a superset of a healthy set is healthy, a subset of a broken one is broken (*monotone*).
- What was not called made no difference: cut or open, the trial would have gone the same way.

Both are assumptions about the service. Where outcomes contradict them the evidence says so (`conflicts`), and
`is_direct` takes nothing but what was tried for an answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from belljar_tui.core.model import Mode, Settings
from belljar_tui.core.trial import Outcome, Trial, TrialVerdict

Ids = frozenset[str]
_DEFAULTS = Settings()


class Evidence:
    """The outcomes of one mode.

    Args:
        outcomes: in any order; those of other modes are passed over, except that a trial with everything open has no
            mode.
        known: ids known from the start.
        is_direct: infer nothing.
        settings: the mode's parameters; outcomes with others are passed over, too.
    """

    def __init__(
        self,
        outcomes: Iterable[Outcome],
        mode: Mode,
        known: Ids = frozenset(),
        *,
        is_direct: bool,
        settings: Settings = _DEFAULTS,
    ) -> None:
        self._mode = mode
        self.is_direct = is_direct
        self._exact: dict[Ids | None, list[Outcome]] = {}
        seen: set[str] = set(known)
        for outcome in outcomes:
            seen |= (outcome.called or frozenset()) | (outcome.blocked or frozenset())
            trial = outcome.trial
            if trial.open is None or (trial.mode is mode and trial.settings == settings):
                self._exact.setdefault(trial.open, []).append(outcome)
        self.universe: Ids = frozenset(seen)
        """Every id known or seen."""
        self._healthy = [group[0] for group in self._groups(TrialVerdict.HEALTHY)]
        self._broken = [outcome for group in self._groups(TrialVerdict.BROKEN) for outcome in group]

    def verdict(self, opened: Ids) -> TrialVerdict | None:
        """HEALTHY or BROKEN where the evidence says so; None where a trial is needed."""
        exact = self.exact(opened)
        if exact is not None or self.is_direct:
            return exact
        if any(_reaches_down(outcome, self.universe) <= opened for outcome in self._healthy):
            return TrialVerdict.HEALTHY
        return TrialVerdict.BROKEN if self.support(opened) else None

    def exact(self, opened: Ids | None) -> TrialVerdict | None:
        """The verdict of this very set. One pass outweighs failures: noise breaks a service, it does not mend one."""
        verdicts = {outcome.verdict for outcome in self._group(opened)}
        for verdict in (TrialVerdict.HEALTHY, TrialVerdict.BROKEN):
            if verdict in verdicts:
                return verdict
        return None

    def attempts(self, opened: Ids | None) -> int:
        """How often this very set was tried."""
        return len(self._group(opened))

    def support(self, opened: Ids) -> int:
        """How many failed trials say that `opened` is broken."""
        if self.is_direct:
            return len([o for o in self._group(opened) if o.verdict is TrialVerdict.BROKEN])
        return sum(_covers(outcome, opened) for outcome in self._broken)

    def blocked_at(self, opened: Ids) -> Ids:
        """Ids that are called in vain while only `opened` is open, as far as is known."""
        found: set[str] = set()
        for outcome in self._broken:
            if outcome.blocked and _covers(outcome, opened):
                found |= outcome.blocked
        return frozenset(found) - opened

    def conflicts(self) -> list[tuple[Outcome, Outcome]]:
        """Healthy and broken outcomes that contradict each other under the two assumptions."""
        return [
            (healthy, broken)
            for broken in self._broken
            for healthy in self._healthy
            if healthy.trial.open is not None and _covers(broken, healthy.trial.open)
        ]

    @property
    def healthy(self) -> list[Outcome]:
        """One outcome of every set that passed."""
        return self._healthy

    @property
    def flaky(self) -> list[Trial]:
        """Trials that both passed and failed."""
        return [
            group[0].trial
            for group in self._exact.values()
            if {TrialVerdict.HEALTHY, TrialVerdict.BROKEN} <= {outcome.verdict for outcome in group}
        ]

    def _group(self, opened: Ids | None) -> list[Outcome]:
        if opened is not None and self.universe and opened >= self.universe:
            return [*self._exact.get(None, []), *self._exact.get(opened, [])]
        return self._exact.get(opened, [])

    def _groups(self, verdict: TrialVerdict) -> list[list[Outcome]]:
        """The outcomes with this verdict, by set, of sets whose verdict it is."""
        return [
            [outcome for outcome in group if outcome.verdict is verdict]
            for opened, group in self._exact.items()
            if self.exact(opened) is verdict
        ]


def _reaches_down(healthy: Outcome, universe: Ids) -> Ids:
    """The least set that this pass speaks for: what was open and was called."""
    opened = universe if healthy.trial.open is None else healthy.trial.open
    return opened if healthy.called is None else opened & healthy.called


def _covers(broken: Outcome, opened: Ids) -> bool:
    """Whether this failure speaks for `opened`: it had more open, or only things more cut that were never called."""
    if broken.trial.open is None or opened <= broken.trial.open:
        return True
    return bool(broken.blocked) and not opened & (broken.blocked or frozenset())
