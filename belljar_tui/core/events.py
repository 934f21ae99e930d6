"""Everything that happens. Past tense; on the wire and in the journal each is one JSON object with the tag
`event` (snake case) and `at` (seconds since the session started)."""

from __future__ import annotations

from typing import Any

import msgspec

from belljar_tui.core.model import Health, Mode, Reach, Seal, Settings
from belljar_tui.core.search import Found, Phase, Question
from belljar_tui.core.trial import Outcome, Recovery, Trial


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag=_snake, gc=False):
    """The common head of every event. Events are trees: the collector of cycles need not look at them."""

    at: float
    """Seconds since the session started."""


class SessionStarted(Event, frozen=True, kw_only=True):
    name: str
    """What the screen calls the session, e.g. `checkout`."""
    jar: str
    """`namespaces`, `docker`, `lab`, `attached via host` or `attached via sidecar`."""
    command: list[str]
    """The service's command line."""
    checks: list[str] = []
    """Health checks as written."""
    started: str = ""
    """Wall clock, ISO 8601 with zone."""
    version: str = ""
    """BellJar's version."""
    drill: str = ""
    """The drill that is played, its name or its file; empty where it is none."""


class AgentStarted(Event, frozen=True, kw_only=True):
    """What enforcement and observation this kernel gave the agent."""

    queue: str
    """`native` or `xtables`: blocked calls are held and attributed; `none`: they are only counted."""
    log: bool
    """Open flows are seen through a log group."""
    destroy: bool
    """Established sockets can be destroyed."""
    lacks: list[Mode] = []
    """Modes that this kernel cannot do."""
    unix: bool = False
    """Unix sockets can be cut, and calls to them are held and counted."""


class SealProven(Event, frozen=True, kw_only=True):
    """The proof of the seal: a probe that must be blocked was, and was counted; one that must pass did."""

    ok: bool
    detail: str


class ServiceAwaited(Event, frozen=True, kw_only=True):
    """The wanted state is in force; a service that is a container of its own may be started now."""


class NeighbourChanged(Event, frozen=True, kw_only=True):
    """A container on the jar's networks was seen for the first time, or differs from what was last said of it."""

    name: str
    """What the service most likely calls it."""
    names: list[str] = []
    """Every name it answers to."""
    addresses: list[str] = []
    """On the jar's networks; of one that is down, the last known."""
    is_up: bool = True


class HoleFound(Event, frozen=True, kw_only=True):
    """Something of the host's that is mounted into the service: a way around the seal."""

    path: str
    """As the service sees it."""
    source: str
    """As the host has it."""
    kind: str
    """`engine`: the engine's own socket; `socket`: another one, or a folder with some; `files`: files or a folder;
    `family`: sockets that no ruleset sees, to `source`;
    `mounts`: a unix socket whose cut does not reach `source`, a process with mounts of its own, but for held calls."""
    is_writable: bool = False
    remedy: str = ""
    """How to close it."""


class TargetEntered(Event, frozen=True, kw_only=True):
    """The agent is in the namespaces of a service that ran before it, and the seal is proven there."""

    target: str
    """The container's name, or `process PID`."""
    via: str
    """`host`: entered directly; `sidecar`: by a container that joined the target's namespaces."""
    container: str = ""
    """Its id; empty where the target is a process."""
    image: str = ""
    owner: str = ""
    """The container whose network namespace it is, where that is another one."""
    shared_with: list[str] = []
    """What else lives in that network namespace, and so behind the same seal."""
    because: str = ""
    """Why again: `restarted`, `created anew`, `the engine came back`, `BellJar was away`; empty the first time."""
    unsealed_s: float | None = None
    """How long it ran without the seal before, since its start; None the first time."""


class TargetLost(Event, frozen=True, kw_only=True):
    """The target does not run any more. The wanted state is kept for its return, unless that is not to be expected."""

    how: str
    """`exited`, `killed`, `out of memory` or `removed`."""
    code: int | None = None
    """Exit code, where it is known; negative is a signal's number."""
    is_for_good: bool = False
    """Nothing of its name came in its place."""


class TargetRenamed(Event, frozen=True, kw_only=True):
    before: str
    name: str


class EngineLost(Event, frozen=True, kw_only=True):
    """The engine does not answer: until it does, its containers are neither followed nor known by name."""

    detail: str


