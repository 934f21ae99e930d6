"""What a user asks for. Imperative; on stdin each is one JSON object with the tag `command`."""

from __future__ import annotations

import msgspec

from belljar_tui.core.model import Mode, Seal, Wanted


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Command(msgspec.Struct, frozen=True, tag_field="command", tag=_snake, forbid_unknown_fields=True):
    pass


class Cut(Command, frozen=True):
    dependency: str
    mode: Mode = Mode.REFUSE


class Restore(Command, frozen=True):
    dependency: str


class SealWith(Command, frozen=True, tag="seal"):
    seal: Seal
    mode: Mode = Mode.REFUSE
    opens: frozenset[str] = frozenset()
    """Ids that stay open under a vacuum seal."""


class RestoreAll(Command, frozen=True):
    pass


class Undo(Command, frozen=True):
    pass


class Redo(Command, frozen=True):
    pass


class Note(Command, frozen=True):
    text: str
    dependency: str | None = None


class Save(Command, frozen=True):
    path: str


class Search(Command, frozen=True):
    """Find the minimal working set, in jars of the search's own; one that was stopped goes on."""


class PauseSearch(Command, frozen=True):
    pass


class ResumeSearch(Command, frozen=True):
    pass


class StopSearch(Command, frozen=True):
    pass


class Quit(Command, frozen=True):
    pass


AnyCommand = (
    Cut
    | Restore
    | SealWith
    | RestoreAll
    | Undo
    | Redo
    | Note
    | Save
    | Search
    | PauseSearch
    | ResumeSearch
    | StopSearch
    | Quit
)
Change = Cut | Restore | SealWith | RestoreAll
"""Commands that change the wanted state."""

_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def decode(line: bytes | str) -> AnyCommand:
    """Raises msgspec.ValidationError or msgspec.DecodeError when `line` is not a command."""
    return _decoder.decode(line)


def changed(wanted: Wanted, change: Change) -> Wanted:
    """The whole wanted state after one change."""
    match change:
        case Cut(dependency, mode):
            return msgspec.structs.replace(
                wanted, cuts={**wanted.cuts, dependency: mode}, opens=wanted.opens - {dependency}
            )
        case Restore(dependency):
            cuts = {d: m for d, m in wanted.cuts.items() if d != dependency}
            opens = wanted.opens | {dependency} if wanted.seal is Seal.VACUUM else wanted.opens
            return msgspec.structs.replace(wanted, cuts=cuts, opens=opens)
        case SealWith(seal, mode, opens):
            if seal is Seal.OPEN:
                return Wanted(seal=seal, seal_mode=mode, cuts=wanted.cuts)
            return Wanted(seal=seal, seal_mode=mode, opens=opens)
        case RestoreAll():
            return Wanted()
