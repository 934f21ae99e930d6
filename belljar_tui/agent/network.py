"""The jar's own interfaces, with nothing but the standard library."""

from __future__ import annotations

import asyncio
import fcntl
import ipaddress
import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path

_SIOCGIFFLAGS, _SIOCSIFFLAGS = 0x8913, 0x8914
_IFF_UP = 1
_POLL_S = 0.02


def raise_loopback() -> None:
    """Bring `lo` up. Needs CAP_NET_ADMIN over this network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
        flags: int = struct.unpack_from("=H", answer, 16)[0]
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | _IFF_UP))


def loopback_is_up() -> bool:
    """Whether `lo` is up: without it there is no name server of ours, and no proof."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        answer = fcntl.ioctl(control, _SIOCGIFFLAGS, struct.pack("16sH14x", b"lo", 0))
    return bool(struct.unpack_from("=H", answer, 16)[0] & _IFF_UP)


def broadcasts() -> frozenset[str]:
    """The broadcast addresses of the networks that this namespace is on."""
    found, address = set[str](), ""
    for line in _lines("fib_trie"):
        if line[0] == "|--":
            address = line[1]
        elif line[-1] == "BROADCAST":
            found.add(address)
    return frozenset(found)


def joined_groups() -> list[str]:
    """The multicast groups that somebody in this namespace has joined, without those the kernel itself is in."""
    v4 = [struct.pack("=I", int(line[0], 16)) for line in _lines("igmp") if len(line) == 4 and len(line[0]) == 8]
    v6 = [bytes.fromhex(line[2]) for line in _lines("igmp6")]
    groups = {ipaddress.ip_address(each) for each in (*v4, *v6)}
    return [str(each) for each in sorted(groups, key=lambda each: (each.version, each)) if not _is_kernels(str(each))]


_KERNELS_GROUPS = ("224.0.0.1", "224.0.0.106", "ff01::1", "ff02::1", "ff01::2", "ff02::2", "ff05::2", "ff02::6a")
"""All hosts, all routers, all snoopers: joined by every interface (and bridge) that is up."""


def _is_kernels(group: str) -> bool:
    return group in _KERNELS_GROUPS or group.startswith("ff02::1:ff")  # solicited-node: for neighbour discovery


def _lines(name: str) -> list[list[str]]:
    """The words of each line of a file in /proc/net; none where it cannot be read (a kernel without IPv6, say)."""
    try:
        text = Path("/proc/net", name).read_text()
    except OSError:
        return []
    return [words for line in text.splitlines() if (words := line.split())]


async def comes_true(condition: Callable[[], bool], deadline_s: float) -> bool:
    """Wait for something nobody tells us about; False when it did not come true in time."""
    end = time.monotonic() + deadline_s
    while not condition():
        if time.monotonic() >= end:
            return False
        await asyncio.sleep(_POLL_S)
    return True


def has_default_route() -> bool:
    """Whether IPv4 or IPv6 has a default route other than the loopback's own."""
    v4 = Path("/proc/net/route").read_text().splitlines()[1:]
    if any(line.split()[1] == "00000000" for line in v4):
        return True
    try:
        v6 = Path("/proc/net/ipv6_route").read_text().splitlines()
    except OSError:
        return False
    return any(line.startswith("0" * 32 + " 00") and not line.endswith(" lo") for line in v6)
