"""What this kernel gives an agent, tried for real in the namespaces it is started in. Prints one JSON object.

Run as `unshare [--user --map-root-user] --net --mount --pid --fork python -m belljar_tui.agent.capabilities`.
"""

from __future__ import annotations

import asyncio
import sys

import msgspec

from belljar_tui.agent.flows import FlowLog
from belljar_tui.agent.netlink import Netfilter
from belljar_tui.agent.network import raise_loopback
from belljar_tui.agent.nft import LOG_GROUP, QUEUE
from belljar_tui.agent.proof import prove
from belljar_tui.agent.queue import CallQueue
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.agent.sockets import SocketTable


class Capabilities(msgspec.Struct):
    """Each is a thing tried, not a version compared."""

    nftables: bool = False
    owner: bool = False
    queue: str = "none"
    """`native`, `xtables` or `none`."""
    log: bool = False
    destroy: bool = False
    seal: bool = False
    """A call that must be blocked was, and was counted; one that must pass did."""
    details: dict[str, str] = {}
    """Feature -> what the kernel said, where it said no."""


async def probe() -> Capabilities:
    """Try everything in the namespaces we are in."""
    found = Capabilities()
    raise_loopback()
    try:
        ruleset = Ruleset(Netfilter(), 53_053, ())
        ruleset.create()
    except OSError as error:
        found.details["nftables"] = str(error)
        return found
    found.nftables = found.owner = True  # the table is made with the owner flag or not at all
    if ruleset.queue != "none":
        try:
            CallQueue(QUEUE, lambda _: None, lambda _: None).start()
            found.queue = ruleset.queue
        except OSError as error:
            found.details["queue"] = str(error)
    try:
        FlowLog(LOG_GROUP, lambda _: None, lambda _: None).start()
        found.log = ruleset.logs
    except OSError as error:
        found.details["log"] = str(error)
    try:
        found.destroy = SocketTable().can_destroy()
    except OSError as error:
        found.details["destroy"] = str(error)
    proof = await prove(ruleset, lambda: 0.0)
    found.seal = proof.ok
    found.details["seal"] = proof.detail
    return found


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(probe())) + b"\n")
