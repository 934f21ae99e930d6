"""Who else is on the jar's networks, and by what names: what the engine knows, and keeps knowing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence

import msgspec

from belljar_tui.errors import EngineError
from belljar_tui.jars.engine import Engine, Json
from belljar_tui.jars.labels import SESSION
from belljar_tui.wire.messages import Neighbour, NeighboursKnown

_SETTLE_S = 0.05
"""One change comes as several of the engine's events."""
_CHANGES = ("start", "die", "destroy", "rename", "connect", "disconnect")
_SERVICE = "com.docker.compose.service"

Tell = Callable[[NeighboursKnown], Awaitable[None]]


class NeighbourWatch:
    """Tells of every container on `networks` (names or ids) but ours: once at the start, and after each change."""

    def __init__(self, engine: Engine, networks: Sequence[str], tell: Tell, ignored: str = "") -> None:
        self._engine = engine
        self._networks = networks
        self._tell = tell
        self._ignored = ignored
        """Id of a container that is no neighbour: the service's own."""
        self._known: dict[str, Neighbour] = {}
        """By container id; one that is gone stays, down."""
        self._changed = asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._end: Callable[[], None] = lambda: None

    def start(self) -> None:
        filters = {"type": ["container", "network"], "event": list(_CHANGES)}
        self._end = self._engine.watch(filters, lambda _event: self._changed.set())
        self._watching = asyncio.create_task(self._watch())

    def stop(self) -> None:
        """Safe to call twice."""
        self._end()
        if self._watching is not None:
            self._watching.cancel()

    async def _watch(self) -> None:
        while True:
            self._changed.clear()
            try:
                found = await self._found()
            except EngineError:  # one went between the list and the look: the next event brings the next list
                await asyncio.sleep(_SETTLE_S)
                continue
            gone = {key: _down(each) for key, each in self._known.items() if key not in found}
            now = {**gone, **found}
            if now != self._known:
                self._known = now
                await self._tell(NeighboursKnown(tuple(_by_name(now))))
            await self._changed.wait()
            await asyncio.sleep(_SETTLE_S)

    async def _found(self) -> dict[str, Neighbour]:
        listed = await self._engine.containers({"network": list(self._networks)}) if self._networks else []
        others = [each for each in listed if SESSION not in (each.get("Labels") or {}) and each["Id"] != self._ignored]
        whole = await asyncio.gather(*(self._engine.container(each["Id"]) for each in others))
        return {each["Id"]: self._neighbour(each) for each in whole}

    def _neighbour(self, container: Json) -> Neighbour:
        ends = container["NetworkSettings"]["Networks"] or {}
        here = [end for name, end in ends.items() if {name, end.get("NetworkID")} & set(self._networks)]
        name = str(container["Name"]).lstrip("/")
        service = (container["Config"].get("Labels") or {}).get(_SERVICE, "")
        given = [alias for end in here for alias in end.get("Aliases") or () if alias != container["Id"][:12]]
        likely = [*([service] if service in given else []), *given, name]
        names = tuple(dict.fromkeys(each.lower() for each in likely))
        addresses = tuple(a for end in here for a in (end.get("IPAddress"), end.get("GlobalIPv6Address")) if a)
        is_up = bool(container["State"]["Running"])
        known = self._known.get(container["Id"])
        return Neighbour(names[0], names, addresses or (known.addresses if known else ()), is_up)


def _down(neighbour: Neighbour) -> Neighbour:
    return msgspec.structs.replace(neighbour, is_up=False)


def _by_name(known: dict[str, Neighbour]) -> Iterator[Neighbour]:
    """One for each name; of several replicas, or of one that came again, one that is up speaks for the name."""
    best: dict[str, Neighbour] = {}
    for each in known.values():
        other = best.get(each.name)
        if other is None or not other.is_up:
            best[each.name] = each
        elif each.is_up:
            best[each.name] = msgspec.structs.replace(other, addresses=(*other.addresses, *each.addresses))
    yield from best.values()
