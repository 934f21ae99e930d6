"""A result in words, for people."""

from __future__ import annotations

from rich.markup import escape

from belljar_tui.headless.verifying.result import Member, Need, Verdict, Verified

_MARKS = {
    Verdict.HOLDS: "[green]✓[/]",
    Verdict.DRIFTED: "[yellow]≠[/]",
    Verdict.INCONCLUSIVE: "[yellow]?[/]",
}
_NEEDS = {
    Need.NEEDED: "[green]✓[/] still needed",
    Need.NO_LONGER_NEEDED: "[yellow]≠[/] no longer needed",
    Need.UNSEALED: "[red]✗[/] unsealed",
    Need.INCONCLUSIVE: "[yellow]?[/] inconclusive",
}


def lines_of(result: Verified) -> list[str]:
    """Lines of rich markup, most important first."""
    mark = _MARKS.get(result.verdict, "[red]✗[/]")
    verdict = "interrupted" if result.is_interrupted else result.verdict
    lines = [f"{mark} [bold]{verdict}[/]  {escape(result.profile)}{_times(result)}", f"  {escape(result.claim)}"]
    lines += [f"  {escape(line)}" for line in _explained(result)]
    lines += [f"  {_NEEDS[member.need]}: {escape(member.id)}{_of_member(member)}" for member in result.members]
    lines += [f"  │ {escape(line)}" for line in result.log]
    if result.verdict is not Verdict.HOLDS and result.journal:
        lines.append(f"  journal: {escape(result.journal)}")
    return lines


def _times(result: Verified) -> str:
    if result.healthy_after_s is None:
        return ""
    held = f", and stayed healthy for {result.stayed_healthy_s:.1f} s" if result.stayed_healthy_s is not None else ""
    under = " under the cut" if held and result.recovery == "steady" else ""
    return f"  healthy after {result.healthy_after_s:.1f} s{held}{under}"


def _explained(result: Verified) -> list[str]:
    lines = result.why.splitlines()
    if not result.held and result.detail and result.detail != result.why:
        lines.append(f"the check says: {result.detail}")
    if result.verdict is not Verdict.HOLDS and result.blocked:
        most = sorted(result.blocked.items(), key=lambda item: (-item[1], item[0]))
        lines.append(f"blocked calls: {', '.join(f'{identity} ({count})' for identity, count in most)}")
    if result.new_dependencies and not result.held:
        lines.append(f"new, unknown to the profile: {', '.join(result.new_dependencies)}")
    if result.no_longer_needed and not result.members:
        lines.append(f"not called in this run: {', '.join(result.no_longer_needed)}")
    if result.lost:
        lines.append(f"not observed, lost: {result.lost}")
    return lines


def _of_member(member: Member) -> str:
    if member.need is Need.NO_LONGER_NEEDED:
        return f" (healthy without it after {member.healthy_after_s or 0:.1f} s)"
    return f" ({escape(member.detail)})" if member.detail else ""
