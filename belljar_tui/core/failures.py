"""Every mode in words: what the caller meets, and what a real outage of that kind looks like. The command line's help,
the explorer's and the README's table come from here; so does what a cut may ask for."""

from __future__ import annotations

import msgspec

from belljar_tui.core.model import NAME_SERVICE, UNIX_MODES, Dependency, Mode, Protocol, Settings, is_address


class Failure(msgspec.Struct, frozen=True):
    """One mode."""

    meets: str
    """What its caller meets."""
    outage: str
    """When that happens outside a jar."""
    parameters: tuple[str, ...] = ()
    """Fields of a cut that belong to it."""


FAILURES = {
    Mode.REFUSE: Failure(
        "connection refused, at once; established flows are aborted",
        "the process has died and its machine lives: a crash, a deployment, a wrong port",
    ),
    Mode.BLACKHOLE: Failure(
        "silence, on new and on established flows",
        "the machine is gone or a firewall drops: power, kernel, a security group",
    ),
    Mode.RESET: Failure(
        "connection reset on established flows, refused on new ones; with after_bytes each flow is reset once so many "
        "bytes went over it",
        "a load balancer or proxy that restarts, or loses its backend in the middle of an answer",
        ("after_bytes",),
    ),
    Mode.UNREACHABLE: Failure(
        "no route to host, at once; established flows hang",
        "a route withdrawn, a subnet or a VPN down",
    ),
    Mode.DNS: Failure(
        "its name does not resolve (answer: nxdomain, servfail, none); addresses already known stay reachable",
        "a record deleted or expired, a name server that fails (servfail) or is away (none)",
        ("answer",),
    ),
    Mode.SLOW: Failure(
        "every round trip takes longer (delay_s, give or take jitter_s), or its flows share a bandwidth (bytes_per_s); "
        "established TCP flows are aborted, and call anew",
        "a dependency under load, a lock somebody holds, a saturated or a distant link",
        ("delay_s", "jitter_s", "bytes_per_s"),
    ),
    Mode.HANG: Failure(
        "accepted, then never a byte; silence on established flows",
        "the process is stuck and its kernel lives: a deadlock, a full thread pool, a debugger, a stalled disk",
    ),
    Mode.FLAKY: Failure(
        "a fraction of new calls fails in another mode (fails_by); established flows go on",
        "one of several backends is bad, or the way there is overloaded",
        ("fraction", "fails_by"),
    ),
}
"""In the order that `m` goes through them."""

FAILING = (Mode.REFUSE, Mode.BLACKHOLE, Mode.RESET, Mode.UNREACHABLE)
"""Modes that fail every packet, in the kernel alone: what a flaky dependency can fail by."""
SEALING = (*FAILING, Mode.HANG)
"""Modes in which everything undecided can fail: those that need neither a name nor luck. Trials are run in these."""
_PARAMETERS = tuple(name for failure in FAILURES.values() for name in failure.parameters)


def why_no_cut(
    dependency: Dependency,
    mode: Mode,
    given: dict[str, object],
    lacks: tuple[Mode, ...] = (),
    *,
    has_unix: bool = True,
    has_queue: bool = True,
) -> str:
    """Why a dependency cannot be cut like this, in words for the person who asked; empty when it can.

    Args:
        given: the cut's parameters that were given, by name.
        lacks: modes that this session's kernel cannot do.
        has_unix: whether this session's jar can cut unix sockets.
        has_queue: whether this session's kernel can hold datagrams.
    """
    if dependency.protocol is Protocol.UNIX and not has_unix:
        return "unix sockets can be cut in a jar of namespaces only: leave the socket's mount away instead"
    if mode in lacks:
        return f"this kernel cannot do {mode}: it lacks nftables' hash and numgen expressions"
    for name in given:
        if name in _PARAMETERS and name not in FAILURES[mode].parameters:
            owner = next(each for each, failure in FAILURES.items() if name in failure.parameters)
            return f"{name} belongs to the mode {owner}, not to {mode}"
    if mode is Mode.DNS and (dependency.protocol is Protocol.UNIX or is_address(dependency.host)):
        return f"{dependency} has no name that could fail to resolve: cut it in another mode"
    if dependency.protocol is Protocol.UNIX and mode not in UNIX_MODES:
        return f"a unix socket can be cut by {' or '.join(UNIX_MODES)}, not by {mode}"
    if mode is Mode.FLAKY and str(dependency) == NAME_SERVICE:
        return "name service as a whole cannot be flaky: cut it in another mode"
    if given.get("fails_by", Mode.REFUSE) not in FAILING:
        return f"fails_by can be {', '.join(FAILING)}"
    if mode is Mode.SLOW:
        return _why_not_slow(dependency, given, has_queue)
    if "after_bytes" in given and dependency.protocol is not Protocol.TCP:
        return "after_bytes needs a TCP flow that can be reset"
    return ""


def _why_not_slow(dependency: Dependency, given: dict[str, object], has_queue: bool) -> str:
    if str(dependency) == NAME_SERVICE:
        return "name service as a whole cannot be slow: cut it in another mode"
    if dependency.protocol is not Protocol.TCP and not has_queue:
        return f"this kernel has no queue (nft_queue), so only TCP can be slow: cut {dependency} in another mode"
    own = msgspec.structs.replace(Settings(), **given)
    if own.jitter_s > own.slow_by_s:
        return f"jitter_s ({own.jitter_s:g}) cannot be more than delay_s ({own.slow_by_s:g}): no answer comes early"
    return ""


def why_no_seal(mode: Mode) -> str:
    """Why everything undecided cannot fail in `mode`; empty when it can."""
    return "" if mode in SEALING else f"a seal cannot fail by {mode}, only by {', '.join(SEALING)}."


def help_lines() -> list[str]:
    """One line a mode, for the command line's help."""
    width = max(map(len, FAILURES))
    return [f"{mode:<{width}}  {failure.meets}. In life: {failure.outage}." for mode, failure in FAILURES.items()]
