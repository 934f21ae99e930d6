"""The jar's own interfaces, with nothing but the standard library."""

from __future__ import annotations

import asyncio
import fcntl
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
