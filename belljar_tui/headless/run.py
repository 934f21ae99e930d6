"""`belljar run` and `belljar demo`."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from belljar_tui.core.given import TrialModes
from belljar_tui.core.model import Seal, Wanted
from belljar_tui.errors import UsageError
from belljar_tui.headless.asked import asked_for_lab
from belljar_tui.headless.asking import Ahead, asked_for, require_something
from belljar_tui.headless.container_options import ContainerAsked
from belljar_tui.headless.options import require_terminal
from belljar_tui.wire.messages import Checks


def run(
    command: Sequence[str],
    *,
    name: str | None,
    health: Checks,
    forward: Sequence[int],
    settings: Sequence[str],
    seal: str,
    headless: bool,
    journal: str | None,
    search: tuple[TrialModes, int],
    container: ContainerAsked,
    virtual_addresses: bool = True,
    scenario: str | None = None,
    as_json: bool = False,
    predict: bool = False,
) -> int:
    """Seal a program of the user's, or a container. Returns the exit code. Raises BellJarError."""
    require_something(command, container)
    _require_sense(scenario, headless=headless, as_json=as_json, predict=predict)
    with Ahead() as ahead:
        asked = asked_for(
            command,
            container,
            name=name,
            health=health,
            forward=forward,
            settings=settings,
            wanted=Wanted(seal=Seal(seal)),
            journal=journal,
            look=ahead.look,
        )
        asked = msgspec.structs.replace(asked, beginning=ahead.beginning, has_virtual_addresses=virtual_addresses)
        from belljar_tui.headless.seeing import see  # the jar begins meanwhile

        return see(asked, search, scenario, headless=headless, as_json=as_json, predict=predict)


def demo(
    lab: str,
    *,
    seal: str,
    headless: bool,
    journal: str | None,
    search: tuple[TrialModes, int],
    virtual_addresses: bool = True,
    scenario: str | None = None,
    as_json: bool = False,
    predict: bool = False,
) -> int:
    """Open a built-in lab. Returns the exit code. Raises BellJarError."""
    from belljar_tui.headless.seeing import see

    _require_sense(scenario, headless=headless, as_json=as_json, predict=predict)
    asked = asked_for_lab(lab, Wanted(seal=Seal(seal)))
    asked = msgspec.structs.replace(asked, journal=journal, has_virtual_addresses=virtual_addresses)
    return see(asked, search, scenario, headless=headless, as_json=as_json, predict=predict)


def _require_sense(scenario: str | None, *, headless: bool, as_json: bool, predict: bool) -> None:
    if as_json and scenario is None:
        raise UsageError("--json says what came of a scenario.", remedy="Give one: --scenario FILE")
    if predict and scenario is not None:
        raise UsageError("A scenario's cuts are known before.", remedy="Leave --predict or --scenario away.")
    if not headless and not as_json:
        require_terminal()
