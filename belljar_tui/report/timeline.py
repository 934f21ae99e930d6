"""The time line as a drawing: lanes of bars over seconds. Pure; the template only writes it down as SVG."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import msgspec

from belljar_tui.core.model import Health
from belljar_tui.core.moments import shown
from belljar_tui.core.report import TENTHS, CutSpan, Report
from belljar_tui.core.search_view import TrialView
from belljar_tui.core.trial import TrialVerdict
from belljar_tui.report.words import GLYPHS, clock, counted, effect_of, printable, span

WIDTH, LEFT, RIGHT = 1000, 190, 16
LANE, GAP, TOP = 26, 8, 30
CUT_LANE, CALLS = 36, 14
"""A cut's lane has its mode at the top and its blocked calls, at most so high, at the bottom."""
LANES_AT_MOST = 24
"""Cut dependencies with a lane of their own; the rest is told in a line, and in the table."""
_TRIAL_ROWS_AT_MOST = 8
_LETTER = 7.4
"""Width of a letter, about."""
_LABEL_LETTERS = 27
_BINS = 200
_GLYPHS = "✓✗?·"
"""They stay where there is no room for words: colour alone says nothing."""


class Bar(msgspec.Struct, frozen=True):
    """A stretch of a lane."""

    x: float
    y: float
    width: float
    height: float
    look: str
    """A class of the style sheet: `healthy`, `unhealthy`, `unknown`, `cut`, `blocked`, `trial-…`."""
    label: str
    """What stands on it, where there is room; `label_y` is its base line."""
    label_y: float
    told: str
    """What it is, for whoever points at it."""


class Lane(msgspec.Struct, frozen=True):
    label: str
    title: str
    """The whole label."""
    y: float
    height: float
    bars: tuple[Bar, ...]


class Pin(msgspec.Struct, frozen=True):
    """A note."""

    x: float
    y: float
    number: int
    told: str


class Tick(msgspec.Struct, frozen=True):
    x: float
    label: str


class Timeline(msgspec.Struct, frozen=True):
    height: float
    lanes: tuple[Lane, ...]
    pins: tuple[Pin, ...]
    ticks: tuple[Tick, ...]
    left: float = LEFT
    width: float = WIDTH
    right: float = WIDTH - RIGHT
    top: float = TOP
    left_out: int = 0
    """Cut dependencies without a lane."""

    @property
    def bottom(self) -> float:
        return self.height - 26


class _Scale(msgspec.Struct, frozen=True):
    """Seconds to places."""

    until_s: float

    def x(self, seconds: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * min(max(seconds, 0) / self.until_s, 1), 1)

    def bar(self, at: float, until: float, y: float, height: float, look: str, label: str, told: str) -> Bar:
        x = self.x(at)
        width = max(self.x(until) - x, 1.5)
        words = (label, label.partition(" ")[0] if label[:1] in _GLYPHS else "")
        fitting = next((one for one in words if len(one) * _LETTER + 8 < width), "")
        label_y = round(y + min(height, LANE) / 2 + (2 if height > LANE else 4.5), 1)
        return Bar(x, round(y, 1), round(width, 1), height, look, fitting, label_y, printable(told))


Make = Callable[[Report, _Scale, float], Lane]
"""Draws a lane at a height."""


def timeline_of(report: Report) -> Timeline | None:
    """The drawing; None where there is no time to draw."""
    if report.until_s <= 0:
        return None
    scale = _Scale(report.until_s)
    lanes: list[Lane] = []
    y = float(TOP)
    identities = _rows(report)
    makes: list[Make] = [_health_lane] if report.health else []
    makes += map(_dependency_lane, identities[:LANES_AT_MOST])
    if report.state.blocked:
        makes.append(_blocked_lane)
    for make in [*makes, *_trial_lanes(report)]:
        lane = make(report, scale, y)
        lanes.append(lane)
        y += lane.height + GAP
    pins = _pins(report, scale, y) if report.state.notes else ()
    if pins:
        lanes.append(Lane("notes", "notes", y, LANE, ()))
        y += LANE + GAP
    ticks = tuple(Tick(scale.x(at), _tick(at)) for at in _ticks(report.until_s))
    return Timeline(y + 26, tuple(lanes), pins, ticks, left_out=max(len(identities) - LANES_AT_MOST, 0))


def _rows(report: Report) -> list[str]:
    """What was cut by hand, first cut first (the seal among them); then what met the seal, most blocked first."""
    cut = list(dict.fromkeys(cut.dependency for cut in report.cuts))
    blocked = {one: sum(tenths.values()) for one, tenths in report.blocked.items() if one not in cut}
    return cut + sorted(blocked, key=lambda one: (-blocked[one], one))


def _lane(label: str, y: float, bars: Sequence[Bar], height: float = LANE) -> Lane:
    label = printable(label)
    short = label if len(label) <= _LABEL_LETTERS else f"{label[: _LABEL_LETTERS - 1]}…"
    return Lane(short, label, y, height, tuple(bars))


def _health_lane(report: Report, scale: _Scale, y: float) -> Lane:
    bars = [
        scale.bar(
            one.at,
            one.until,
            y,
            LANE,
            str(one.health),
            f"{GLYPHS[one.health]} {one.health}",
            f"{one.health} from {clock(one.at)} to {clock(one.until)}: {one.detail}",
        )
        for one in report.health
    ]
    return _lane("health", y, bars)


