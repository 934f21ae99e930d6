"""What a search found out, for people and for machines. From the fold's view of the search alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.markup import escape

from belljar_tui.core.question import Conclusion, Found
from belljar_tui.core.reasons import in_modes
from belljar_tui.core.search_view import SearchView
from belljar_tui.core.trial import TrialVerdict

WORDS = {
    TrialVerdict.HEALTHY: "tolerated",
    TrialVerdict.BROKEN: "needed",
    TrialVerdict.INCONCLUSIVE: "inconclusive",
}
"""What a trial with one dependency cut says of it."""
_STYLES = {TrialVerdict.HEALTHY: "green", TrialVerdict.BROKEN: "red", TrialVerdict.INCONCLUSIVE: "yellow"}
_MARKS = {TrialVerdict.HEALTHY: "✓", TrialVerdict.BROKEN: "✗", TrialVerdict.INCONCLUSIVE: "?"}

_CELL = 12
"""Letters of a column."""


def as_json(view: SearchView, found: Found) -> dict[str, Any]:
    """One object; `minimal`, `cut_sets`, `tolerated`, `never_called`, `modes`, `trials` and `monotone` stay."""
    return {
        "conclusion": str(found.conclusion),
        "minimal": found.minimal,
        "cut_sets": found.cut_sets,
        "tolerated": found.tolerated,
        "never_called": found.never_called,
        "modes": {
            identity: {str(mode): WORDS[verdict] for mode, verdict in verdicts.items()}
            for identity, verdicts in found.modes.items()
        },
        "parameters": {str(mode): view.question.parameters_of(mode) for mode in view.question.settings},
        "trials": view.done,
        "monotone": found.is_monotone,
        "working_sets": found.working_sets,
        "complete": found.is_complete,
        "repeated": view.repeated,
        "flaky": found.flaky,
        "contradictions": [{"passed": each.passed, "failed": each.failed} for each in found.conflicts],
        "stuck_after_restore": stuck(view),
        "detail": found.detail,
    }


def stuck(view: SearchView) -> list[str]:
    """Dependencies after whose cut the service stayed unhealthy although everything was restored."""
    found: dict[str, None] = {}
    for trial in view.trials.values():
        if trial.outcome is not None and trial.outcome.is_stuck:
            found.update(dict.fromkeys([trial.about] if trial.about else sorted(trial.outcome.blocked or ())))
    return list(found)


def as_text(view: SearchView, found: Found, name: str) -> str:
    """A page with Rich markup."""
    if found.conclusion is not Conclusion.FOUND:
        return "\n".join(_not_found(view, found, name))
    return "\n".join([*_set(view, found, name), *_reasons(found), *_modes(view, found), *_doubts(view, found)])


def _not_found(view: SearchView, found: Found, name: str) -> Iterator[str]:
    if found.conclusion is Conclusion.NEVER_HEALTHY:
        if view.question.stay_cut:
            yield f"[red]✗[/] [bold]{name} is not healthy with what was to stay cut[/]"
        else:
            yield f"[red]✗[/] [bold]{name} is never healthy, even with everything open[/]"
        yield f"  the check says: {escape(found.detail)}" if found.detail else "  no check has said anything"
        yield "  There is nothing to find until it is: look at the check and --deadline, or explore it with belljar run"
    else:
        yield "[yellow]?[/] [bold]inconclusive[/]: a trial said neither healthy nor broken, three times over"
        yield f"  {escape(found.detail)}" if found.detail else ""


def _set(view: SearchView, found: Found, name: str) -> Iterator[str]:
    spent = f"{view.done} trials" + (f", {view.repeated} of them repeats" if view.repeated else "")
    if not found.minimal:
        yield f"[green]✓[/] [bold]{name} needs nothing[/]: healthy with everything cut  ({spent})"
        blocked = {
            one for outcome in view.outcomes if outcome.trial.open == frozenset() for one in outcome.blocked or ()
        }
        if blocked:
            yield f"  it called in vain: {', '.join(sorted(blocked))}"
        return
    yield f"[green]✓[/] [bold]{name} needs these, and nothing else[/]  ({spent})"
    width = max((len(_shown(identity)) for identity in found.minimal), default=0)
    for identity in found.minimal:
        gap = " " * (width - len(_shown(identity)))
        why = _why(identity, found)
        yield f"    [bold]{_shown(identity)}[/]{gap}{why}" if why else f"    [bold]{_shown(identity)}[/]"


def _why(identity: str, found: Found) -> str:
    own = [cut for cut in found.cut_sets if identity in cut]
    if any(len(cut) == 1 for cut in own):
        return "   [red]single point of failure[/]"
    others = sorted({one for cut in own for one in cut} - {identity})
    return f"   [yellow]or {' or '.join(_shown(one) for one in others)}[/]" if others else ""


def _reasons(found: Found) -> Iterator[str]:
    together = [cut for cut in found.cut_sets if len(cut) > 1]
    if together:
        yield "  breaks it when cut together:"
        yield from (f"    {'  +  '.join(_shown(one) for one in cut)}" for cut in together)
    if len(found.working_sets) > 1:
        yield f"  {len(found.working_sets)} minimal working sets{'' if found.is_complete else ', and there are more'}:"
        yield from (f"    {', '.join(_shown(one) for one in each)}" for each in found.working_sets)
    elif not found.is_complete:
        yield "  the limit came before every set was found (--limit)"
    if found.tolerated:
        yield f"  tolerated: {', '.join(_shown(one) for one in found.tolerated)}"
    if found.never_called:
        yield f"  never called: {', '.join(_shown(one) for one in found.never_called)}"


def _modes(view: SearchView, found: Found) -> Iterator[str]:
    """The table dependency × mode, where there was more than one."""
    modes = view.question.modes
    if len(modes) < 2 or not found.modes:
        return
    width = max(len(_shown(identity)) for identity in found.modes)
    widths = {mode: max(_CELL, len(view.question.named(mode))) for mode in modes}
    yield f"  {'cut by itself':<{width}}  " + "  ".join(f"{view.question.named(m):<{w}}" for m, w in widths.items())
    for identity, verdicts in sorted(found.modes.items(), key=lambda item: _shown(item[0])):
        cells = "  ".join(_cell(verdicts.get(mode), widths[mode]) for mode in modes)
        amounts_to = in_modes(verdicts)
        yield f"  {_shown(identity):<{width}}  {cells}{amounts_to and f'  {amounts_to}'}"


def _cell(verdict: TrialVerdict | None, width: int) -> str:
    if verdict is None:
        return f"{'·':<{width}}"
    return f"[{_STYLES[verdict]}]{f'{_MARKS[verdict]} {WORDS[verdict]}':<{width}}[/]"


def _doubts(view: SearchView, found: Found) -> Iterator[str]:
    for each in found.conflicts:
        more = sorted(set(each.failed) - set(each.passed))
        yield f"  [yellow]contradiction[/]: it passed with {len(each.passed)} open, and failed with these open too:"
        yield f"    {', '.join(_shown(one) for one in more)}"
    if found.conflicts:
        yield "    Nothing was inferred from then on: each step to the set was a trial of its own."
    if found.flaky:
        yield f"  [yellow]flaky[/]: {found.flaky} trials failed once and passed once"
    for identity in stuck(view):
        yield f"  [yellow]stuck after restore[/]: it stayed unhealthy after {_shown(identity)} came back"


def _shown(identity: str) -> str:
    """`orders-db:5432`, as markup; the whole id where it is not TCP."""
    return escape(identity.removeprefix("tcp://"))
