"""How a container that runs was started, as a plan for another one like it."""

from __future__ import annotations

import msgspec

from belljar_tui.jars.engine import Json
from belljar_tui.jars.plan import DEFAULT_NETWORK, Plan


class Clone(msgspec.Struct, frozen=True):
    plan: Plan
    """Without the values of variables, ports and aliases: another one must not take the first one's calls."""
    variables: tuple[str, ...]
    """Names of the environment variables it was given beside its image's."""
    digest: str


def clone_from(container: Json, image: Json) -> Clone:
    """Of an inspected container and its inspected image: what the image says by itself is not said again."""
    given, own, host = container["Config"], image["Config"] or {}, container["HostConfig"]
    entrypoint, command = _program(given, own)
    networks = tuple(container["NetworkSettings"]["Networks"] or {})
    digests = image.get("RepoDigests") or []
    plan = Plan(
        image=str(given["Image"]),
        command=command,
        entrypoint=entrypoint,
        networks=() if networks == (DEFAULT_NETWORK,) else networks,
        dns=tuple(host.get("Dns") or ()),
        mounts=tuple(_mounts(container)),
        user=_unless_same(given, own, "User"),
        directory=_unless_same(given, own, "WorkingDir"),
        memory_bytes=int(host.get("Memory") or 0),
        cpus=(host.get("NanoCpus") or 0) / 1e9,
    )
    variables = sorted(each.partition("=")[0] for each in set(given.get("Env") or ()) - set(own.get("Env") or ()))
    return Clone(plan, tuple(variables), str(digests[0].rpartition("@")[2] if digests else image["Id"]))


def _program(given: Json, own: Json) -> tuple[str | None, tuple[str, ...]]:
    """Entrypoint and command, where they are not the image's."""
    entrypoint, command = given.get("Entrypoint") or [], given.get("Cmd") or []
    if entrypoint == (own.get("Entrypoint") or []):
        return None, () if command == (own.get("Cmd") or []) else tuple(command)
    return (entrypoint[0], (*entrypoint[1:], *command)) if entrypoint else ("", tuple(command))


def _mounts(container: Json) -> list[str]:
    found = []
    for each in container.get("Mounts") or ():
        source = each["Name"] if each.get("Type") == "volume" else each.get("Source")
        if each.get("Type") in ("bind", "volume") and source:
            found.append(f"{source}:{each['Destination']}" + ("" if each.get("RW") else ":ro"))
    return found


def _unless_same(given: Json, own: Json, field: str) -> str:
    value = str(given.get(field) or "")
    return "" if value == (own.get(field) or "") else value
