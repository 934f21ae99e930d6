"""What everything that we create in an engine is known by, so that it can be told from everything else."""

from __future__ import annotations

from belljar_tui import __version__

AGENT_REPOSITORY = "belljar-agent"
AGENT_IMAGE = f"{AGENT_REPOSITORY}:{__version__}"
SESSION, VERSION, PART = "belljar.session", "belljar.version", "belljar.part"


def labels_of(session: str, part: str) -> dict[str, str]:
    """Of one session's `agent` or `service`."""
    return {SESSION: session, VERSION: __version__, PART: part}
