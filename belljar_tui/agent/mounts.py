"""The jar's view of the file system: a /proc of its own, our resolver file, and no way around it.

Runs as PID 1 of fresh mount and PID namespaces, before anything else of the jar.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Sequence
from pathlib import Path

_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC = 1, 2, 4, 8
_MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = 0x20, 0x1000, 0x4000, 0x40000
RESOLVER_ADDRESS = "127.0.0.53"
"""Where the service's resolver file points; the `names` chain redirects port 53 whatever its address."""
MASKED_SOCKETS = (
    "/run/nscd/socket",
    "/var/run/nscd/socket",
    "/run/systemd/resolve/io.systemd.Resolve",
    "/run/avahi-daemon/socket",
)
"""They would resolve names outside the jar."""

_libc = ctypes.CDLL(None, use_errno=True)


def _mount(source: str, target: str, kind: str = "", flags: int = 0) -> None:
    if _libc.mount(source.encode(), target.encode(), kind.encode(), flags, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), target)


def mask_file_system(search: Sequence[str]) -> int:
    """Set up every mount of the jar. Raises OSError naming the path.

    Returns:
        A descriptor of a folder that only the agent can reach: it lies below the jar's /proc.
    """
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mask_resolver(search)
    folder = os.open("/proc", os.O_PATH | os.O_DIRECTORY)
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    return folder


def see_own_processes() -> None:
    """A /proc of the PID namespace we are in, in a mount namespace of our own."""
    _mount("none", "/", "", _MS_REC | _MS_PRIVATE)
    _mount("proc", "/proc", "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def open_low_ports() -> None:
    """Let the service, which has no capability here, bind ports below 1024 and send pings, as it could outside."""
    _write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0")
    for groups in ("0 2147483647", "0 0"):  # in a user namespace only mapped groups may be named
        with contextlib.suppress(OSError):
            _write("/proc/sys/net/ipv4/ping_group_range", groups)
            return


def freeze_settings() -> None:
    """Make kernel settings read-only: a root service is still root to files, and these are files."""
    with contextlib.suppress(OSError):  # an outer container may have locked /proc/sys already
        _mount("/proc/sys", "/proc/sys", "", _MS_BIND | _MS_REC)
        _mount("none", "/proc/sys", "", _MS_REMOUNT | _MS_BIND | _MS_RDONLY | _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)


def hosts() -> dict[str, str]:
    """Address -> name from the hosts file, loopback left out: these names never reach a resolver."""
    try:
        return hosts_in(Path("/etc/hosts").read_text(errors="replace"))
    except OSError:
        return {}


def hosts_in(text: str) -> dict[str, str]:
    """The same from a hosts file's content."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if len(words) >= 2 and not words[0].startswith(("127.", "::1", "fe0", "ff0")):
            found.setdefault(words[0], words[1].lower())
    return found


def _mask_resolver(search: Sequence[str]) -> None:
    """Lay our files over the machine's. They live on a file system that stands on /proc, which is about to be covered
    by the jar's own: nobody finds it there."""
    _mount("tmpfs", "/proc", "tmpfs", _MS_NOSUID | _MS_NODEV)
    lines = [f"nameserver {RESOLVER_ADDRESS}", *([f"search {' '.join(search)}"] if search else [])]
    _write("/proc/resolv.conf", "\n".join([*lines, "options timeout:2 attempts:2", ""]))
    _write("/proc/dead", "")
    resolver = os.path.realpath("/etc/resolv.conf")
    if Path(resolver).exists():
        _mount("/proc/resolv.conf", resolver, "", _MS_BIND)
    for path in dict.fromkeys(os.path.realpath(p) for p in MASKED_SOCKETS):
        if Path(path).exists():
            _mount("/proc/dead", path, "", _MS_BIND)


def _write(path: str, value: str) -> None:
    # Path.write_text would truncate, which kernel settings refuse
    with open(path, "w" if not path.startswith("/proc/sys") else "r+") as file:  # noqa: PTH123
        file.write(value)
