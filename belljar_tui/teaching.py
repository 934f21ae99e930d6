"""Beside a session: a drill under way, or cuts that are to be foretold. What is said becomes notes of the session."""

from __future__ import annotations

import asyncio

import msgspec

from belljar_tui.core import commands as cmd
from belljar_tui.core.drill import Drill, Foretold, Game
from belljar_tui.errors import UsageError


class Teacher:
    """Keeps the game.

    Args:
        drill: what is to be found; None where only cuts are foretold.
        must_foretell: no cut before it is said what it will do.
    """

    def __init__(self, drill: Drill | None = None, *, must_foretell: bool = False) -> None:
        self.game = Game(drill)
        self.must_foretell = must_foretell
        self.over = asyncio.Event()
        """The fault was found, or somebody gave up."""
        self._said: cmd.Predict | None = None
        self.changes: list[float] = []
        """When cuts were made or restored, on the session's clock."""

    def reply(self, command: cmd.Hint | cmd.Guess | cmd.Predict, at: float) -> str:
        """What to note. Raises BellJarError for what cannot be, and changes nothing then."""
        match command:
            case cmd.Hint():
                self.game, words = self.game.hinted()
                return f"hint {self.game.hints}: {words}"
            case cmd.Guess(dependency, how):
                self.game = self.game.guessed(dependency, how, at)
                if self.game.is_found:
                    self.over.set()
                said = "right" if self.game.is_found else "wrong"
                return f"answer: {how}, {said}"
            case cmd.Predict(breaks, sure):
                self._said = command
                return f"foretold: the next cut {'breaks it' if breaks else 'does no harm'}, {sure:.0%} sure"

    def let_cut(self, dependency: str, at: float) -> None:
        """Raises UsageError when the cut was not foretold and has to be."""
        if self._said is not None:
            said = Foretold(at, dependency, self._said.breaks, self._said.sure)
            self.game = msgspec.structs.replace(self.game, foretold=(*self.game.foretold, said))
            self._said = None
        elif self.must_foretell:
            raise UsageError(
                "First say what this cut will do.", remedy='{"command":"predict","breaks":true,"sure":0.8}, then cut'
            )

    def give_up(self) -> None:
        self.game = msgspec.structs.replace(self.game, has_given_up=not self.game.is_found)
        self.over.set()
