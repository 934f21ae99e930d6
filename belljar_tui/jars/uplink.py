"""The way out of a native jar: pasta, as a plain process of the user's, joined to the jar's network namespace."""

from __future__ import annotations

import shutil

from belljar_tui.errors import MissingTool
from belljar_tui.jars import resolver_file

DNS_ADDRESS = "169.254.53.53"
"""Seen from the jar, the machine's own stub resolver (pasta maps it)."""
ROUTE_DEADLINE_S = 5.0


def require_pasta() -> str:
    """Path of pasta. Raises MissingTool saying how to install it."""
    found = shutil.which("pasta")
    if found is None:
        raise MissingTool(
            "pasta",
            "the way out of the jar (the lab needs none: belljar demo)",
            "Install it with: sudo apt install passt   (or: sudo dnf install passt)",
        )
    return found


def nameservers(machine: resolver_file.ResolverFile) -> tuple[str, ...]:
    """Upstreams as seen from the jar: a loopback stub is reached through pasta's mapped address."""
    if not machine.nameservers:
        return ()
    direct = tuple(a for a in machine.nameservers if not resolver_file.is_loopback(a))
    return direct or (DNS_ADDRESS,)


_AS_ROOT = """
mount -t tmpfs none /mnt && touch /mnt/net && mount --bind "/proc/$1/ns/net" /mnt/net || exit 1
shift
exec "$@" --runas 0 --netns-only --netns /mnt/net
"""
"""Root's pasta gives up the capability to open another process's namespaces before it opens them (measured, passt
2023-03), so it is handed the network namespace as a file, in a mount namespace that goes with it."""


def pasta_command(pasta: str, pid: int, forwarded: tuple[int, ...], *, maps_dns: bool, is_root: bool) -> list[str]:
    """pasta in the foreground (it ends with us), joined to the namespaces of `pid`.

    Only the ports asked for lead from the jar's loopback to the machine's; none lead in.
    """
    ports = ",".join(str(port) for port in forwarded) or "none"
    command = [pasta, "--config-net", "--foreground", "--quiet", "-t", "none", "-u", "none", "-T", ports, "-U", "none"]
    if maps_dns:
        command += ["--dns-forward", DNS_ADDRESS]
    if is_root:
        joined = ["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", _AS_ROOT, "sh", str(pid)]
        return [*joined, *command]
    return [*command, str(pid)]
