"""The one door between a search and a world to try things in. Jars, an outside command and a test's fake are equals."""

from __future__ import annotations

from typing import Protocol

from belljar_tui.core.search import Wanted
from belljar_tui.core.trial import Outcome


class Oracle(Protocol):
    """Runs trials, several at once where it is asked to."""

    async def start(self, jobs: int) -> None:
        """Get ready for `jobs` trials at once. Raises errors.BellJarError when it cannot be."""

    async def run(self, wanted: Wanted, number: int) -> Outcome:
        """One trial, the search's `number`th, to its verdict.

        What cannot be judged is an INCONCLUSIVE outcome with the reason in `detail`.

        Cancelling ends the trial and leaves nothing of it behind. Raises errors.BellJarError when no trial can work
        (the jar cannot be made or sealed, the command does not exist).
        """

    async def close(self) -> None:
        """End everything. Safe to call twice."""
