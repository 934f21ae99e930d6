"""What an agent in a container of its own says first: the jar is closed, and the service's container may be started.

Nothing leaves a closed jar. What the service calls before the seal is proven and the wanted state in force waits in the
kernel, so the engine may start it while the agent is still loading. A line like a beat, and not an event: at that time
the agent knows no clock yet.
"""

from __future__ import annotations

CLOSED = b"closed"
