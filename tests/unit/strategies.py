"""Values of every type that crosses a line, drawn from the types themselves: a new event is tested unasked."""

from __future__ import annotations

import typing
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from msgspec import inspect

from belljar_tui.core import commands as cmd
from belljar_tui.core import events as ev
from belljar_tui.core.model import Dependency, Mode, Protocol, Settings, Wanted
from belljar_tui.core.profile import VERSION, Profile
from belljar_tui.core.profile_flaws import flaws
from belljar_tui.wire import messages as msg

T = TypeVar("T")

IDS = ("tcp://orders-db.lab:5432", "tcp://auth.lab:9000", "udp://time.lab:123", "icmp://gw", "unix:/run/x.sock", "dns:")

_LABEL = st.from_regex(r"[a-z][a-z0-9-]{0,20}", fullmatch=True)
_HOSTS = st.one_of(
    st.lists(_LABEL, min_size=1, max_size=3).map(".".join), st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map(str)
)
_PORTS = st.integers(1, 65535)
_SOCKETS = st.text(max_size=20).map(lambda rest: f"/{rest}")


def _by_type(kind: inspect.Type, by_name: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StructType():
            fields = {
                field.name: by_name[field.name] if field.name in by_name else _by_type(field.type, by_name)
                for field in kind.fields
            }
            return st.builds(kind.cls, **fields)
        case inspect.UnionType():
            return st.one_of([_by_type(one, by_name) for one in kind.types])
        case inspect.ListType():
            return st.lists(_by_type(kind.item_type, by_name), max_size=4)
        case inspect.VarTupleType():
            return st.lists(_by_type(kind.item_type, by_name), max_size=4).map(tuple)
        case inspect.FrozenSetType():
            return st.frozensets(_by_type(kind.item_type, by_name), max_size=4)
        case inspect.DictType():
            keys, values = _by_type(kind.key_type, by_name), _by_type(kind.value_type, by_name)
            return st.dictionaries(keys, values, max_size=4)
        case _:
            return _scalar(kind)


def _scalar(kind: inspect.Type) -> st.SearchStrategy[Any]:
    match kind:
        case inspect.StrType():
            return st.text(min_size=kind.min_length or 0, max_size=20)
        case inspect.IntType():
            return st.integers(-(2**31) if kind.ge is None else kind.ge, 2**31 if kind.le is None else kind.le)
        case inspect.FloatType():
            least = kind.ge if kind.ge is not None else 0.0 if kind.gt is None else 1e-3
            return st.floats(least, 1e6 if kind.le is None else min(kind.le, 1e6))
        case inspect.BoolType():
            return st.booleans()
        case inspect.NoneType():
            return st.none()
        case inspect.EnumType():
            return st.sampled_from(list(kind.cls))
        case inspect.LiteralType():
            return st.sampled_from(list(kind.values))
        case _:
            raise NotImplementedError(kind)


def values(kind: type[T], **by_name: st.SearchStrategy[Any]) -> st.SearchStrategy[T]:
    """Any value of a struct type; `by_name` replaces the strategy of every field of that name, however deep."""
    return _by_type(inspect.type_info(kind), by_name)


_AT = st.floats(0, 1e5)
_FEW_PIDS = st.integers(1, 4)
_COUNT = st.integers(0, 2**31)

EVENT_TYPES: tuple[type[ev.AnyEvent], ...] = typing.get_args(ev.AnyEvent)

events: st.SearchStrategy[ev.AnyEvent] = st.one_of(
    [values(kind, at=_AT, dependency=st.sampled_from(IDS), count=_COUNT, pid=_FEW_PIDS) for kind in EVENT_TYPES]
)
"""Any event, over a handful of dependencies so that they meet."""

commands: st.SearchStrategy[cmd.AnyCommand] = st.one_of([values(kind) for kind in typing.get_args(cmd.AnyCommand)])
changes: st.SearchStrategy[cmd.Change] = st.one_of(
    [values(kind, dependency=st.sampled_from(IDS)) for kind in typing.get_args(cmd.Change)]
)
messages: st.SearchStrategy[msg.AnyMessage] = st.one_of([values(kind) for kind in typing.get_args(msg.AnyMessage)])
wanteds: st.SearchStrategy[Wanted] = st.builds(
    Wanted,
    cuts=st.dictionaries(st.sampled_from(IDS), st.sampled_from(list(Mode)), max_size=3),
    opens=st.frozensets(st.sampled_from(IDS), max_size=3),
).flatmap(
    lambda wanted: st.builds(
        msgspec.structs.replace,
        st.just(wanted),
        settings=st.dictionaries(st.sampled_from(sorted(wanted.cuts)), values(Settings), max_size=2)
        if wanted.cuts
        else st.just({}),
    )
)

dependencies: st.SearchStrategy[Dependency] = st.one_of(
    st.builds(Dependency, st.sampled_from([Protocol.TCP, Protocol.UDP]), _HOSTS, _PORTS),
    st.builds(Dependency, st.just(Protocol.ICMP), _HOSTS),
    st.builds(Dependency, st.just(Protocol.UNIX), _SOCKETS),
    st.just(Dependency(Protocol.DNS, "")),
)

_CHECKS = st.sampled_from(("http://localhost:8080/ready", "tcp://[::1]:5432", "exec:pg_isready -q"))

profiles: st.SearchStrategy[Profile] = values(
    Profile,
    belljar=st.just(VERSION),
    allow=st.lists(dependencies.map(str), max_size=4).map(tuple),
    checks=st.lists(_CHECKS, min_size=1, max_size=3).map(tuple),
    environment=st.lists(st.from_regex(r"[A-Z_]{1,9}", fullmatch=True), max_size=3).map(tuple),
).filter(lambda profile: not list(flaws(profile)))
"""Any profile without a flaw."""


def encoded(value: msgspec.Struct) -> bytes:
    return msgspec.json.encode(value)
