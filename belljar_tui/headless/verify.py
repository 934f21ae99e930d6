"""`belljar verify`: one sealed run per profile, and a clear answer."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path

import msgspec

from belljar_tui.core.model import Health
from belljar_tui.core.profile import Profile, called_in, claim_of
from belljar_tui.core.state import State
from belljar_tui.errors import BellJarError
from belljar_tui.headless import diagnostics, printer
from belljar_tui.headless.diagnostics import Exit
from belljar_tui.headless.opening import Opened, asked_for_profile, open_session, require_lab
from belljar_tui.journal.profile_file import read_profile

_LOG_LINES = 8
_LOG_BYTES = 16_384
_SOAK_ROUNDS = 2
"""Rounds of checks to watch after health, so that what the service calls once it is up is seen too."""
_CODES = {
    "holds": Exit.HOLDS,
    "broken": Exit.BROKEN,
    "drifted": Exit.DRIFTED,
    "unsealed": Exit.UNSEALED,
    "inconclusive": Exit.INCONCLUSIVE,
}
_WORST = (Exit.UNSEALED, Exit.BROKEN, Exit.INCONCLUSIVE, Exit.DRIFTED, Exit.HOLDS)
_MARKS = {"holds": "[green]✓[/]", "drifted": "[yellow]≠[/]", "inconclusive": "[yellow]?[/]"}


class Verified(msgspec.Struct):
    """What one profile's run showed; the object in `--json`."""

    profile: str
    verdict: str
    """`holds`, `broken`, `drifted`, `unsealed` or `inconclusive`."""
    healthy_after_s: float | None = None
    new_dependencies: list[str] = []
    no_longer_needed: list[str] = []
    """In the working set and not called in this run."""
    detail: str = ""
    """The check's own words, or why there is no answer."""
    blocked: dict[str, int] = {}
    """Blocked calls per dependency."""
    claim: str = ""
    journal: str = ""
    log: list[str] = []
    """The service's last words, where it did not get healthy."""


def verify(paths: Sequence[str], *, as_json: bool) -> int:
    """Returns the exit code: of several profiles the worst. Raises BellJarError before the first run only."""
    profiles = [(path, read_profile(Path(path))) for path in paths]
    for path, profile in profiles:
        require_lab(path, profile)
    results: list[Verified] = []
    try:
        for path, profile in profiles:
            diagnostics.note(f"belljar: {path}: a sealed run, up to {profile.recovery.deadline_s:g} s …")
            results.append(asyncio.run(_prove(path, profile)))
            if not as_json:
                _say(results[-1])
    except (KeyboardInterrupt, asyncio.CancelledError):
        diagnostics.note("belljar: interrupted")
        return Exit.INTERRUPTED
    if as_json:
        printer.json({"profiles": results})
    codes = {_CODES[result.verdict] for result in results}
    return next(code for code in _WORST if code in codes)


async def _prove(path: str, profile: Profile) -> Verified:
    """Run the profile's service, sealed, until it is healthy, has ended, or the deadline has passed."""
    result = Verified(path, "inconclusive", claim=claim_of(profile))
    try:
        opened = open_session(asked_for_profile(profile))
    except BellJarError as error:
        return msgspec.structs.replace(result, detail=str(error))
    result.journal = str(opened.journal)
    task = asyncio.current_task()
    for number in (signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel if task else lambda: None)
    try:
        await opened.session.start()
        with contextlib.suppress(TimeoutError):  # the deadline is part of the claim: judged below
            await asyncio.wait_for(_watch(opened, profile), profile.recovery.deadline_s)
    except BellJarError as error:
        return msgspec.structs.replace(result, verdict="unsealed", detail=str(error))
    finally:
        ended = opened.session.state.exit_code  # before we end it ourselves
        await opened.session.finish("verified")
    await _drain(opened)
    return _judged(result, opened, profile, ended)


async def _watch(opened: Opened, profile: Profile) -> None:
    """Until the service has been healthy for a while, or has ended."""
    healthy_at: float | None = None
    soak_s = profile.healthy.every_s * _SOAK_ROUNDS
    session = opened.session
    async for _ in session.listen():
        state = session.state
        if state.exit_code is not None or (state.proof is not None and not state.proof.ok):
            return
        if state.health is not Health.HEALTHY:
            healthy_at = None
        elif healthy_at is None:
            healthy_at = state.at
        elif session.now() - healthy_at >= soak_s:
            return


async def _drain(opened: Opened) -> None:
    """The last counts arrive after the end was asked for."""
    async for _ in opened.session.listen():
        pass


def _judged(result: Verified, opened: Opened, profile: Profile, ended: int | None) -> Verified:
    """The verdict, from the fold of the run's events alone."""
    state = opened.session.state
    known = {*profile.allow, *(d.id for d in profile.evidence.dependencies), *profile.evidence.never_exercised}
    result.blocked = {view.id: view.blocked for view in state.dependencies.values() if view.blocked}
    called = called_in(state)
    result.new_dependencies = sorted(called - known)
    result.no_longer_needed = [d for d in profile.allow if d not in called]
    result.healthy_after_s = healthy_after_s(state)
    result.detail = state.health_detail
    if state.proof is None or not state.proof.ok:
        result.verdict = "unsealed"
        result.detail = state.proof.detail if state.proof else "the seal was not proven"
    elif result.healthy_after_s is None:
        result.verdict = "broken"
        if ended is not None:
            result.detail = f"the service ended with exit code {ended}"
        result.log = _last_lines(opened.log)
    else:
        result.verdict = "drifted" if result.new_dependencies else "holds"
    return result


def healthy_after_s(state: State) -> float | None:
    """Seconds from the service's start to healthy; None when it never was."""
    span = next((span for span in state.health_spans if span.health is Health.HEALTHY), None)
    return None if span is None else round(span.at - state.service_started_at, 3)


def _last_lines(log: Path) -> list[str]:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _LOG_BYTES))
            return file.read().decode(errors="replace").splitlines()[-_LOG_LINES:]
    except OSError:
        return []


def _say(result: Verified) -> None:
    mark = _MARKS.get(result.verdict, "[red]✗[/]")
    after = f" after {result.healthy_after_s:.1f} s" if result.healthy_after_s is not None else ""
    lines = [f"{mark} [bold]{result.verdict}[/]  {result.profile}{after}", f"  {result.claim}"]
    if result.verdict != "holds" and result.detail:
        lines.append(f"  the check says: {result.detail}" if result.verdict == "broken" else f"  {result.detail}")
    if result.blocked and result.verdict != "holds":
        met = ", ".join(f"{d} ({n})" for d, n in sorted(result.blocked.items(), key=lambda item: -item[1]))
        lines.append(f"  blocked calls: {met}")
    if result.new_dependencies:
        lines.append(f"  new, unknown to the profile: {', '.join(result.new_dependencies)}")
    if result.no_longer_needed:
        lines.append(f"  not called in this run: {', '.join(result.no_longer_needed)}")
    lines += [f"  │ {line}" for line in result.log]
    if result.verdict != "holds":
        lines.append(f"  journal: {result.journal}")
    printer.rich("\n".join(lines))
