"""An agent of this machine that is started before anybody knows where to. Light: it loads while the rest of us does."""

from __future__ import annotations

import shutil
import subprocess
import sys

from belljar_tui.errors import MissingTool

HOST, SIDECAR = "host", "sidecar"
"""The ways into a target's namespaces."""
_ENTERING = ("-P", "-m", "belljar_tui.agent.entering")


class WaitingAgent:
    """An agent of this machine that is loaded and waits to be told where to: half of the time to a seal is its start.

    Needs no event loop to be started. It ends with us.
    """

    def __init__(self) -> None:
        """Raises MissingTool."""
        if shutil.which("setpriv") is None:
            raise MissingTool("setpriv", "entering the target", "Install it with: sudo apt install util-linux")
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", sys.executable, *_ENTERING],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )

    def dismiss(self) -> None:
        """It is not needed (any more). Safe to call twice."""
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
