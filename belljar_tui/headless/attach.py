"""`belljar attach`."""

from __future__ import annotations

import os
import shutil

from belljar_tui.headless.options import require_terminal
from belljar_tui.jars.waiting_agent import SIDECAR, WaitingAgent
from belljar_tui.wire.messages import Checks


def attach(
    target: str | None,
    *,
    via: str,
    name: str | None,
    health: Checks,
    seal: str,
    headless: bool,
    journal: str | None,
) -> int:
    """Seal what runs already. Returns the exit code. Raises BellJarError."""
    if not headless:
        require_terminal()
    can_enter = via != SIDECAR and os.geteuid() == 0 and shutil.which("setpriv") is not None
    waiting = WaitingAgent() if can_enter else None
    try:
        from belljar_tui.headless.attaching import see  # the agent loads meanwhile

        return see(target, waiting, via=via, name=name, health=health, seal=seal, headless=headless, journal=journal)
    finally:
        if waiting is not None:
            waiting.dismiss()
