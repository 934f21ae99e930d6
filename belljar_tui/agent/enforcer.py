"""Makes the kernel match the wanted state, and says what changed, what was counted, and whether it really holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from belljar_tui.agent.directory import Directory
from belljar_tui.agent.ruleset import Ruleset, Tally, Verdict
from belljar_tui.core import events as ev
from belljar_tui.core.model import Dependency, Endpoint, Mode, Protocol, Seal, Wanted

ENDPOINTS_AT_MOST = 20_000
"""Beyond this many endpoints (a port scan, say) new ones fall under the seal unnamed; they are counted as lost."""

Destroy = Callable[[list[Endpoint]], int]
"""Destroys established sockets to these endpoints; returns how many."""


class Enforcer:
    """One change is one batch: the new elements are computed from the whole wanted state, compared with what was
    applied, and sent as a difference."""

    def __init__(
        self,
        ruleset: Ruleset,
        directory: Directory,
        destroy: Destroy,
        emit: Callable[[ev.AnyEvent], None],
        now: Callable[[], float],
    ) -> None:
        self._ruleset = ruleset
        self._directory = directory
        self._destroy = destroy
        self._emit = emit
        self._now = now
        self.wanted = Wanted()
        self._applied: dict[Endpoint, Verdict] = {}
        self._shown: dict[Dependency, tuple[Verdict, str]] = {}
        """What was last said of each dependency: its mode, and whether user or seal cut it."""
        self._earlier: dict[Endpoint, Tally] = {}
        """Counts of elements since replaced."""

    def want(self, wanted: Wanted) -> None:
        """Apply the whole wanted state, read it back, and say what changed."""
        before = self.wanted
        self.wanted = wanted
        seal_changes = (before.seal, before.seal_mode) != (wanted.seal, wanted.seal_mode)
        self._apply(self._endpoints(), seal_changes=seal_changes)
        self.audit()
        if seal_changes:
            self._emit(ev.SealChanged(at=self._now(), seal=wanted.seal, mode=wanted.seal_mode))
        self._say_changes()

    def note(self, endpoint: Endpoint) -> Dependency:
        """A call to `endpoint` was seen: give it an element of its own, so that it is counted by itself."""
        dependency = self._directory.note(endpoint)
        if endpoint not in self._applied and len(self._applied) < ENDPOINTS_AT_MOST:
            self._apply({endpoint}, seal_changes=False)
        self._say_changes([dependency])
        return dependency

    def learn(self, name: str, addresses: Iterable[str]) -> None:
        """A name resolved: its elements stand before the answer leaves."""
        self._directory.learn(name, addresses)
        named = {d for d in self._dependencies() if d.host == name}
        self._apply({e for d in named for e in self._directory.endpoints_of(d)}, seal_changes=False)

    def hint(self, names: Sequence[str], addresses: Sequence[str]) -> None:
        """The engine knows these addresses by these names, the likeliest first; elements follow the naming."""
        if self._directory.hint(names, addresses):
            self._apply(self._endpoints(), seal_changes=False)

    def mode_of(self, dependency: str) -> Mode | None:
        return self.wanted.mode_of(dependency)

    def has_element(self, endpoint: Endpoint) -> bool:
        """Whether calls to `endpoint` are counted by themselves already."""
        return endpoint in self._applied

    def tallies(self) -> dict[Dependency, Tally]:
        """All that the kernel counted of each dependency since the start, replaced elements included."""
        totals: dict[Dependency, Tally] = {}
        kernel = self._ruleset.read()
        for endpoint in {*kernel, *self._earlier}:
            tally = self._earlier.get(endpoint, Tally())
            if endpoint in kernel:
                tally = tally.plus(*kernel[endpoint])
            dependency = self._directory.dependency_of(endpoint)
            totals[dependency] = totals.get(dependency, Tally()).joined(tally)
        return totals

    def undecided_calls(self) -> int:
        """How many new calls met the seal before they had an element."""
        return self._ruleset.read_seal()[1]

    def audit(self) -> bool:
        """Read the elements back and compare; a difference is an event."""
        kernel = {endpoint: verdict for endpoint, (verdict, _) in self._ruleset.read().items()}
        seal, _ = self._ruleset.read_seal()
        wrong = sorted(str(e) for e in kernel.keys() | self._applied.keys() if self._differs(kernel, e))
        if seal is not self._seal():
            wrong.insert(0, "the seal")
        if wrong:
            listed = ", ".join(wrong[:5]) + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
            self._emit(ev.AuditFailed(at=self._now(), detail=f"the kernel differs from the wanted state at {listed}"))
        return not wrong

    def _differs(self, kernel: dict[Endpoint, Verdict], endpoint: Endpoint) -> bool:
        if endpoint not in kernel or endpoint not in self._applied:
            return True
        return kernel[endpoint] is not self._applied[endpoint]

    def _seal(self) -> Verdict:
        return None if self.wanted.seal is Seal.OPEN else self.wanted.seal_mode

    def _dependencies(self) -> dict[Dependency, None]:
        """Everything seen or decided about, in that order."""
        decided = (Dependency.parse(text) for text in (*self.wanted.cuts, *sorted(self.wanted.opens)))
        return dict.fromkeys([*self._directory.seen, *decided])

    def _endpoints(self) -> set[Endpoint]:
        decided = {e for d in self._dependencies() for e in self._directory.endpoints_of(d)}
        return decided | set(self._applied)

    def _apply(self, endpoints: Iterable[Endpoint], *, seal_changes: bool) -> None:
        """Bring these endpoints to what the wanted state says of them."""
        add: dict[Endpoint, Verdict] = {}
        for endpoint in endpoints:
            verdict = self.wanted.mode_of(str(self._directory.dependency_of(endpoint)))
            if endpoint not in self._applied or self._applied[endpoint] is not verdict:
                add[endpoint] = verdict
        if not add and not seal_changes:
            return
        replaced = [endpoint for endpoint in add if endpoint in self._applied]
        removed = self._ruleset.change(replaced, add, self._seal(), seal_changes=seal_changes)
        for endpoint, counts in removed.items():
            self._earlier[endpoint] = self._earlier.get(endpoint, Tally()).plus(self._applied[endpoint], counts)
        self._applied.update(add)
        refused = [e for e, v in add.items() if v is Mode.REFUSE and e.protocol is not Protocol.ICMP]
        if refused:
            self._destroy(refused)

    def _say_changes(self, of: Iterable[Dependency] | None = None) -> None:
        for dependency in of if of is not None else [*self._dependencies(), *list(self._shown)]:
            identity = str(dependency)
            mode = self.wanted.mode_of(identity)
            said = (mode, "user" if identity in self.wanted.cuts else "seal")
            before, by = self._shown.get(dependency, (None, ""))
            if mode is before and (mode is None or by == said[1]):
                continue
            self._shown[dependency] = said
            if mode is None:
                self._emit(ev.CutRestored(at=self._now(), dependency=identity))
            else:
                self._emit(ev.CutApplied(at=self._now(), dependency=identity, mode=mode, by=said[1]))
