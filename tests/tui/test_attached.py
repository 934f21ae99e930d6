"""What the explorer says of a target that it is attached to; and the list to pick one from."""

from __future__ import annotations

import pytest
from stage import shown
from textual.widgets import DataTable

from belljar_tui.core import events as ev
from belljar_tui.core.fold import fold
from belljar_tui.tui.notices import notice_of
from belljar_tui.tui.panels import _warnings
from belljar_tui.tui.pick_list import PickList

ENTERED = ev.TargetEntered(at=1.0, target="web", via="host", shared_with=["lodger"])
AGAIN = ev.TargetEntered(at=9.0, target="web", via="host", because="restarted", unsealed_s=0.057)


def test_who_shares_the_namespace_is_on_the_screen() -> None:
    (warning,) = _warnings(fold([ENTERED]))
    assert "lodger" in warning
    assert notice_of(ENTERED) is None


@pytest.mark.parametrize(
    ("is_for_good", "words"), [(False, "kept for its return"), (True, "nothing came in its place")]
)
def test_a_lost_target_is_on_the_screen(is_for_good: bool, words: str) -> None:
    lost = ev.TargetLost(at=2.0, how="out of memory", code=-9, is_for_good=is_for_good)
    (warning,) = _warnings(fold([AGAIN, ev.ServiceExited(at=2.0, code=-9), lost]))
    assert "out of memory" in warning
    assert words in warning
    assert notice_of(lost) is not None


def test_the_gap_is_on_the_screen_for_a_while() -> None:
    (warning,) = _warnings(fold([ENTERED, AGAIN]))
    assert "ran 0.06 s without the seal" in warning
    assert not _warnings(fold([AGAIN, ev.NoteAdded(at=99.0, text="later")]))
    notice = notice_of(AGAIN)
    assert notice is not None
    assert "0.06 s" in notice.text


def test_an_engine_that_does_not_answer_is_on_the_screen() -> None:
    lost: list[ev.AnyEvent] = [AGAIN, ev.EngineLost(at=70.0, detail="gone")]
    assert "not followed" in _warnings(fold(lost))[0]
    assert not _warnings(fold([*lost, ev.EngineReturned(at=71.0)]))


@pytest.mark.parametrize(("keys", "chosen"), [(["enter"], "a"), (["down", "enter"], "b"), (["j", "k", "q"], None)])
async def test_a_row_is_picked_with_arrows_and_enter(keys: list[str], chosen: str | None) -> None:
    app = PickList(("NAME", "HEALTH"), [("a", ("web", "healthy")), ("b", ("db", ""))])
    async with shown(app) as pilot:
        assert app.query_one(DataTable).row_count == 2
        await pilot.press(*keys)
    assert app.return_value == chosen
