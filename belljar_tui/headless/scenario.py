"""Scenarios: played beside a session, judged at its end, and made from a recorded one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from rich.markup import escape
from rich.text import Text

from belljar_tui.core.profile import called_in
from belljar_tui.core.scenario import Judged, Scenario, due, judged, never_called, zero_of
from belljar_tui.core.scenario_of import NothingWasDone, scenario_of
from belljar_tui.core.state import State
from belljar_tui.errors import UsageError
from belljar_tui.headless import diagnostics, printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.journal.reader import read_journal
from belljar_tui.journal.scenario_file import line_of_step, read_scenario, scenario_text, write_scenario
from belljar_tui.journal.sessions import journal_at
from belljar_tui.labs import LABS
from belljar_tui.session import Session

_LOOK_S = 0.05
"""How often the scenario's clock is looked for before it runs."""
_START_S = 120.0
"""Making the jar, its way out and the proof of its seal; no part of the scenario's time."""
_AFTER_S = 0.2
"""Health at the last moment may be told a little later."""


class Script(msgspec.Struct, frozen=True):
    """A scenario, and where it is from."""

    path: Path
    scenario: Scenario

    @classmethod
    def read(cls, path: str, lab: str | None) -> Script:
        """Raises BadScenario, also where it names what the lab does not have."""
        return cls(Path(path), read_scenario(Path(path), LABS[lab].dependencies if lab is not None else ()))

    async def play(self, session: Session) -> str:
        """Do what is due when it is due, to the last step; why the session may end then."""
        zero = await self._zero(session)
        if zero is None:
            return "the scenario's clock never began"
        for at, command in due(self.scenario):
            await asyncio.sleep(max(0.0, zero + at - session.now()))
            await session.do(command)
        await asyncio.sleep(max(0.0, zero + self.scenario.ends_s + _AFTER_S - session.now()))
        return "the scenario has run"

    def told(self, state: State) -> list[str]:
        """What came of it so far, for people, with the exit code that follows."""
        verdict = Verdict.of(self, state)
        return [*verdict.plain_lines(), "", f"The exit code is {int(verdict.code)}."]

    async def _zero(self, session: Session) -> float | None:
        while (zero := zero_of(self.scenario, session.state)) is None:
            started = session.state.service_started_at if session.state.service_pid is not None else None
            limit = _START_S if started is None else started + self.scenario.healthy_within_s
            if session.now() > limit or session.state.ended:
                return None
            await asyncio.sleep(_LOOK_S)
        return zero


class Verdict(msgspec.Struct, frozen=True):
    """What a session made of a scenario."""

    script: Script
    expectations: list[Judged]
    never_called: list[tuple[int, str]]
    called: list[str]

    @classmethod
    def of(cls, script: Script, state: State) -> Verdict:
        called = called_in(state)
        return cls(script, judged(script.scenario, state), never_called(script.scenario, called), sorted(called))

    @property
    def is_met(self) -> bool:
        return all(one.met for one in self.expectations) and not self.never_called

    @property
    def code(self) -> Exit:
        return Exit.HOLDS if self.is_met else Exit.BROKEN

    def say(self, journal: Path, *, as_json: bool) -> None:
        """For people, or one object for machines."""
        if as_json:
            printer.json(self._as_json(journal))
        else:
            printer.rich("\n".join(self._lines()))

    def plain_lines(self) -> list[str]:
        """For people, without markup."""
        return [Text.from_markup(line).plain for line in self._lines()]

    def _as_json(self, journal: Path) -> dict[str, Any]:
        return {
            "scenario": self.script.scenario.name,
            "verdict": "met" if self.is_met else "not met",
            "expectations": self.expectations,
            "never_called": [{"step": step, "dependency": identity} for step, identity in self.never_called],
            "journal": str(journal),
        }

    def _lines(self) -> list[str]:
        head = "[green]✓[/] [bold]as expected[/]" if self.is_met else "[red]✗[/] [bold]not as expected[/]"
        lines = [f"{head}  {escape(self.script.scenario.name)}"]
        for one in self.expectations:
            mark = "[green]✓[/]" if one.met else "[red]✗[/]"
            lines.append(f"  {mark} {self._where(one.step)}: {escape(one.words)}")
        for step, identity in self.never_called:
            lines.append(f"  [red]✗[/] {self._where(step)}: {escape(identity)} was cut and never called")
        if self.never_called:
            lines.append(f"    It called: {escape(', '.join(self.called) or 'nothing')}")
        return lines

    def _where(self, step: int) -> str:
        return escape(f"{self.script.path}:{line_of_step(self.script.path, step)}")


def scenario(source: str, *, output: str | None, name: str | None) -> int:
    """Make a scenario from the session at `source`. Returns the exit code. Raises BellJarError."""
    journal = journal_at(source)
    try:
        made = scenario_of(read_journal(journal), name or "")
    except NothingWasDone as error:
        what = f"{journal}: nothing was cut, restored or sealed by hand, so there is nothing to repeat."
        raise UsageError(what) from error
    if output is None or output == "-":
        printer.line(scenario_text(made).removesuffix("\n").encode(errors="replace"))
    else:
        write_scenario(Path(output), made)
        diagnostics.note(f"scenario {output}   {len(made.steps)} steps in {made.ends_s:g} s")
    return Exit.HOLDS
