"""Sees that a part of the jar was stopped (SIGSTOP, a debugger). Nobody else would tell, and to the service it looks as
if its dependencies were away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil

from belljar_tui.core.events import AnyEvent, JarStalled, JarWentOn

LOOK_S = 1.0
"""Between two looks."""
_STOPPED = (psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP)


class Standstill:
    """Looks at the processes a jar stands on, once a second at most.

    Args:
        now: seconds since the session's start.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._parts: dict[str, psutil.Process] = {}
        self._since: dict[str, float] = {}
        self._looked_at = 0.0

    def watch(self, part: str, pid: int) -> None:
        """`part`: what it is to the person. One that has ended already is not watched."""
        try:
            self._parts[part] = psutil.Process(pid)
        except psutil.NoSuchProcess:
            return

    def watch_child(self, part: str, parent: int) -> None:
        """The first child of `parent`, if it has one."""
        try:
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        except OSError:
            return
        for child in children[:1]:
            self.watch(part, int(child))

    def look(self) -> list[AnyEvent]:
        """What stands still since the last look, and what goes on."""
        if self._now() - self._looked_at < LOOK_S:
            return []
        self._looked_at = self._now()
        return [event for part in list(self._parts) for event in self._look_at(part)]

    def _look_at(self, part: str) -> list[AnyEvent]:
        try:
            is_stopped = self._parts[part].status() in _STOPPED
        except psutil.Error:  # it has ended, and that is told otherwise
            del self._parts[part]
            return []
        if is_stopped and part not in self._since:
            self._since[part] = self._now()
            return [JarStalled(at=self._now(), part=part, pid=self._parts[part].pid)]
        if not is_stopped and part in self._since:
            return [JarWentOn(at=self._now(), part=part, stalled_s=self._now() - self._since.pop(part))]
        return []