def _dependency_lane(identity: str) -> Make:
    def make(report: Report, scale: _Scale, y: float) -> Lane:
        cuts = [cut for cut in report.cuts if cut.dependency == identity]
        bars = [_cut_bar(report, scale, cut, y) for cut in cuts]
        bars += _blocked_bars(report.blocked.get(identity, {}), scale, y + CUT_LANE, CALLS)
        return _lane(shown(identity) if identity else "vacuum seal", y, bars, CUT_LANE)

    return make


def _cut_bar(report: Report, scale: _Scale, cut: CutSpan, y: float) -> Bar:
    until = report.until_s if cut.until is None else cut.until
    told = f"cut ({cut.mode}) from {clock(cut.at)} to {clock(until)}, {counted(cut.blocked, 'blocked call')}; "
    look = "cut broke" if cut.effect is Health.UNHEALTHY else "cut"
    return scale.bar(cut.at, until, y, CUT_LANE, look, str(cut.mode), told + effect_of(cut))


def _blocked_lane(report: Report, scale: _Scale, y: float) -> Lane:
    tenths: dict[int, int] = {}
    for one in report.blocked.values():
        for tenth, count in one.items():
            tenths[tenth] = tenths.get(tenth, 0) + count
    return _lane(f"blocked calls ({report.state.blocked:,})", y, _blocked_bars(tenths, scale, y + LANE, LANE - 4))


def _blocked_bars(tenths: dict[int, int], scale: _Scale, bottom: float, height: float) -> list[Bar]:
    """Columns standing on `bottom`, as high as the logarithm of their count: one call is seen beside a thousand."""
    bin_s = max(scale.until_s / _BINS, 1 / TENTHS)
    bins: dict[int, int] = {}
    for tenth, count in tenths.items():
        place = int(tenth / TENTHS / bin_s)
        bins[place] = bins.get(place, 0) + count
    most = math.log1p(max(bins.values(), default=0)) or 1.0
    bars = []
    for place, count in sorted(bins.items()):
        tall = round(max(3.0, height * math.log1p(count) / most), 1)
        told = f"{counted(count, 'blocked call')} around {clock(place * bin_s)}"
        bars.append(scale.bar(place * bin_s, (place + 0.8) * bin_s, bottom - tall, tall, "blocked", "", told))
    return bars


def _trial_lanes(report: Report) -> list[Make]:
    """The search's trials, as many rows as ran side by side."""
    rows = _side_by_side(report)

    def of(index: int, trials: list[TrialView]) -> Make:
        def make(report: Report, scale: _Scale, y: float) -> Lane:
            bars = [_trial_bar(report, scale, trial, y) for trial in trials]
            return _lane("search: trials" if index == 0 else "", y, bars, LANE - 6)

        return make

    return [of(index, trials) for index, trials in enumerate(rows[:_TRIAL_ROWS_AT_MOST])]


def _side_by_side(report: Report) -> list[list[TrialView]]:
    rows: list[list[TrialView]] = []
    trials = report.state.search.trials.values() if report.state.search is not None else ()
    for trial in sorted((t for t in trials if not t.is_recalled), key=lambda t: t.started_at):
        free = next((row for row in rows if (row[-1].ended_at or report.until_s) <= trial.started_at), None)
        if free is None:
            rows.append([trial])
        else:
            free.append(trial)
    return rows


_LOOKS = {
    TrialVerdict.HEALTHY: "trial healthy",
    TrialVerdict.BROKEN: "trial unhealthy",
    TrialVerdict.INCONCLUSIVE: "trial unknown",
    None: "trial unknown",
}
_TRIAL_GLYPHS = {TrialVerdict.HEALTHY: "✓", TrialVerdict.BROKEN: "✗", TrialVerdict.INCONCLUSIVE: "?", None: "·"}


def _trial_bar(report: Report, scale: _Scale, trial: TrialView, y: float) -> Bar:
    until = report.until_s if trial.ended_at is None else trial.ended_at
    about = f" about {shown(trial.about)}" if trial.about else ""
    told = f"trial {trial.number}, {trial.phase or 'recalled'}{about}: {trial.verdict or 'no verdict'}"
    label = f"{_TRIAL_GLYPHS[trial.verdict]} {trial.number}"
    return scale.bar(
        trial.started_at, until, y, LANE - 6, _LOOKS[trial.verdict], label, f"{told}, {span(until - trial.started_at)}"
    )


def _pins(report: Report, scale: _Scale, y: float) -> tuple[Pin, ...]:
    notes = enumerate(report.state.notes, 1)
    return tuple(Pin(scale.x(n.at), y + LANE / 2, number, printable(n.text)) for number, n in notes)


def _ticks(until_s: float) -> list[float]:
    """Round moments, about ten."""
    steps = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200, 86400)
    step = next((one for one in steps if until_s / one <= 12), until_s / 10)
    return [index * step for index in range(int(until_s / step) + 1)]


def _tick(seconds: float) -> str:
    return f"{seconds:g} s" if seconds < 60 else clock(seconds).partition(".")[0]
