"""The search for the minimal working set, before one's eyes. Shows `session.state.search`; steers by commands only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container
from textual.events import Resize
from textual.screen import Screen
from textual.widgets import Footer, Static

from belljar_tui.core import commands as cmd
from belljar_tui.core.model import NAME_SERVICE, Seal
from belljar_tui.core.search import Conclusion
from belljar_tui.core.search_view import SearchView
from belljar_tui.tui.dialogs import HelpScreen, LinePrompt
from belljar_tui.tui.explored import Explored
from belljar_tui.tui.keys import name_of
from belljar_tui.tui.messages import TrialSelected
from belljar_tui.tui.result_view import ResultView
from belljar_tui.tui.search_keys import GLYPHS, LEGEND, SEARCH_KEYS
from belljar_tui.tui.search_panels import SearchStatus, TrialPanel
from belljar_tui.tui.trial_grid import TrialGrid

_WIDE_COLUMNS, _NARROW_COLUMNS, _TINY_COLUMNS, _TINY_ROWS = 150, 118, 60, 16


class SearchScreen(Screen[None]):
    """Lives as long as the app; comes and goes above the explorer.

    Args:
        session: whose search it shows.
        profile_path: what `s` suggests.
        keymap: binding id -> keys, for people who remap.
    """

    keys: ClassVar[tuple[Binding, ...]] = SEARCH_KEYS
    BINDINGS: ClassVar[list[BindingType]] = list(SEARCH_KEYS)

    def __init__(self, session: Explored, profile_path: str, keymap: Mapping[str, str]) -> None:
        super().__init__()
        self._session = session
        self._profile_path = profile_path
        self._remapped = keymap
        self._seen: SearchView | None = None
        self._has_answer = False
        self.is_by_hand = False
        """The person went on by hand; x in the explorer goes on with the search."""

    def compose(self) -> ComposeResult:
        yield SearchStatus(id="search-status")
        with Container(id="search-body"):
            with Container(id="search-trials"):
                yield TrialGrid()
                yield TrialPanel(id="trial")
            yield ResultView(id="result")
        yield from self.compose_below()
        yield Static("The terminal is too small: BellJar needs 60 × 16.", id="search-small")
        yield Footer(show_command_palette=False)

    def compose_below(self) -> ComposeResult:
        """What more there is above the footer."""
        yield from ()

    @property
    def view(self) -> SearchView | None:
        """The search at this moment."""
        return self._session.state.search

    def on_mount(self) -> None:
        trials = self.query_one(TrialGrid)
        trials.border_title, trials.border_subtitle = "trials", GLYPHS
        self.query_one(ResultView).border_title = "result"

    def on_screen_resume(self) -> None:
        self._seen = None
        self.call_after_refresh(self.frame)

    def on_resize(self, event: Resize) -> None:
        self.set_class(event.size.width >= _WIDE_COLUMNS, "wide")
        is_narrow = event.size.width < _NARROW_COLUMNS
        self.set_class(is_narrow, "narrow")
        self.query_one(Footer).compact = is_narrow
        self.set_class(event.size.width < _TINY_COLUMNS or event.size.height < _TINY_ROWS, "tiny")
        self._seen = None
        self.call_after_refresh(self.frame)

    def frame(self) -> None:
        """Repaint, if anything happened or a clock has moved on."""
        view, now = self.view, self._session.now()
        if view is None or not self.is_mounted:
            return
        trials = self.query_one(TrialGrid)
        if view is not self._seen:
            self._turn_page(view)
            if self._seen is None or self._seen.is_running != view.is_running:
                self.refresh_bindings()
            self._seen = view
            trials.show(view, now)
            self.query_one(ResultView).show(self._session.state.name, view)
        trials.turn(now)
        self.query_one(SearchStatus).show(self._session.state, view, now)
        self.query_one(TrialPanel).show(trials.grid, trials.number, now)

    def _turn_page(self, view: SearchView) -> None:
        """The answer comes to the front by itself when it comes, and goes when a new search begins."""
        if self._has_answer != (view.found is not None):
            self._has_answer = view.found is not None
            self.set_class(self._has_answer, "result")
            self._focus_page()

    def _focus_page(self) -> None:
        self.query_one(ResultView if self.has_class("result") else TrialGrid).focus()

    def on_trial_selected(self, _: TrialSelected) -> None:
        trials = self.query_one(TrialGrid)
        self.query_one(TrialPanel).show(trials.grid, trials.number, self._session.now())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that would do nothing now are not offered."""
        view = self.view
        if action in ("pause", "stop"):
            return view is not None and view.is_running
        if action in ("turn_over", "save"):
            return view is not None and view.found is not None
        return True

    def action_pause(self) -> None:
        view = self.view
        if view is not None:
            self._do(cmd.ResumeSearch() if view.is_paused else cmd.PauseSearch())

    def action_stop(self) -> None:
        self._do(cmd.StopSearch())

    def action_search(self) -> None:
        """Go on: with a paused one, with a stopped one's verdicts, or from the beginning where there was an answer."""
        view = self.view
        if view is None or not view.is_running:
            self._do(cmd.Search())
        elif view.is_paused:
            self._do(cmd.ResumeSearch())

    def action_take_over(self) -> None:
        """Put the set so far to the test in the explorer, and leave the rest to the person."""
        view = self.view
        if view is None:
            return
        steps: list[cmd.AnyCommand] = [cmd.PauseSearch()] if view.is_running and not view.is_paused else []
        if view.set_so_far is None:
            self.notify("No set is known to work yet: all is as it was. x goes on with the search.", title="By hand")
        else:
            steps += _put_to_the_test(view, view.set_so_far)
            many = len(view.set_so_far)
            self.notify(f"Vacuum, with the set so far ({many}) open. x goes back to the search.", title="By hand")
        self.is_by_hand = view.is_running
        self._do(*steps)
        self.action_leave()

    def action_save(self) -> None:
        view = self.view
        if view is None or view.found is None or view.found.conclusion is not Conclusion.FOUND:
            self.notify("There is no set to save.", title="Not done", severity="warning")
            return
        question = f"Save the minimal working set ({len(view.found.minimal)}) as a profile:"
        self.app.push_screen(LinePrompt(question, self._profile_path), self._save)

    def action_turn_over(self) -> None:
        """Between the trials and the result."""
        self.toggle_class("result")
        self._focus_page()

    def action_leave(self) -> None:
        self.app.pop_screen()

    def action_move_trial(self, steps: int) -> None:
        self.remove_class("result")
        self._focus_page()
        self.query_one(TrialGrid).move_trial(steps)

    def action_move_row(self, steps: int) -> None:
        if self.has_class("result"):
            self.query_one(ResultView).scroll_relative(y=steps, animate=False)
        else:
            self.query_one(TrialGrid).move_row(steps)

    def action_show_help(self) -> None:
        keys = [(name_of(key, self._remapped), key.tooltip) for key in self.keys]
        self.app.push_screen(HelpScreen(keys, LEGEND))

    def _save(self, path: str | None) -> None:
        if path:
            self._do(cmd.Save(path))

    def _do(self, *steps: cmd.AnyCommand) -> None:
        self.app.run_worker(self._do_all(steps), exit_on_error=False)

    async def _do_all(self, steps: Sequence[cmd.AnyCommand]) -> None:
        for step in steps:
            await self._session.do(step)


def _put_to_the_test(view: SearchView, so_far: tuple[str, ...]) -> list[cmd.AnyCommand]:
    """The trial of this set, in the explorer. The vacuum seal leaves name service open: where it is not in the set, it
    is cut by itself."""
    mode = view.question.modes[0]
    opens = frozenset(so_far) | view.question.stay_open
    steps: list[cmd.AnyCommand] = [cmd.SealWith(Seal.VACUUM, mode, opens)]
    if NAME_SERVICE not in opens:
        steps.append(cmd.Cut(NAME_SERVICE, mode))
    return steps
