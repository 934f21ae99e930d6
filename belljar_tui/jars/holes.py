"""Ways around the seal: what of the host's is mounted into the service."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

import msgspec

from belljar_tui.core.events import HoleFound
from belljar_tui.jars.plan import Json, Plan

_ENGINE_SOCKETS = ("docker.sock", "podman.sock", "containerd.sock", "crio.sock")
_LOOKED_AT = 1000
"""Entries of a mounted folder looked at for sockets."""


def holes_of(plan: Plan, at: float) -> Iterator[HoleFound]:
    """One event for each mount of the host's own files. Volumes are the engine's, and lead nowhere by themselves."""
    for mount in plan.kept_mounts:
        source, path, *options = mount.split(":")
        if not source.startswith("/"):
            continue
        yield HoleFound(
            at=at,
            path=path,
            source=source,
            kind=_kind(source),
            is_writable="ro" not in ",".join(options).split(","),
            remedy=f"--without-mount {path}",
        )


def holes_in(container: Json, at: float) -> Iterator[HoleFound]:
    """The same of a container that runs: a mount cannot be taken from it, only left away from a clone."""
    mounts = [each for each in container.get("Mounts") or () if each.get("Type") == "bind"]
    plan = Plan(
        image="",
        mounts=tuple(f"{each['Source']}:{each['Destination']}:{'rw' if each.get('RW') else 'ro'}" for each in mounts),
    )
    name = str(container["Name"]).lstrip("/")
    for hole in holes_of(plan, at):
        yield msgspec.structs.replace(hole, remedy=f"belljar run --from {name} {hole.remedy}")


def _kind(source: str) -> str:
    """What a file of the host's is; one on another machine can only be judged by its name."""
    if os.path.basename(source) in _ENGINE_SOCKETS:  # noqa: PTH119  # a path of the engine's machine
        return "engine"
    try:
        mode = os.stat(source).st_mode  # noqa: PTH116
        if stat.S_ISSOCK(mode):
            return "socket"
        if stat.S_ISDIR(mode):
            with os.scandir(source) as entries:
                names = [entry for entry, _ in zip(entries, range(_LOOKED_AT), strict=False)]
            if any(entry.name in _ENGINE_SOCKETS for entry in names):
                return "engine"
            if any(stat.S_ISSOCK(entry.stat(follow_symlinks=False).st_mode) for entry in names):
                return "socket"
    except OSError:
        return "files"
    return "files"
