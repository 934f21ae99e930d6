"""What the kernel counted: of an endpoint, and of a dependency, apart for how it stood."""

from __future__ import annotations

import msgspec

Verdict = str | None
"""How the kernel fails an endpoint: the chain's name (a mode, where it has no parameters); None is open."""


class Count(msgspec.Struct, frozen=True):
    packets: int = 0
    bytes: int = 0

    def plus(self, other: Count) -> Count:
        return Count(self.packets + other.packets, self.bytes + other.bytes)

    def minus(self, other: Count) -> Count:
        return Count(self.packets - other.packets, self.bytes - other.bytes)


class Counts(msgspec.Struct, frozen=True):
    """What the kernel counted for one endpoint."""

    calls: Count = Count()
    """New flows only (a retransmitted SYN that never got through is new again)."""
    packets: Count = Count()
    """Every packet sent to it."""
    failed: Count = Count()
    """Of an endpoint that fails only some calls, or only for a time, or in a lane: the calls that failed."""
    let_calls: Count = Count()
    """Calls that a lane let through, slowly."""
    let_packets: Count = Count()
    """Packets sent into a lane that lets them through."""

    def plus(self, other: Counts) -> Counts:
        return Counts(
            self.calls.plus(other.calls),
            self.packets.plus(other.packets),
            self.failed.plus(other.failed),
            self.let_calls.plus(other.let_calls),
            self.let_packets.plus(other.let_packets),
        )


def fails_some(verdict: Verdict) -> bool:
    """Whether it is a chain with parameters: it lets calls through, and counts those that fail apart."""
    return verdict is not None and "_" in verdict


class Tally(msgspec.Struct, frozen=True):
    """What was counted for an endpoint or a dependency since the start, apart for each way it stood."""

    is_open: Counts = Counts()
    """While it was open, or what got through."""
    is_cut: Counts = Counts()
    """While it was cut, or what did not get through."""

    def plus(self, verdict: Verdict, counts: Counts) -> Tally:
        met, let = Counts(calls=counts.failed), Counts(counts.let_calls, counts.let_packets)
        if (verdict or "").startswith("slow_"):  # all of it was let through, late, and is counted as that
            return Tally(self.is_open.plus(let), self.is_cut.plus(met))
        if verdict is not None and not fails_some(verdict):
            return Tally(self.is_open.plus(let), self.is_cut.plus(met).plus(Counts(counts.calls, counts.packets)))
        # a flaky endpoint's calls are counted before the die is cast, those that failed once more after it
        calls = counts.calls.minus(counts.failed) if (verdict or "").startswith("flaky") else counts.calls
        return Tally(self.is_open.plus(let).plus(Counts(calls, counts.packets)), self.is_cut.plus(met))

    def joined(self, other: Tally) -> Tally:
        return Tally(self.is_open.plus(other.is_open), self.is_cut.plus(other.is_cut))
