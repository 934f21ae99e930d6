"""The panels around the map. Each shows a State; none keeps anything of its own but what is selected."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.widgets import Static

from belljar_tui.core.model import NAME_SERVICE, Health, Mode, Protocol, Seal
from belljar_tui.core.moments import STALLED
from belljar_tui.core.state import DependencyView, HealthSpan, State, Target
from belljar_tui.tui import search_words, words
from belljar_tui.tui.notices import HOW
from belljar_tui.tui.still import Still, entitle

_WIDE = 100
_GAP_SHOWN_S = 60.0
"""How long the gap between a target's start and its seal stays on the screen; the journal keeps it."""


class StatusLine(Static):
    """One line: what, where, how healthy, and every number that must never be silent. Warnings stand below it."""

    _warnings: Sequence[str] = ()

    def show(self, state: State, now: float, also: Sequence[str] = ()) -> None:
        """`also`: warnings that are not the state's."""
        left = self._line(state, now, is_wide=self.size.width >= _WIDE)
        if left.cell_len > self.size.width:
            left = self._line(state, now, is_wide=False)
        warnings = [*also, *_warnings(state)]
        for warning in warnings:
            left.append(f"\n ! {warning}", style="bold red")
        is_as_high = warnings == self._warnings
        self._warnings = warnings
        self.update(left, layout=not is_as_high)  # the others keep their size: a layout of the screen costs a frame

    def _line(self, state: State, now: float, *, is_wide: bool) -> Text:
        left = Text(" BellJar  " if is_wide else " ", style="bold")
        if not state.name:
            return left.append("before the session began", style="dim")
        left.append(f"{state.name} · {state.jar} · " if is_wide else f"{state.name} · ", style="")
        left.append(str(state.seal), style="bold yellow" if state.seal is Seal.VACUUM else "")
        search = search_words.brief(state.search)
        gap = "  " if is_wide or not search else " "
        left.append("   " if is_wide else gap)
        left.append(f"{words.HEALTH_GLYPHS[state.health]} {state.health}", style=words.HEALTH_STYLES[state.health])
        left.append(f" {words.clock(now - state.health_since)}{gap}")
        groups = (
            f" +{state.group_count} group{'s' if state.group_count > 1 else ''}"
            if state.group_count and is_wide
            else ""
        )
        left.append(f"{state.open_count} open{groups}{gap}")
        left.append(f"{state.cut_count} cut", style="yellow" if state.cut_count else "")
        left.append(f"{gap}blocked {state.blocked}", style="bold red" if state.blocked else "")
        left.append(f"{gap}lost {state.lost}", style="bold red" if state.lost else "dim")
        left.append(f"{gap}{search}" if search else "", style="bold cyan")
        room = self.size.width - left.cell_len - 1
        if is_wide and (time_of_day := words.time_of_day(state.started, now)) and room > len(time_of_day):
            left.append(f"{time_of_day:>{room}}", style="dim")
        return left


def _warnings(state: State) -> list[str]:
    found = []
    if state.proof is not None and not state.proof.ok:
        found.append(f"the seal is not proven: {state.proof.detail}")
    found += [f"the {part} is stopped: {STALLED.get(part, '')}" for part in state.stalled]
    if state.audit_failures:
        found.append(state.audit_failures[-1])
    if state.holes:
        holes = sorted(state.holes, key=lambda hole: hole.kind != "engine")  # who has the engine has everything
        which = "; ".join(words.hole(each) for each in holes[:3])
        more = f"; and {len(holes) - 3} more" if len(holes) > 3 else ""
        found.append(f"holes in the seal: {which}{more} (close one with {holes[0].remedy})")
    if state.queue == "none":
        found.append("no queue in this kernel: blocked calls are counted, not named, and datagrams cannot be slow")
    if state.target is not None:
        found += _target_warnings(state, state.target)
    elif state.exit_code is not None and not state.ended:
        found.append(f"the service ended with code {state.exit_code}")
    return found


