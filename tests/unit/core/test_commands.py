from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.core import commands as cmd
from belljar_tui.core.model import NAME_SERVICE, UNIX_MODES, Mode, Seal, Wanted
from tests.unit.strategies import IDS, changes, commands, encoded, wanteds

SOCKET = "unix:/run/x.sock"
ids = st.sampled_from(IDS)
modes = st.sampled_from(list(Mode))


@given(commands)
def test_decoding_what_was_encoded_is_the_identity(command: cmd.AnyCommand) -> None:
    assert cmd.decode(encoded(command)) == command


def test_the_lines_the_design_promises_are_read() -> None:
    line = '{"command":"cut","dependency":"tcp://orders-db:5432","mode":"refuse"}'
    assert cmd.decode(line) == cmd.Cut("tcp://orders-db:5432", Mode.REFUSE)
    assert cmd.decode('{"command":"seal","seal":"vacuum"}') == cmd.SealWith(Seal.VACUUM)
    assert cmd.decode('{"command":"restore_all"}') == cmd.RestoreAll()
    assert cmd.decode('{"command":"save","path":"a.yaml"}') == cmd.Save("a.yaml")


@pytest.mark.parametrize(
    "line", ["", "{}", "[]", '{"command":"explode"}', '{"command":"cut"}', '{"command":"undo","twice":true}',
             '{"command":"cut","dependency":"dns:","mode":"gently"}', '{"command":"cut","dependency":7}'],
)  # fmt: skip
def test_a_bad_line_is_a_msgspec_error(line: str) -> None:
    with pytest.raises(msgspec.MsgspecError):
        cmd.decode(line)


@given(wanteds, changes)
def test_the_same_change_twice_is_the_change_once(wanted: Wanted, change: cmd.Change) -> None:
    once = cmd.changed(wanted, change)
    assert cmd.changed(once, change) == once


@given(wanteds, ids, modes)
def test_a_cut_cuts_and_touches_nothing_else(wanted: Wanted, dependency: str, mode: Mode) -> None:
    after = cmd.changed(wanted, cmd.Cut(dependency, mode))
    assert after.mode_of(dependency) is mode
    assert all(after.mode_of(other) == wanted.mode_of(other) for other in IDS if other != dependency)


@given(wanteds, ids)
def test_a_restore_opens_and_touches_nothing_else(wanted: Wanted, dependency: str) -> None:
    after = cmd.changed(wanted, cmd.Restore(dependency))
    assert after.mode_of(dependency) is None
    assert all(after.mode_of(other) == wanted.mode_of(other) for other in IDS if other != dependency)


@given(wanteds, st.frozensets(ids), modes)
def test_a_vacuum_leaves_open_what_it_is_told_to_and_nothing_else(
    wanted: Wanted, opens: frozenset[str], mode: Mode
) -> None:
    after = cmd.changed(wanted, cmd.SealWith(Seal.VACUUM, mode, opens))
    assert {one for one in IDS if after.mode_of(one) is None} == opens | {NAME_SERVICE}


@given(wanteds)
def test_restore_all_opens_everything(wanted: Wanted) -> None:
    after = cmd.changed(wanted, cmd.RestoreAll())
    assert [after.mode_of(dependency) for dependency in IDS] == [None] * len(IDS)


@given(wanteds, modes)
def test_a_vacuum_closes_everything_but_name_service(wanted: Wanted, mode: Mode) -> None:
    after = cmd.changed(wanted, cmd.SealWith(Seal.VACUUM, mode))
    closed = {one: mode for one in IDS if one != NAME_SERVICE}
    closed[SOCKET] = mode if mode in UNIX_MODES else Mode.REFUSE
    assert {one: after.mode_of(one) for one in closed} == closed
