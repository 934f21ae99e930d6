"""The time line: health, blocked calls, trials, cuts and notes over the whole session, with the moment one is at."""

from __future__ import annotations

from rich.text import Text
from textual import events
from textual.widgets import Static

from belljar_tui.core.lanes import Cell, Window, blocked_lane, cut_lane, health_lane, ticks, trial_lane
from belljar_tui.core.model import Health
from belljar_tui.core.time_line import TimeLine
from belljar_tui.playback import Playback
from belljar_tui.tui import words
from belljar_tui.tui.messages import EventStepped, MomentChosen
from belljar_tui.tui.replay_words import event_in_words, moment
from belljar_tui.tui.search_words import VERDICTS

_LABEL, _LABEL_NARROW, _NARROW = 18, 14, 100
_HEALTH = {Health.HEALTHY: ("▇", "green"), Health.UNHEALTHY: ("▁", "bold red"), Health.UNKNOWN: ("·", "yellow")}
_CUT = {Cell.OPEN: ("·", "dim"), Cell.CUT: ("┄", "yellow"), Cell.BLOCKED: ("━", "bold red")}
_LEVELS = "▁▂▃▄▅▆▇█"
Glyphs = list[tuple[str, str]]
"""What stands in each column, and its style."""


class TimeLineView(Static, can_focus=False):
    """Shows a Playback; says which moment was pointed at."""

    _drawn: tuple[object, ...] = ()
    """What the lanes were drawn from."""

    def __init__(self) -> None:
        super().__init__(id="time-line")
        self._window = Window(0.0, 0.0, 1)
        self._lanes: list[tuple[str, Glyphs]] = []
        self._is_held = False

    @property
    def column_s(self) -> float:
        """Seconds that a column stands for."""
        return self._window.column_s

    def show(self, playback: Playback, selected: str | None) -> None:
        size, notes = self.content_size, playback.notes()
        line = playback.line
        wanted = self._wanted(playback, selected, max(0, size.height - _always(line)))
        key = (line.count, size, [note.at for note in notes], wanted)
        if key != self._drawn:
            self._drawn = key
            self._window = Window(0.0, line.end, max(1, size.width - self._label_width() - 1))
            self._lanes = self._draw(playback, wanted)
        self._title(playback, len(wanted))
        self.update(self._text(self._window.column(playback.at)), layout=False)

    def _label_width(self) -> int:
        return _LABEL_NARROW if self.content_size.width < _NARROW else _LABEL

    def _wanted(self, playback: Playback, selected: str | None, room: int) -> list[str]:
        """The dependencies that get a lane: where not all have room, first the selected one and those cut now."""
        every = list(playback.line.cuts)
        views = playback.state.dependencies

        def rank(one: str) -> int:
            return 0 if one == selected else 1 if one in views and views[one].is_cut else 2

        kept = set(sorted(every, key=rank)[:room])
        return [one for one in every if one in kept]

    def _draw(self, playback: Playback, wanted: list[str]) -> list[tuple[str, Glyphs]]:
        line, window = playback.line, self._window
        lanes: list[tuple[str, Glyphs]] = []
        if not line.last.is_search_alone:
            health = [_HEALTH[value] if value is not None else (" ", "") for value in health_lane(line, window)]
            lanes = [("health", health), ("blocked", _levels(blocked_lane(line.blocked, window)))]
        if line.trials:
            tried = [VERDICTS[value] if value is not None else ("·", "dim") for value in trial_lane(line, window)]
            lanes.append(("trials", tried))
        for dependency in wanted:
            label = dependency.partition("://")[2] or dependency
            lanes.append((label, [_CUT[cell] for cell in cut_lane(line, dependency, window)]))
        noted: Glyphs = [("·", "dim")] * window.columns
        for note in playback.notes():
            column = window.column(note.at)
            if 0 <= column < window.columns:
                noted[column] = ("◆", "bold cyan")
        return [*lanes, ("notes", noted), ("", _times(window))]

    def _text(self, cursor: int) -> Text:
        width = self._label_width()
        text = Text(no_wrap=True, overflow="crop")
        for number, (label, glyphs) in enumerate(self._lanes):
            text.append("\n" if number else "")
            text.append(f"{words.fitted(label, width)} ", style="dim")
            is_last = number == len(self._lanes) - 1
            _append(text, glyphs, cursor, "▲" if is_last else "")
        return text

    def _title(self, playback: Playback, lanes: int) -> None:
        line = playback.line
        hidden = len(line.cuts) - lanes
        more = f" · {lanes} of {len(line.cuts)} cut lanes" if hidden else ""
        self.border_title = f"time line · {moment(playback.at)} of {moment(line.end)}{more}"
        if not playback.recording.is_read:
            self.border_title += f" · reading {playback.recording.progress:.0%}"
        mark = "▶" if playback.is_playing else "‖"
        event = playback.last_event()
        said = f" · {event_in_words(event)}" if event is not None else " · space plays"
        room = max(10, self.size.width - 8)
        where = f"{mark} {playback.speed:,}× · event {playback.index:,} of {line.count:,}{said}"
        self.border_subtitle = words.fitted(where, room) if len(where) > room else where

    def on_mouse_down(self, event: events.MouseDown) -> None:
        self._is_held = True
        self.capture_mouse()
        self._point(event)

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._is_held:
            self._point(event)

    def on_mouse_up(self, _: events.MouseUp) -> None:
        self._is_held = False
        self.release_mouse()

    def on_mouse_scroll_down(self, _: events.MouseScrollDown) -> None:
        self.post_message(EventStepped(1))

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        self.post_message(EventStepped(-1))

    def _point(self, event: events.MouseEvent) -> None:
        column = event.x - self.gutter.left - self._label_width() - 1
        last = self._window.columns - 1
        at = self._window.end if column >= last else self._window.at(max(0, column))
        self.post_message(MomentChosen(at))


def _always(line: TimeLine) -> int:
    """Lanes besides those of cuts: health and blocked calls, trials, notes, and the times below."""
    return (0 if line.last.is_search_alone else 2) + bool(line.trials) + 2


def _levels(counts: list[int]) -> Glyphs:
    """Bars; the least is seen, and the most is full."""
    most = max(counts, default=0)
    return [
        (_LEVELS[min(len(_LEVELS) - 1, int((count / most) ** 0.5 * len(_LEVELS)))], "red") if count else ("·", "dim")
        for count in counts
    ]


def _times(window: Window) -> Glyphs:
    """Round times, each beginning at its column."""
    cells: Glyphs = [(" ", "dim")] * window.columns
    step = ticks(window)
    is_fine = any(at % 1 for at in step)
    for at in step:
        column = window.column(at)
        label = f"{at:.1f}s" if is_fine else words.clock(at)
        if column + len(label) < window.columns:
            cells[column : column + len(label)] = [(letter, "dim") for letter in label]
    return cells


def _append(text: Text, glyphs: Glyphs, cursor: int, mark: str) -> None:
    """A lane, with the cursor's column in reverse; cells of one style go together."""
    run, style = "", ""
    for column, (glyph, its) in enumerate(glyphs):
        here = f"{its} reverse".replace("dim ", "") if column == cursor else its
        if here != style:
            text.append(run, style=style)
            run, style = "", here
        run += (mark or glyph) if column == cursor else glyph
    text.append(run, style=style)