class EngineReturned(Event, frozen=True, kw_only=True):
    """The engine answers again."""


class ServiceStarted(Event, frozen=True, kw_only=True):
    pid: int
    """As seen inside the jar."""
    command: list[str]


class ServiceExited(Event, frozen=True, kw_only=True):
    code: int
    """Exit code; negative is a signal's number."""


class ProcessSeen(Event, frozen=True, kw_only=True):
    pid: int
    parent: int
    name: str
    """Short name, e.g. `web`."""
    command: str
    """Command line, one string."""


class ProcessGone(Event, frozen=True, kw_only=True):
    pid: int


class DependencySeen(Event, frozen=True, kw_only=True):
    """A dependency, or a new endpoint or caller of it, was seen for the first time."""

    dependency: str
    endpoint: str
    """`tcp 10.77.0.5:5432`; empty for name service."""
    pid: int | None = None
    process: str | None = None
    virtual: str = ""
    """The address by which the service reaches the endpoint, where that is not its own: another name has that one."""


class GroupCalled(Event, frozen=True, kw_only=True):
    """A dependency, just seen, is no host: calls to it go to whoever listens."""

    dependency: str
    reach: Reach


class GroupsJoined(Event, frozen=True, kw_only=True):
    """The multicast groups that sockets in the jar are members of now, all of them. The kernel does not say whose."""

    groups: list[str]


class NameResolved(Event, frozen=True, kw_only=True):
    name: str
    addresses: list[str]
    """Empty when the name has none."""
    detail: str = ""
    """The answer's code when it was not NOERROR, e.g. `NXDOMAIN`, or `timeout`."""
    virtual: dict[str, str] = {}
    """Of the addresses, those that belong to another name, and what the service was answered instead."""


class NameClaimed(Event, frozen=True, kw_only=True):
    """A call to a raw address said whom it calls. Evidence, never authority: the dependency keeps its id, and nothing
    is enforced by it. Once for each name."""

    dependency: str
    name: str
    source: str
    """`tls`: the server name of a ClientHello; `http`: the Host of a request."""


class CallBlocked(Event, frozen=True, kw_only=True):
    """`count` calls met the cut since the last such event. Sums are exact: they are the kernel's counter. Where a cut
    hangs, established flows that met it are one call more, if no new one did. With `dns` they are queries for the name,
    which bear no port: each dependency of that name that is cut so counts them."""

    dependency: str
    mode: Mode
    pid: int | None
    """None: counted by the kernel but not held, so not attributed."""
    process: str | None
    count: int


class TrafficCounted(Event, frozen=True, kw_only=True):
    """Totals for an open dependency since the session started, from the kernel's counters (outgoing); for name
    service the queries, as our name server took them."""

    dependency: str
    calls: int
    packets: int
    bytes: int


class CutApplied(Event, frozen=True, kw_only=True):
    """The kernel has the cut (read back, not assumed)."""

    dependency: str
    mode: Mode
    by: str = "user"
    """`user`: asked for by itself; `seal`: fell under the vacuum seal."""
    settings: Settings = Settings()
    """The mode's parameters and the cut's time limit, where they are not the default."""


class CutRestored(Event, frozen=True, kw_only=True):
    """It is open again: restored by hand, or its time was up."""

    dependency: str


class SealChanged(Event, frozen=True, kw_only=True):
    seal: Seal
    mode: Mode = Mode.REFUSE


class HealthChanged(Event, frozen=True, kw_only=True):
    health: Health
    check: str
    """The check that decided, as written."""
    detail: str
    """The check's own words, e.g. `503 auth.lab: connection refused`."""


class EventsLost(Event, frozen=True, kw_only=True):
    """Something could not be observed. Never silent."""

    source: str
    """`callers`: blocked calls, each counted, of whom nobody could say who made them; `queue`: calls that were held too
    late to say whom they called; `virtual`: names fall together, as all virtual addresses are in use; `lane`: datagrams
    to what is slow, of which too many waited, and which were dropped; `log`, `claims`, `output`, `journal`."""
    count: int


class LaneBroke(Event, frozen=True, kw_only=True):
    """Calls that should go through a lane do not, or not as they should. They are refused, never let past it."""

    detail: str


class JarStalled(Event, frozen=True, kw_only=True):
    """A part of the jar is stopped. What calls do meanwhile says nothing about the service."""

    part: str
    """`agent`: cuts hold, and nothing is seen; `way out`: what is open hangs."""
    pid: int


