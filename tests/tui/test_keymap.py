"""Keys as a person wants them."""

from __future__ import annotations

from pathlib import Path

import pytest
from stage import staged, until
from test_explorer import AUTH

from belljar_tui.errors import BadKeymap
from belljar_tui.tui.keymap import read_keymap


def test_no_file_remaps_nothing(tmp_path: Path) -> None:
    assert read_keymap(tmp_path / "keymap.yaml") == {}


def test_a_key_a_list_of_keys_and_a_sign_are_read(tmp_path: Path) -> None:
    path = tmp_path / "keymap.yaml"
    path.write_text("cut: y\nmode: [b, ctrl+b]\nfilter: f\nhelp: /\n")
    assert read_keymap(path) == {"cut": "y", "mode": "b,ctrl+b", "filter": "f", "help": "slash"}


def test_one_key_may_mean_something_on_each_screen(tmp_path: Path) -> None:
    path = tmp_path / "keymap.yaml"
    path.write_text("search_stop: v\n")
    assert read_keymap(path) == {"search_stop": "v"}


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("# mine\nkut: x\n", 2, "kut is not the id of a key"),
        ("cut: y\nmode: [\n", 3, "broken YAML"),
        ("cut: {}\n", 1, "a key, or a list of keys, was expected"),
        ("mode: b\ncut: v\n", 2, "v would be the key of cut and of vacuum"),
        ("search_stop: t\n", 1, "t would be the key of search_stop and of search_take_over"),
        ("- cut\n", 1, "a mapping of ids to keys"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text: str, line: int, words: str, tmp_path: Path) -> None:
    path = tmp_path / "keymap.yaml"
    path.write_text(text)
    with pytest.raises(BadKeymap, match=words) as caught:
        read_keymap(path)
    assert str(caught.value).startswith(f"{path}: line {line}: ")
    assert caught.value.exit_code == 2


async def test_a_remapped_key_cuts_and_the_help_says_so() -> None:
    async with staged(keymap={"cut": "y"}) as (app, pilot):
        await pilot.press("space", "y")
        await until(pilot, lambda: app.session.state.dependencies[AUTH].is_cut)
        await pilot.press("question_mark")
        await until(pilot, lambda: "Cut the selected dependency" in app.screen_text)
        assert "space" not in app.screen_text
