"""Undo and redo over whole wanted states: a pure value, no events needed."""

from __future__ import annotations

import msgspec

from belljar_tui.core.model import Wanted

DEPTH = 200


class History(msgspec.Struct, frozen=True):
    now: Wanted = Wanted()
    past: tuple[Wanted, ...] = ()
    future: tuple[Wanted, ...] = ()

    def moved_to(self, wanted: Wanted) -> History:
        """A new state; what had been undone is forgotten. Asking for what already holds changes nothing."""
        if wanted == self.now:
            return self
        return History(wanted, (*self.past, self.now)[-DEPTH:])

    def at(self, now: float) -> History:
        """What is left of it at a moment (seconds on the session's clock): a cut whose time is up is in no state of it,
        so that neither undo nor redo nor the next change brings it back."""
        current = self.now.at(now)
        past = [wanted.at(now) for wanted in self.past]
        future = [wanted.at(now) for wanted in self.future]
        if current is self.now and all(
            a is b for a, b in zip((*past, *future), (*self.past, *self.future), strict=True)
        ):
            return self
        steps = [wanted for wanted, after in zip(past, [*past[1:], current], strict=True) if wanted != after]
        ahead = [wanted for before, wanted in zip([current, *future], future, strict=False) if wanted != before]
        return History(current, tuple(steps), tuple(ahead))

    def undone(self) -> History | None:
        """One step back, or None at the beginning."""
        if not self.past:
            return None
        return History(self.past[-1], self.past[:-1], (self.now, *self.future))

    def redone(self) -> History | None:
        """One step forward, or None when nothing was undone."""
        if not self.future:
            return None
        return History(self.future[0], (*self.past, self.now), self.future[1:])
