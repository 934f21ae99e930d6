"""The explorer with a teacher beside it: a drill to find the fault of, or cuts to foretell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from textual.binding import Binding, BindingType

from belljar_tui.core import commands as cmd
from belljar_tui.core.model import How
from belljar_tui.core.moments import shown
from belljar_tui.errors import UsageError
from belljar_tui.session import Session
from belljar_tui.teaching import Teacher
from belljar_tui.tui.app import ExplorerApp
from belljar_tui.tui.dialogs import LinePrompt, NoticeScreen, PartingScreen
from belljar_tui.tui.drill_keys import ALL_KEYS
from belljar_tui.tui.graph import GraphView

WAYS = {
    How.DEAD: "nothing listens there: refused at once",
    How.HANG: "it accepts, and says nothing",
    How.SLOW: "it answers, late",
    How.COLD: "it is up, and waits for another one",
}
"""What the caller meets."""


class DrillApp(ExplorerApp, inherit_bindings=False):
    """Explores as ever; `a` answers, `h` asks for a hint, and the search is left out: finding is the learner's.

    Args:
        session: not yet started; the teacher is its own.
        teacher: keeps the game.
        keymap: binding id -> keys, for people who remap.
    """

    keys: ClassVar[tuple[Binding, ...]] = ALL_KEYS
    BINDINGS: ClassVar[list[BindingType]] = list(ALL_KEYS)

    def __init__(
        self,
        session: Session,
        teacher: Teacher,
        keymap: Mapping[str, str] | None = None,
        profile_path: str = "service.belljar.yaml",
    ) -> None:
        super().__init__(session, profile_path, keymap)
        self._teacher = teacher

    def on_mount(self) -> None:
        if (drill := self._teacher.game.drill) is not None:
            how = "Find what is broken, and how it fails. Cut, restore, watch; then select it and press a."
            self.push_screen(NoticeScreen(f"{drill.name}\n\n{drill.briefing}\n\n{how}\nA hint (h) costs 15 points."))

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("search", "save") and self._teacher.game.drill is not None:
            return False
        if action in ("answer", "hint") and self._teacher.game.drill is None:
            return False
        return super().check_action(action, parameters)

    def action_hint(self) -> None:
        """The next one; those before it can be read again, at no cost when there is no other."""
        self.run_worker(self._hinted(), exit_on_error=False)

    async def _hinted(self) -> None:
        drill = self._teacher.game.drill
        if drill is None:
            return
        if self._teacher.game.hints < len(drill.hints):
            await self.session.do(cmd.Hint())
        given = drill.hints[: self._teacher.game.hints]
        words = "\n\n".join(f"{number}. {hint}" for number, hint in enumerate(given, 1))
        left = len(drill.hints) - len(given)
        more = "There is no further hint." if not left else f"{left} more, for 15 points each."
        self.push_screen(NoticeScreen(f"Hints\n\n{words or '–'}\n\n{more}"))

    def action_answer(self) -> None:
        selected = self.query_one(GraphView).selected
        if selected is not None:
            ways = ", ".join(How)
            told = "\n".join(f"  {way:<6}{what}" for way, what in WAYS.items())
            question = LinePrompt(f"{shown(selected)} is broken. How?\n\n{told}", "", ways, check=_how)
            self.push_screen(question, lambda how: self._guess(selected, how) if how else None)

    def _guess(self, dependency: str, how: str) -> None:
        self.run_worker(self._answered(cmd.Guess(dependency, _how(how))), exit_on_error=False)

    async def _answered(self, guess: cmd.Guess) -> None:
        await self.session.do(guess)
        game = self._teacher.game
        if game.is_found and game.drill is not None:
            way = "\n".join(f"{number}. {step}" for number, step in enumerate(game.drill.shortest, 1))
            words = f"Found: {game.score} of 100 points.\n\nThe shortest way:\n{way}\n\nLeave, and the debrief follows."
            self.push_screen(PartingScreen(words))
        else:
            self.notify("That is not it. A wrong answer costs 25 points.", severity="warning")

    def _do(self, command: cmd.AnyCommand) -> None:
        if not (self._teacher.must_foretell and isinstance(command, cmd.Cut)):
            super()._do(command)
            return
        what = f"You cut {shown(command.dependency)}, {command.mode}."
        asked = f"{what} Will the service be healthy or unhealthy? How sure are you (50 to 100 %)?"
        question = LinePrompt(asked, "", "such as: unhealthy 80", check=_foretold)
        self.push_screen(question, lambda said: self._foretell(said, command) if said else None)

    def _foretell(self, said: str, command: cmd.AnyCommand) -> None:
        async def both() -> None:
            await self.session.do(_foretold(said))
            await self.session.do(command)

        self.run_worker(both(), exit_on_error=False)


def _how(text: str) -> How:
    """Raises UsageError."""
    try:
        return How(text.strip())
    except ValueError:
        raise UsageError(f"{text!r} is no way to fail.", remedy=f"It can be: {', '.join(How)}") from None


def _foretold(text: str) -> cmd.Predict:
    """`unhealthy 80`, or without a number. Raises UsageError."""
    word, _, sure = text.strip().removesuffix("%").partition(" ")
    number = sure.strip() or "100"
    is_word = bool(word) and any(each.startswith(word) for each in ("healthy", "unhealthy"))
    if not is_word or not number.isdigit() or not 50 <= int(number) <= 100:
        raise UsageError(f"{text!r} foretells nothing.", remedy="Write it like: unhealthy 80")
    return cmd.Predict(breaks=word.startswith("u"), sure=int(number) / 100)
