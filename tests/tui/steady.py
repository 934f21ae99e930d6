"""A pilot that is never ahead of the screen: whatever the machine is busy with, it goes on when all is shown."""

from __future__ import annotations

import asyncio
import math
from typing import Any
from unittest.mock import patch

from textual.app import App
from textual.message_pump import MessagePump
from textual.pilot import Pilot

from belljar_tui.tui.explorer import Explorer


async def _not_at_all(_min_sleep: float = 0.0, _max_sleep: float = 0.0) -> None:
    await asyncio.sleep(0)


for _where in ("app", "pilot"):
    patch(f"textual.{_where}.wait_for_idle", _not_at_all).start()
"""Textual waits until little processor time is used. Who gets no processor uses none, whatever there is to do."""


class SteadyPilot(Pilot[Any]):
    """After each key, click and wait, what followed from it is through, and what has happened is painted."""

    async def press(self, *keys: str) -> None:
        """One after the other, as a person who looks at the screen would."""
        for key in keys:
            await super().press(key)

    async def _wait_for_screen(self, timeout: float = 30.0) -> bool:  # noqa: ASYNC109  # as Textual calls it
        async with asyncio.timeout(timeout):
            while not _is_settled(self.app):
                if self.app._exception is not None:
                    return False
                await asyncio.sleep(0.002)
        return True


def _is_settled(app: App[Any]) -> bool:
    if not app.is_running or not app.screen_stack:
        return True
    pumps = [app, *app._registry]
    return all(map(_waits, pumps)) and _is_laid_out(app) and _is_painted(app)


def _waits(pump: MessagePump) -> bool:
    """For its next message, and has done all that came of the last one."""
    queue: Any = pump._message_queue
    is_waiting = queue.empty() and bool(queue.ready_event._waiters) and pump._pending_message is None
    return pump._closing or pump._closed or (is_waiting and not pump._next_callbacks)


def _is_laid_out(app: App[Any]) -> bool:
    screen = app.screen
    wants = (screen._layout_required, screen._scroll_required, screen._repaint_required, screen._recompose_required)
    return not any(wants) and not screen._dirty_widgets and not screen._callbacks


def _is_painted(app: App[Any]) -> bool:
    """Whether the last frame has shown all that has happened, or the test lets none come."""
    if not isinstance(app, Explorer) or app._rests_until == math.inf:
        return True
    search = app.search_screen
    return search._seen is search.view if search in app.screen_stack else not app._is_stale
