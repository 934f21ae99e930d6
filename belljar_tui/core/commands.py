"""What a user asks for. Imperative; on stdin each is one JSON object with the tag `command`."""

from __future__ import annotations

from typing import Annotated

import msgspec

from belljar_tui.core.model import Answer, ByteCount, Delay, Fraction, How, Mode, Seal, Settings, Wanted

PARAMETERS = ("answer", "fraction", "fails_by", "after_bytes", "delay_s", "jitter_s", "bytes_per_s")
"""Fields of a cut that say how its mode fails."""


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() else c for c in name).lstrip("_")


class Command(msgspec.Struct, frozen=True, tag_field="command", tag=_snake, forbid_unknown_fields=True):
    pass


class Cut(Command, frozen=True, omit_defaults=True):
    """Which parameters belong to which mode says `core.failures`."""

    dependency: str
    mode: Mode = Mode.REFUSE
    for_s: Annotated[float, msgspec.Meta(gt=0, le=1e8)] | None = None
    """Seconds until the kernel restores it by itself; absent: until it is restored."""
    answer: Answer | None = None
    fraction: Fraction | None = None
    fails_by: Mode | None = None
    after_bytes: ByteCount | None = None
    delay_s: Delay | None = None
    jitter_s: Delay | None = None
    bytes_per_s: ByteCount | None = None

    @property
    def given(self) -> dict[str, object]:
        """The parameters that were given, by name."""
        return {name: value for name in PARAMETERS if (value := getattr(self, name)) is not None}

    def settings(self, now: float) -> Settings:
        """What the wanted state keeps of them; `now` is in seconds on the session's clock."""
        until = None if self.for_s is None else now + self.for_s
        return msgspec.structs.replace(Settings(until=until), **self.given)


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


class Hint(Command, frozen=True):
    """Of a drill: the next hint, for points."""


class Guess(Command, frozen=True, tag="answer"):
    """Of a drill: what is broken, and how."""

    dependency: str
    how: How


class Predict(Command, frozen=True):
    """What the next cut will do to health, and how sure that is."""

    breaks: bool
    sure: Annotated[float, msgspec.Meta(ge=0.5, le=1)] = 1.0


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
    | Hint
    | Guess
    | Predict
    | Quit
)
Change = Cut | Restore | SealWith | RestoreAll
"""Commands that change the wanted state."""

_decoder: msgspec.json.Decoder[AnyCommand] = msgspec.json.Decoder(AnyCommand)


def decode(line: bytes | str) -> AnyCommand:
    """Raises msgspec.ValidationError or msgspec.DecodeError when `line` is not a command."""
    return _decoder.decode(line)


def changed(wanted: Wanted, change: Change, now: float = 0.0) -> Wanted:
    """The whole wanted state after one change at a moment (seconds on the session's clock)."""
    match change:
        case Cut(dependency, mode):
            wanted = wanted.without([dependency])
            own = change.settings(now)
            return msgspec.structs.replace(
                wanted,
                cuts={**wanted.cuts, dependency: mode},
                opens=wanted.opens - {dependency},
                settings=wanted.settings if own == Settings() else {**wanted.settings, dependency: own},
            )
        case Restore(dependency):
            opens = wanted.opens | {dependency} if wanted.seal is Seal.VACUUM else wanted.opens
            return msgspec.structs.replace(wanted.without([dependency]), opens=opens)
        case SealWith(seal, mode, opens):
            if seal is Seal.OPEN:
                return Wanted(seal=seal, seal_mode=mode, cuts=wanted.cuts, settings=wanted.settings)
            return Wanted(seal=seal, seal_mode=mode, opens=opens)
        case RestoreAll():
            return Wanted()
