"""What is known of a session at one moment. Only the fold (`core.fold`) makes the next one."""

from __future__ import annotations

import msgspec

from belljar_tui.core import events as ev
from belljar_tui.core.failures import FAILURES
from belljar_tui.core.grown import Grown
from belljar_tui.core.model import Dependency, Health, Mode, Reach, Seal, Settings, Wanted
from belljar_tui.core.search_view import SearchView

BLOCKED_KEPT = 500
"""Blocked-call lines kept in the state for the screen; the journal has them all."""


class Process(msgspec.Struct, frozen=True, gc=False):
    pid: int
    parent: int
    name: str
    command: str
    is_gone: bool = False


class Trying(msgspec.Struct, frozen=True, gc=False):
    """What a cut did to health."""

    mode: Mode
    health: Health
    """UNKNOWN: nothing has been blocked yet, or health has not answered."""
    after_s: float | None = None
    """Seconds from the cut to that health."""


class DependencyView(msgspec.Struct, frozen=True, gc=False):
    """All that is known of one dependency."""

    id: str
    endpoints: tuple[str, ...] = ()
    virtual: dict[str, str] = {}
    """Of the endpoints, those that belong to another name, and the address by which the service reaches each."""
    callers: tuple[int, ...] = ()
    """Pids seen calling it, first seen first."""
    mode: Mode | None = None
    """How it is cut now; None when open."""
    cut_by: str = ""
    """`user` or `seal` while cut."""
    cut_at: float | None = None
    """When the current cut was applied."""
    settings: Settings = Settings()
    """The parameters of the current cut, and when it ends by itself."""
    calls: int = 0
    packets: int = 0
    bytes: int = 0
    bytes_per_s: float = 0.0
    blocked: int = 0
    """Blocked calls over the whole session."""
    blocked_now: int = 0
    """Blocked calls since the current cut."""
    calls_at_cut: int = 0
    """Of `calls`, those from before the current cut."""
    blocked_at: float | None = None
    active_at: float = 0.0
    """When traffic, a call or a block was last seen."""
    counted_at: float = 0.0
    tried: tuple[Trying, ...] = ()
    """The last outcome per mode, in the order first tried."""
    recovered_after_s: float | None = None
    """Seconds from the last restore to healthy."""
    reach: Reach = Reach.HOST
    """Whom calls to it go to."""
    claims: tuple[str, ...] = ()
    """Names that calls to this raw address said they call, first said first: evidence, at most CLAIMS_KEPT."""

    @property
    def is_group(self) -> bool:
        """Whether it is multicast or broadcast: nobody's address."""
        return self.reach is not Reach.HOST

    @property
    def is_cut(self) -> bool:
        return self.mode is not None

    @property
    def own_endpoints(self) -> tuple[str, ...]:
        """Those that the service reaches by their own addresses."""
        return tuple(each for each in self.endpoints if each not in self.virtual)

    @property
    def met_now(self) -> int:
        """Calls that met the current cut: those that were blocked, or, where it is slow, got through late."""
        return self.calls - self.calls_at_cut if self.mode is Mode.SLOW else self.blocked_now


class BlockedLine(msgspec.Struct, frozen=True, gc=False):
    at: float
    dependency: str
    mode: Mode
    pid: int | None
    process: str | None
    count: int


class HealthSpan(msgspec.Struct, frozen=True, gc=False):
    at: float
    health: Health
    check: str
    detail: str


class Neighbour(msgspec.Struct, frozen=True):
    """A container on the jar's networks."""

    name: str
    names: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    is_up: bool = True


class Target(msgspec.Struct, frozen=True):
    """What the session is attached to."""

    name: str
    via: str = ""
    owner: str = ""
    """Of the network namespace, where it is another container."""
    shared_with: tuple[str, ...] = ()
    entries: int = 0
    """How often the agent came in: once, and once more for each return of the target."""
    because: str = ""
    """Why it came in again, the last time."""
    unsealed_s: float | None = None
    """How long the target had run without the seal, that time."""
    entered_at: float = 0.0
    lost: str = ""
    """How the target ended; empty while it runs."""
    is_for_good: bool = False


