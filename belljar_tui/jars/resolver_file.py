"""What the machine's own resolver file says: name servers and search domains."""

from __future__ import annotations

import ipaddress
from pathlib import Path

import msgspec


class ResolverFile(msgspec.Struct, frozen=True):
    nameservers: tuple[str, ...] = ()
    """Addresses, in order; scoped link-local ones left out."""
    search: tuple[str, ...] = ()


def read(path: Path = Path("/etc/resolv.conf")) -> ResolverFile:
    """Read the file; a missing one has no name servers."""
    servers: list[str] = []
    search: tuple[str, ...] = ()
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ResolverFile()
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver" and "%" not in words[1]:
            servers.append(words[1])
        elif len(words) >= 2 and words[0] in ("search", "domain"):
            search = tuple(words[1:])
    return ResolverFile(tuple(servers), search)


def is_loopback(address: str) -> bool:
    """Whether an address is on loopback (a local stub resolver, out of a jar's reach)."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
