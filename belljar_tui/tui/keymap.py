"""Keys as a person wants them, from a small YAML file: `cut: c`, or `cut: [c, delete]`, each by a key's id."""

from __future__ import annotations

from pathlib import Path

from textual.keys import _character_to_key

from belljar_tui.errors import BadKeymap
from belljar_tui.journal.yaml_text import BadYaml, Document
from belljar_tui.tui.drill_keys import DRILL_KEYS
from belljar_tui.tui.keys import KEYS
from belljar_tui.tui.replay_keys import REPLAY_KEYS
from belljar_tui.tui.search_keys import SEARCH_KEYS


def read_keymap(path: Path) -> dict[str, str]:
    """Binding id -> keys, as Textual wants them; empty when there is no file.

    Raises:
        BadKeymap: it cannot be read, names an id that is none, or gives one key to two ids.
    """
    try:
        document = Document(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        raise BadKeymap(str(path), "", f"cannot be read: {getattr(error, 'strerror', 'not text (UTF-8)')}.") from error
    except BadYaml as error:
        raise BadKeymap(str(path), f"line {error.line}", f"{error.why}.", error.remedy) from error
    value = document.value if document.value is not None else {}
    if not isinstance(value, dict):
        raise BadKeymap(str(path), "line 1", "a keymap is a mapping of ids to keys.", "Write it like  cut: c")
    keymap: dict[str, str] = {}
    for identity, keys in value.items():
        where = f"line {document.line_of((identity,), is_key=True)}"
        if identity not in _IDS:
            raise BadKeymap(str(path), where, f"{identity} is not the id of a key.", f"There are: {', '.join(_IDS)}.")
        keymap[identity] = ",".join(map(_key, _listed(str(path), where, identity, keys)))
    _reject_clashes(str(path), document, keymap)
    return keymap


_KEYS = ((*KEYS, *DRILL_KEYS), SEARCH_KEYS, REPLAY_KEYS)
_SCREENS = [{key.id: key.key for key in keys if key.id is not None} for keys in _KEYS]
"""Ids and keys of the explorer with a drill's, of the search and of replay: the same key may mean something on each."""
_IDS = {**_SCREENS[0], **_SCREENS[1], **_SCREENS[2]}


def _listed(path: str, where: str, identity: str, keys: object) -> list[str]:
    listed = keys if isinstance(keys, list) else [keys]
    texts = [str(key) for key in listed if isinstance(key, str | int) and not isinstance(key, bool) and str(key)]
    if not texts or len(texts) != len(listed):
        remedy = f"Write it like  {identity}: c  or  {identity}: [c, ctrl+x]; some letters want quotes: 'y', 'n'."
        raise BadKeymap(path, where, f"{identity}: a key, or a list of keys, was expected.", remedy)
    return texts


def _key(text: str) -> str:
    """`/` is `slash` to Textual; names stay."""
    return _character_to_key(text) if len(text) == 1 else text.lower()


def _reject_clashes(path: str, document: Document, keymap: dict[str, str]) -> None:
    for ids in _SCREENS:
        taken: dict[str, str] = {}
        for identity, keys in {**ids, **{one: keymap[one] for one in keymap if one in ids}}.items():
            for key in keys.split(","):
                if key in taken:
                    culprit = identity if identity in keymap else taken[key]
                    line = document.line_of((culprit,), is_key=True)
                    why = f"{key} would be the key of {taken[key]} and of {identity}."
                    raise BadKeymap(path, f"line {line}", why, "Give one of them another.")
                taken[key] = identity