def _target_warnings(state: State, target: Target) -> list[str]:
    """What is not as it should be with what we are attached to."""
    found = []
    if state.is_engine_lost:
        found.append("the engine does not answer: the target is not followed, its neighbours are not known")
    if target.lost:
        code = f", code {state.exit_code}" if state.exit_code is not None else ""
        end = "nothing came in its place" if target.is_for_good else "its cuts are kept for its return"
        found.append(f"{target.name} {HOW.get(target.lost, target.lost)}{code}: {end}")
    elif target.unsealed_s is not None and state.at - target.entered_at < _GAP_SHOWN_S:
        found.append(f"{target.because}: {target.name} ran {target.unsealed_s:.2f} s without the seal")
    if target.shared_with:
        found.append(f"cuts are theirs too, in the same network namespace: {', '.join(target.shared_with)}")
    return found


class DependencyPanel(Still):
    """All about the selected dependency."""

    def show(self, state: State, dependency: str | None, now: float) -> None:
        view = state.dependencies.get(dependency or "")
        if view is None:
            entitle(self, "dependency")
            self.say(Text("nothing called yet", style="dim"))
            return
        host, port = words.split_id(view)
        scheme, number = view.id.partition(":")[0], port.partition("/")[0]
        entitle(self, f"{host} {scheme} {number if number != scheme else ''}".strip())
        self.say(self._laid_out(_facts(state, view, now)))

    def _laid_out(self, facts: Sequence[tuple[str, Text]]) -> Text:
        """Two columns. Rich's own table takes a third of the frame that a key waits for."""
        labels = max(len(label) for label, _ in facts) + 1
        room = max(1, self.content_size.width - labels)
        lines = []
        for label, value in facts:
            for number, part in enumerate(value.wrap(self.app.console, room, overflow="fold")):
                lines.append(Text(f"{'' if number else label:<{labels}}", style="dim") + part)
        return Text("\n").join(lines)


def _facts(state: State, view: DependencyView, now: float) -> list[tuple[str, Text]]:
    facts = [("state", _state(state, view, now)), ("callers", _callers(state, view))]
    if view.is_group:
        facts.append(("reach", Text(words.reach(state, view))))
    if view.claims:
        facts.append(("says", Text(f"it is {', '.join(view.claims)}", style="italic")))
    if view.is_cut or view.blocked:
        each = f", {view.blocked} in all" if view.blocked != view.blocked_now else ""
        text = f"{view.blocked_now}{each}" if view.is_cut else str(view.blocked)
        if view.mode is Mode.SLOW:
            text = f"none, {view.met_now} late"
        elif view.is_cut and not view.blocked_now:
            text = "hit nothing so far"
        facts.append(("blocked", Text(text, style="bold red" if view.blocked_now and view.is_cut else "")))
    facts.append(("effect", _effect(view)))
    facts.append(("tried", Text(words.tried(view))))
    is_unix = view.id.startswith(f"{Protocol.UNIX}:")
    traffic = "" if is_unix else f" · {view.packets} packets, {words.size(view.bytes)}"
    facts.append(("calls", Text(f"{view.calls}{traffic}")))
    together = _together(state, view)
    if together:
        why = " (attached: not told apart)" if state.target is not None else ""
        facts.append(("with it", Text(f"{', '.join(together)}: same address, cut together{why}", style="yellow")))
    same_name = _same_name(state, view)
    if same_name:
        facts.append(("with it", Text(f"{', '.join(same_name)}: same name, does not resolve either", style="yellow")))
    endpoints = [words.endpoint(view, each) for each in view.endpoints[:4]]
    facts += [("endpoint" if not n else "", Text(text, style="dim")) for n, text in enumerate(endpoints)]
    if is_unix:
        facts.append(("note", Text(words.uncounted(words.split_id(view)[0]), style="dim")))
    if view.id == NAME_SERVICE:
        facts.append(("note", Text("stays open under the vacuum seal unless cut by itself", style="dim")))
    return facts


def _state(state: State, view: DependencyView, now: float) -> Text:
    mark, style = words.glyph(state, view)
    if view.mode is None and state.is_down(view):
        return Text(f"{mark} down: its container does not run", style=style)
    if view.mode is None:
        return Text(f"{mark} {'idle' if words.is_idle(state, view) else 'open'}", style=style)
    by = " by the seal" if view.cut_by == "seal" else ""
    until = view.settings.until
    left = f" · {words.clock(max(0.0, until - now))} left" if until is not None else ""
    return Text(f"{mark} cut · {words.how(view)}{by} · {words.clock(now - (view.cut_at or now))}{left}", style=style)


def _callers(state: State, view: DependencyView) -> Text:
    names = [f"{state.processes[pid].name} ({pid})" for pid in view.callers if pid in state.processes]
    return Text(", ".join(names) or "not known")


