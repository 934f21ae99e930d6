"""Proves profiles: the run of each, and with `--strict` one more without each member; several side by side."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Sequence

import msgspec

from belljar_tui.core.profile import Profile, claim_of
from belljar_tui.headless.verifying.judge import add_members, judged, judged_member
from belljar_tui.headless.verifying.progress import Meter
from belljar_tui.headless.verifying.result import Member, Verdict, Verified
from belljar_tui.headless.verifying.sealed_run import Run, sealed_run, soak_s


class Prover:
    """One `verify`, whatever it was given.

    Args:
        jobs: jars at once.
        is_strict: prove that each member is still needed, too.
        meter: where progress is shown.
        on_result: called with each result as it comes.
    """

    def __init__(self, *, jobs: int, is_strict: bool, meter: Meter, on_result: Callable[[Verified], None]) -> None:
        self._is_strict = is_strict
        self._meter = meter
        self._on_result = on_result
        self._profiles = asyncio.Semaphore(jobs)
        self._jars = asyncio.Semaphore(jobs)
        self._stop = asyncio.Event()

    async def prove(self, profiles: Sequence[tuple[str, Profile]]) -> list[Verified]:
        """A result for each profile, in the given order; also when it was interrupted."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._interrupt)
        with self._meter.shown():
            return list(await asyncio.gather(*(self._prove(path, profile) for path, profile in profiles)))

    def _interrupt(self) -> None:
        """End what runs and report what was learned. Ctrl-C a second time does not wait."""
        self._stop.set()
        asyncio.get_running_loop().remove_signal_handler(signal.SIGINT)

    async def _prove(self, path: str, profile: Profile) -> Verified:
        async with self._profiles:
            result = await self._result(path, profile)
            with self._meter.aside():
                self._on_result(result)
            return result

    async def _result(self, path: str, profile: Profile) -> Verified:
        run = await self._run(profile, f"{path}: a sealed run")
        if run is None:
            return _not_run(path, profile)
        result = judged(path, profile, run)
        if self._is_strict and result.verdict in (Verdict.HOLDS, Verdict.DRIFTED):
            await self._prove_members(result, profile)
        return result

    async def _prove_members(self, result: Verified, profile: Profile) -> None:
        wanted = [member for member in profile.allow if member not in profile.evidence.pinned]
        members = await asyncio.gather(*(self._member(result.profile, profile, member) for member in wanted))
        add_members(result, [member for member in members if member is not None])
        if self._stop.is_set():
            result.is_interrupted = True
            result.verdict = Verdict.INCONCLUSIVE
            result.why = f"Interrupted; {len(result.members)} of {len(wanted)} members were tried."

    async def _member(self, path: str, profile: Profile, member: str) -> Member | None:
        """None when it was interrupted."""
        without = msgspec.structs.replace(profile, allow=tuple(one for one in profile.allow if one != member))
        run = await self._run(without, f"{path}: without {member}")
        if run is None or run.is_interrupted:
            return None
        return judged_member(member, without, run)

    async def _run(self, profile: Profile, words: str) -> Run | None:
        """None when it was interrupted before it began."""
        async with self._jars:
            if self._stop.is_set():
                return None
            total_s = profile.recovery.deadline_s + soak_s(profile)
            with self._meter.running(words, total_s):
                return await sealed_run(profile, self._stop)


def _not_run(path: str, profile: Profile) -> Verified:
    return Verified(
        profile=path,
        verdict=Verdict.INCONCLUSIVE,
        why="Interrupted before its run began.",
        claim=claim_of(profile),
        recovery=profile.recovery.kind,
        is_interrupted=True,
    )