class State(msgspec.Struct, frozen=True, gc=False):
    """One moment of a session. Immutable; `apply` makes the next one. (It holds no cycle: nothing to collect.)"""

    at: float = 0.0
    name: str = ""
    jar: str = ""
    command: tuple[str, ...] = ()
    checks: tuple[str, ...] = ()
    started: str = ""
    drill: str = ""
    """The drill that is played."""
    queue: str = ""
    lacks: tuple[Mode, ...] = ()
    """Modes that the kernel cannot do."""
    has_unix: bool = True
    """Unix sockets can be cut here (until the agent has said that they cannot)."""
    seal: Seal = Seal.OPEN
    seal_mode: Mode = Mode.REFUSE
    proof: ev.SealProven | None = None
    service_pid: int | None = None
    service_started_at: float = 0.0
    exit_code: int | None = None
    """Of the service; negative is a signal's number. None while it runs."""
    processes: dict[int, Process] = {}
    dependencies: dict[str, DependencyView] = {}
    """In the order first seen."""
    groups: tuple[str, ...] = ()
    """Multicast groups that the service has joined now."""
    names: dict[str, tuple[str, ...]] = {}
    """Name -> addresses, as the service was answered."""
    health: Health = Health.UNKNOWN
    health_check: str = ""
    health_detail: str = ""
    health_since: float = 0.0
    health_spans: Grown[HealthSpan] = Grown()
    blocked: int = 0
    blocked_before: Grown[BlockedLine] = Grown()
    blocked_last: BlockedLine | None = None
    """The newest line, which the next call may still join, and the lines before it."""
    lost: int = 0
    stalled: tuple[str, ...] = ()
    """Parts of the jar that are stopped now."""
    has_stalled: bool = False
    audit_failures: Grown[str] = Grown()
    notes: Grown[ev.NoteAdded] = Grown()
    rejected: Grown[ev.CommandRejected] = Grown()
    saved: Grown[str] = Grown()
    last_cut: str = ""
    """The dependency whose cut health is now measured against; empty when the last change was a restore."""
    last_cut_at: float | None = None
    restored: str = ""
    restored_at: float | None = None
    recovered_after_s: float | None = None
    """Seconds from the last restore to healthy; None while unhealthy or before any."""
    neighbours: dict[str, Neighbour] = {}
    """Containers on the jar's networks, by name."""
    holes: tuple[ev.HoleFound, ...] = ()
    """What of the host's is mounted into the service: ways around the seal."""
    target: Target | None = None
    """Where the session is attached to a service that ran before."""
    is_engine_lost: bool = False
    search: SearchView | None = None
    """The last search for the minimal working set."""
    ended: str = ""
    """Why the session ended; empty while it runs."""

    def is_down(self, view: DependencyView) -> bool:
        """Whether the dependency's container is known and does not run: whatever the seal, nobody would answer."""
        host = view.id.partition("://")[2].rpartition(":")[0].strip("[]")
        return any(not each.is_up and host in (*each.names, *each.addresses) for each in self.neighbours.values())

    def names_cut_with(self, view: DependencyView) -> tuple[str, ...]:
        """Other names that resolved to an address of this dependency: a call to its port there is a call to it, so
        that they are cut and counted together. Names that moved away since are told too: a cut may still meet them."""
        host = _host(view.id)
        addresses = {*map(_host, view.own_endpoints), *self.names.get(host, ())}
        return tuple(name for name, known in self.names.items() if name != host and not addresses.isdisjoint(known))

    def called(self, dependency: Dependency) -> str:
        """Its id, under the name that the service calls it by where the engine knows its container by several."""
        if str(dependency) in self.dependencies:
            return str(dependency)
        for each in self.neighbours.values():
            if dependency.host not in each.names:
                continue
            named = [str(msgspec.structs.replace(dependency, host=host)) for host in (*each.names, *each.addresses)]
            return next((name for name in named if name in self.dependencies), named[0])
        return str(dependency)

    @property
    def is_search_alone(self) -> bool:
        """It has a search, and no service of its own beside the trials' ones."""
        return self.search is not None and self.service_pid is None and self.target is None

    @property
    def lab(self) -> str | None:
        """The built-in lab it is in; None elsewhere."""
        kind, _, name = self.jar.partition(" ")
        return (name or self.name) if kind == "lab" else None

    @property
    def has_queue(self) -> bool:
        """Whether its kernel can hold calls, and datagrams to what is slow."""
        return self.queue != "none"

    @property
    def modes(self) -> tuple[Mode, ...]:
        """How a dependency can be cut in this session."""
        return tuple(mode for mode in FAILURES if mode not in self.lacks)

    @property
    def blocked_lines(self) -> tuple[BlockedLine, ...]:
        """Newest last, at most BLOCKED_KEPT; neighbours from one caller to one cut within a second are one line."""
        return (*self.blocked_before[:], self.blocked_last) if self.blocked_last is not None else ()

    @property
    def open_count(self) -> int:
        """Open dependencies. Multicast and broadcast are nobody in particular, and not among them."""
        return sum(not view.is_cut and not view.is_group for view in self.dependencies.values())

    @property
    def group_count(self) -> int:
        """Open groups: multicast and broadcast."""
        return sum(not view.is_cut and view.is_group for view in self.dependencies.values())

    @property
    def cut_count(self) -> int:
        return sum(view.is_cut for view in self.dependencies.values())

    @property
    def wanted(self) -> Wanted:
        """The wanted state that the events so far amount to. Opens are what is open under a vacuum seal."""
        cuts = {d.id: d.mode for d in self.dependencies.values() if d.mode is not None and d.cut_by == "user"}
        settings = {d: self.dependencies[d].settings for d in cuts if self.dependencies[d].settings != Settings()}
        opens = (
            frozenset(d.id for d in self.dependencies.values() if not d.is_cut)
            if self.seal is Seal.VACUUM
            else frozenset[str]()
        )
        return Wanted(self.seal, self.seal_mode, cuts, opens, settings)

    @property
    def is_stuck_after_restore(self) -> bool:
        """Everything was restored and the service is still unhealthy: restore is a test of its own."""
        return (
            self.restored_at is not None
            and self.cut_count == 0
            and self.health is Health.UNHEALTHY
            and self.recovered_after_s is None
        )


def _host(text: str) -> str:
    """The name or address of an id such as `tcp://a.lab:80`, or of an endpoint such as `tcp [fd77::1]:80`."""
    rest = text.partition("://" if "://" in text else " ")[2]
    if rest.startswith("["):
        return rest[1:].partition("]")[0]
    return rest.partition(":")[0]