class JarWentOn(Event, frozen=True, kw_only=True):
    """The part goes on. Seen once a second."""

    part: str
    stalled_s: float


class AuditFailed(Event, frozen=True, kw_only=True):
    """The kernel's elements differ from the wanted state."""

    detail: str


class CommandRejected(Event, frozen=True, kw_only=True):
    command: str
    """The line or command as given."""
    reason: str


class NoteAdded(Event, frozen=True, kw_only=True):
    text: str
    dependency: str | None = None


class ProfileSaved(Event, frozen=True, kw_only=True):
    path: str


class SearchStarted(Event, frozen=True, kw_only=True):
    """A search for the minimal working set began. With the outcomes that follow it is all that is needed to go on."""

    question: Question
    recovery: Recovery = Recovery.COLD
    deadline_s: float = 0.0
    """Cold: seconds from the start to healthy; steady: seconds from the restore to healthy. 0: set after the first."""
    soak_s: float = 0.0
    """Steady: seconds that a cut lasts; cold: seconds that health must hold."""
    jobs: int = 1
    has_virtual_addresses: bool = True
    """Names on one address are dependencies of their own in its jars."""


class TrialStarted(Event, frozen=True, kw_only=True):
    number: int
    """1 for the first of the search."""
    trial: Trial
    phase: Phase
    about: str = ""
    """The dependency it asks about, where it is one."""


class TrialEnded(Event, frozen=True, kw_only=True):
    number: int
    outcome: Outcome
    is_recalled: bool = False
    """Not run now: known from an earlier search that this one goes on from."""


class TrialAbandoned(Event, frozen=True, kw_only=True):
    """A trial was ended without a verdict: its answer is not wanted any more, or the search was stopped."""

    number: int


class SearchProgressed(Event, frozen=True, kw_only=True):
    expected: int
    """About how many trials are still to come."""
    set_so_far: list[str] | None = None
    """The smallest set known to work."""


class SearchPaused(Event, frozen=True, kw_only=True):
    """No trial is started until it is resumed; those under way end."""


class SearchResumed(Event, frozen=True, kw_only=True):
    pass


class SearchStopped(Event, frozen=True, kw_only=True):
    """Ended without an answer. The outcomes so far stay, and a later search goes on from them."""

    reason: str


class SearchEnded(Event, frozen=True, kw_only=True):
    found: Found


class SessionEnded(Event, frozen=True, kw_only=True):
    reason: str


AnyEvent = (
    SessionStarted
    | AgentStarted
    | SealProven
    | ServiceAwaited
    | NeighbourChanged
    | HoleFound
    | TargetEntered
    | TargetLost
    | TargetRenamed
    | EngineLost
    | EngineReturned
    | ServiceStarted
    | ServiceExited
    | ProcessSeen
    | ProcessGone
    | DependencySeen
    | GroupCalled
    | GroupsJoined
    | NameResolved
    | NameClaimed
    | CallBlocked
    | TrafficCounted
    | CutApplied
    | CutRestored
    | SealChanged
    | HealthChanged
    | EventsLost
    | JarStalled
    | JarWentOn
    | AuditFailed
    | LaneBroke
    | CommandRejected
    | NoteAdded
    | ProfileSaved
    | SearchStarted
    | TrialStarted
    | TrialEnded
    | TrialAbandoned
    | SearchProgressed
    | SearchPaused
    | SearchResumed
    | SearchStopped
    | SearchEnded
    | SessionEnded
)

_decoder: msgspec.json.Decoder[AnyEvent] = msgspec.json.Decoder(AnyEvent)
_encoder = msgspec.json.Encoder(order="deterministic")


def encode(event: AnyEvent) -> bytes:
    """One JSON object without a line end."""
    return _encoder.encode(event)


def decode(line: bytes | str) -> AnyEvent:
    """Raises msgspec.ValidationError or msgspec.DecodeError when `line` is not an event."""
    return _decoder.decode(line)


def decode_lines(lines: bytes) -> list[AnyEvent]:
    """One event a line, much faster than one by one. Raises as `decode` does, and then does not say where."""
    return _decoder.decode_lines(lines)


def to_builtins(event: AnyEvent) -> dict[str, Any]:
    """The event as plain dict, as it stands in the journal."""
    built: dict[str, Any] = msgspec.to_builtins(event)
    return built
