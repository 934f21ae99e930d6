"""Toxiproxy's configuration, held to what its server accepts."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings

from belljar_tui.core.model import Dependency, Protocol
from belljar_tui.core.profile import Profile
from belljar_tui.export.contract import Contract
from belljar_tui.export.toxiproxy import API_PORT, export
from tests.unit.export.profiles import (
    AUTH,
    CACHE,
    CHECKOUT,
    PAY_A,
    PAY_B,
    TIME,
    UPDATES,
    members_of,
    profile_with,
    profiles,
)


def proxies(profile: Profile) -> dict[str, Any]:
    """Name -> proxy, after the server's own checks: a list of objects with these fields, names never twice."""
    read = json.loads(export(Contract.of(profile)).text)
    assert isinstance(read, list)
    for proxy in read:
        assert {key: type(value) for key, value in proxy.items()} == {
            "name": str, "listen": str, "upstream": str, "enabled": bool,
        }  # fmt: skip
        assert proxy["name"]
        assert Dependency.parse(f"tcp://{proxy['upstream']}")
        assert 1 <= port_of(proxy) <= 65535
    by_name = {proxy["name"]: proxy for proxy in read}
    assert len(by_name) == len(read)
    return by_name


def port_of(proxy: dict[str, Any]) -> int:
    host, _, port = proxy["listen"].rpartition(":")
    assert host == "127.0.0.1"
    return int(port)


def test_members_are_enabled_and_the_known_rest_is_not() -> None:
    enabled = {name: proxy["enabled"] for name, proxy in proxies(CHECKOUT).items()}
    assert enabled[AUTH]
    assert enabled[PAY_A]
    assert not enabled[PAY_B]
    assert not enabled[CACHE]
    assert TIME not in enabled


def test_a_proxy_keeps_its_dependencys_port_where_it_can() -> None:
    ports = {name: port_of(proxy) for name, proxy in proxies(CHECKOUT).items()}
    assert (ports[AUTH], ports[PAY_A], ports[PAY_B], ports[UPDATES]) == (9000, 7000, 27000, 20443)


def test_a_proxy_never_takes_the_place_of_a_server_on_this_machine() -> None:
    made = proxies(
        profile_with("tcp://localhost:5432", "tcp://db.lab:5432", "tcp://x.lab:8080", f"tcp://y.lab:{API_PORT}")
    )
    assert {port_of(proxy) for proxy in made.values()}.isdisjoint({5432, 8080, API_PORT})


@settings(max_examples=80)
@given(profile=profiles)
def test_every_tcp_member_has_a_proxy_and_no_port_is_taken_twice(profile: Profile) -> None:
    made = proxies(profile)
    assert {name for name, proxy in made.items() if proxy["enabled"]} == {
        str(m) for m in members_of(profile, Protocol.TCP)
    }
    ports = [port_of(proxy) for proxy in made.values()]
    assert len(set(ports)) == len(ports)
