"""`toxiproxy`: the JSON of `toxiproxy-server -config`: one proxy for each TCP dependency that is known, enabled for
members and disabled for those outside the working set. Point the service at the proxies' `listen` addresses.

A proxy listens on 127.0.0.1 on its dependency's own port where that is free, else on one from 20000 up: never on
another proxy's port, one of the machine's own that the service uses, one the service listens on, or Toxiproxy's.

It cannot say: UDP, ICMP, Unix sockets and name service (Toxiproxy speaks TCP), dependencies nobody knows, and the
`blackhole` mode (a disabled proxy refuses). JSON has no comments, so the claim and these notes go to stderr only.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from belljar_tui.core.check import HTTP, TCP, parse_check
from belljar_tui.core.model import Dependency, Mode, Protocol
from belljar_tui.errors import BadCheck
from belljar_tui.export.contract import Contract, Exported, is_local

API_PORT = 8474
"""Toxiproxy's own."""
_FIRST_FREE = 20_000
_UNPRIVILEGED = 1024


def export(contract: Contract) -> Exported:
    members = set(contract.members)
    known = {*members, *contract.sealed_dependencies()}
    proxied = sorted((d for d in known if d.protocol is Protocol.TCP), key=str)
    ports = _ports(contract, proxied)
    proxies = [
        {
            "name": str(d),
            "listen": f"127.0.0.1:{ports[d]}",
            "upstream": str(d).removeprefix("tcp://"),
            "enabled": d in members,
        }
        for d in proxied
    ]
    return Exported(json.dumps(proxies, indent=2) + "\n", tuple(_notes(contract)))


def _ports(contract: Contract, proxied: list[Dependency]) -> dict[Dependency, int]:
    """A port of 127.0.0.1 for each, that depends on the others as little as can be."""
    taken = {API_PORT, *contract.profile.forward, *_listened(contract)}
    taken |= {d.port for d in proxied if is_local(d.host)}
    ports: dict[Dependency, int] = {}
    wanted = {d.port for d in proxied}
    for dependency in proxied:
        port = dependency.port
        if port < _UNPRIVILEGED or port in taken:
            port = next(p for p in _candidates(dependency.port) if p not in taken and p not in wanted)
        ports[dependency] = port
        taken.add(port)
    return ports


def _candidates(port: int) -> Iterator[int]:
    """From one that reminds of `port` on, around once."""
    room = 65_536 - _FIRST_FREE
    yield from (_FIRST_FREE + (port + step) % room for step in range(room))


def _listened(contract: Contract) -> Iterator[int]:
    """Ports of the machine's loopback on which checks find the service itself."""
    for text in contract.profile.healthy.checks:
        try:
            check = parse_check(text)
        except BadCheck:
            continue
        if check.kind in (HTTP, TCP):
            yield check.port


def _notes(contract: Contract) -> Iterator[str]:
    yield contract.claim + "."
    yield "The service must be pointed at the proxies' listen addresses; what it calls past them is not sealed."
    for member in contract.members:
        if member.protocol is not Protocol.TCP:
            said = _said(member)
            yield f"{said}: Toxiproxy speaks TCP only, so it is not in the file and stays as reachable as it was."
    for outside in contract.sealed_dependencies():
        if outside.protocol is not Protocol.TCP:
            yield f"{_said(outside)}: Toxiproxy speaks TCP only, so it is not sealed here."
    if contract.profile.sealed in (Mode.BLACKHOLE, Mode.HANG):
        yield "The profile has everything else silent; a disabled proxy refuses."


def _said(dependency: Dependency) -> str:
    """Its id; the name service's without its last colon, where one follows."""
    return dependency.protocol.value if dependency.protocol is Protocol.DNS else str(dependency)
