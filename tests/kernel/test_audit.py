"""What changes in the table behind the enforcer's back is found by the next self-audit, and told once a round.

Nobody else's socket may change the table, so the test changes it through the agent's own.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from test_enforcer import made
from worlds import NEIGHBOUR4, PRIVILEGES, run_in_jar

from belljar_tui.agent.modes import chain_of
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.core import events as ev
from belljar_tui.core.model import Endpoint, Mode, Protocol, Seal, Settings, Wanted

pytestmark = pytest.mark.kernel

CUT = Endpoint(NEIGHBOUR4, Protocol.TCP, 7000)
STRANGER = Endpoint(NEIGHBOUR4, Protocol.UDP, 7000)
DROPPED = chain_of(Mode.BLACKHOLE, Settings())
SEALED = chain_of(Mode.REFUSE, Settings())


def opened(ruleset: Ruleset) -> None:
    ruleset.change([CUT], {CUT: None}, SEALED, seal_changes=False)


def taken_away(ruleset: Ruleset) -> None:
    ruleset.change([CUT], {}, SEALED, seal_changes=False)


def cut_otherwise(ruleset: Ruleset) -> None:
    ruleset.change([CUT], {CUT: DROPPED}, SEALED, seal_changes=False)


def added(ruleset: Ruleset) -> None:
    ruleset.change([], {STRANGER: None}, SEALED, seal_changes=False)


def unsealed(ruleset: Ruleset) -> None:
    ruleset.change([], {}, None, seal_changes=True)


DIFFERENCES: dict[Callable[[Ruleset], None], str] = {
    opened: str(CUT),
    taken_away: str(CUT),
    cut_otherwise: str(CUT),
    added: str(STRANGER),
    unsealed: "the seal",
}
"""What is done behind its back -> where the audit says the kernel differs."""


async def _found() -> None:
    for tamper, where in DIFFERENCES.items():
        events: list[ev.AnyEvent] = []
        enforcer, ruleset = made(events)
        enforcer.want(Wanted(seal=Seal.VACUUM, seal_mode=Mode.REFUSE))
        enforcer.note(CUT)
        assert enforcer.audit(), "nothing differs yet"
        tamper(ruleset)
        assert not enforcer.audit(), tamper.__name__
        said = [event.detail for event in events if isinstance(event, ev.AuditFailed)]
        assert said == [f"the kernel differs from the wanted state at {where}"], tamper.__name__
        ruleset._netfilter.close()


@PRIVILEGES
def test_a_difference_made_behind_the_agents_back_is_found(flags: tuple[str, ...]) -> None:
    run_in_jar(_found, flags)