def _effect(view: DependencyView) -> Text:
    current = next((t for t in view.tried if t.mode is view.mode), None)
    if current is not None and current.health is Health.UNHEALTHY and current.after_s is not None:
        return Text(f"unhealthy after {current.after_s:.1f} s", style="bold red")
    if view.recovered_after_s is not None:
        return Text(f"recovered after {view.recovered_after_s:.1f} s", style="green")
    if view.is_cut:
        return Text("none so far" if view.met_now else "nothing to see yet", style="dim")
    return Text("–", style="dim")


def _together(state: State, view: DependencyView) -> list[str]:
    mine = set(view.own_endpoints)
    known = state.dependencies.values()
    others = [other.id for other in known if other is not view and mine & set(other.own_endpoints)]
    return [*others, *state.names_cut_with(view)]


def _same_name(state: State, view: DependencyView) -> list[str]:
    """What falls with a name that does not resolve: a query names no port."""
    if view.mode is not Mode.DNS:
        return []
    host = view.id.partition("://")[2].rpartition(":")[0]
    others = (each for each in state.dependencies.values() if each is not view and each.mode is not Mode.DNS)
    return [each.id for each in others if host and each.id.partition("://")[2].rpartition(":")[0] == host]


class HealthStrip(Still):
    """Health over time, one column a second, and the check's own words."""

    def show(self, state: State, now: float) -> None:
        width = max(10, self.content_size.width)
        strip = Text()
        for second in range(max(0, int(now) - width + 1), int(now) + 1):
            health = health_at(state.health_spans, second + 1)
            strip.append(_BARS[health], style=words.HEALTH_STYLES[health])
        lines = [strip, Text(f"{state.health_detail}", style=words.HEALTH_STYLES[state.health])]
        since = Text(f"{state.health} for {words.clock(now - state.health_since)}", style="dim")
        if state.recovered_after_s is not None:
            since = Text(f"recovered in {state.recovered_after_s:.1f} s", style="green").append(
                f"  {state.health} {words.clock(now - state.health_since)}", style="dim"
            )
        elif state.is_stuck_after_restore and state.restored_at is not None:
            since.append(f"   stuck after restore: {now - state.restored_at:.0f} s", style="bold red")
        lines.append(since)
        check = state.health_check
        if len(f"health · {check}") > width - _CORNERS:
            check = check.removeprefix("http://")
        entitle(self, f"health · {check}" if check else "health")
        if not state.checks and state.name:
            lines = [Text("no check given: add --health http://localhost:PORT/PATH", style="yellow")]
        self.say(Text("\n").join(lines))


_CORNERS = 2
"""A title has so many cells less than the content below it."""
_BARS = {Health.HEALTHY: "▇", Health.UNHEALTHY: "▁", Health.UNKNOWN: "·"}


def health_at(spans: Sequence[HealthSpan], at: float) -> Health:
    """The health that held at a moment (seconds since the start)."""
    for span in reversed(spans):
        if span.at <= at:
            return span.health
    return Health.UNKNOWN


_WHO, _TARGET, _MODE, _TIME_AND_GAPS = 14, 28, 10, 9
_BLOCKED_WIDE = 60


class BlockedList(Still):
    """Blocked calls as they come, newest first."""

    def show(self, state: State) -> None:
        text = Text(no_wrap=True, overflow="ellipsis")
        width = self.content_size.width
        is_wide = width >= _BLOCKED_WIDE
        for line in reversed(state.blocked_lines[-max(1, self.content_size.height) :]):
            who = f"{line.process} ({line.pid})" if line.pid is not None else "not held"
            count = f"×{line.count}"
            target = line.dependency.partition("://")[2] or line.dependency
            who_width = _WHO if is_wide else min(len(who), _WHO)
            room = max(8, width - who_width - len(count) - _TIME_AND_GAPS - (_MODE if is_wide else 0))
            text.append(f"{words.clock(line.at)} ", style="dim")
            text.append(f"{who:<{who_width}.{who_width}} ", style="bold")
            text.append(f"{words.fitted(target, min(room, _TARGET))} ")
            text.append(f"{line.mode:<{_MODE}}" if is_wide else "", style="dim")
            text.append(f"{count}\n", style="bold red")
        entitle(self, f"blocked calls · {state.blocked}")
        self.say(text if text else Text("none", style="dim"))
