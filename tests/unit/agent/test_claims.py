"""Copies of packets become names: in pieces, repeated, torn or hostile; what is kept is bounded."""

from __future__ import annotations

import socket
import struct
from typing import cast

from hypothesis import given
from hypothesis import strategies as st

from belljar_tui.agent.claims import _FLOWS_AT_ONCE, _FLOWS_KEPT, Claims
from belljar_tui.agent.directory import Directory
from belljar_tui.agent.packets import segment
from belljar_tui.agent.ruleset import Ruleset
from belljar_tui.core import events as ev
from belljar_tui.core.host_name import CLAIMS_KEPT
from belljar_tui.core.model import Endpoint, Protocol
from tests.unit.agent.test_claimed_name import HELLO, NAME

SYN = 2
TARGET = {4: "10.9.0.44", 6: "fd09::44"}


def packet(data: bytes, sequence: int, *, port: int = 40000, flags: int = 16, v: int = 4, cut: int = 0) -> memoryview:
    """A TCP packet to TARGET, of which `cut` bytes were not copied."""
    tcp = struct.pack(">HHIIBBHHH", port, 443, sequence % (1 << 32), 0, 5 << 4, flags, 0, 0, 0) + data
    if v == 4:
        head = struct.pack(">BBHIBBH", 0x45, 0, 20 + len(tcp), 0, 64, 6, 0)
        head += socket.inet_aton("10.9.0.1") + socket.inet_aton(TARGET[4])
    else:
        head = struct.pack(">IHBB", 6 << 28, len(tcp), 6, 64)
        head += socket.inet_pton(socket.AF_INET6, "fd09::1") + socket.inet_pton(socket.AF_INET6, TARGET[6])
    whole = head + tcp
    return memoryview(whole[: len(whole) - cut])


class FakeRuleset:
    """Remembers what is listened to."""

    hears_names = True

    def __init__(self) -> None:
        self.heard: set[Endpoint] = set()

    def hear(self, endpoints: set[Endpoint], *, is_over: bool = False) -> None:
        for each in endpoints:
            assert (each in self.heard) is is_over, "each is said once, and ended once"
        self.heard = self.heard - set(endpoints) if is_over else self.heard | set(endpoints)


class Hearing:
    def __init__(self) -> None:
        self.events: list[ev.NameClaimed] = []
        self.ruleset = FakeRuleset()
        directory = Directory()
        emit = lambda event: self.events.append(event)  # noqa: E731
        self.claims = Claims(cast(Ruleset, self.ruleset), directory.dependency_of, emit, lambda: 1.0)
        self.directory = directory
        for address in TARGET.values():
            self.claims.listen(Endpoint(address, Protocol.TCP, 443))

    def hear(self, *packets: memoryview) -> list[str]:
        for each in packets:
            self.claims.on_packet(each, 0)
        return [event.name for event in self.events]


@given(
    st.integers(0, (1 << 32) - 1),
    st.lists(st.integers(1, len(HELLO) - 1), max_size=8, unique=True).map(sorted),
    st.booleans(),
    st.sampled_from([4, 6]),
)
def test_a_hello_in_pieces_some_of_them_repeated(begin: int, cuts: list[int], is_repeated: bool, v: int) -> None:
    hearing = Hearing()
    hearing.hear(packet(b"", begin - 1, flags=SYN, v=v), packet(b"", begin, v=v))
    for start, end in zip([0, *cuts], [*cuts, len(HELLO)], strict=True):
        again = max(0, start - 7) if is_repeated else start
        hearing.hear(packet(HELLO[start:end], begin + start, v=v), packet(HELLO[again:end], begin + again, v=v))
    assert hearing.hear() == [NAME]


def test_data_in_the_first_packet_is_heard() -> None:
    assert Hearing().hear(packet(HELLO, 99, flags=SYN)) == [NAME]


def test_a_gap_says_nothing_and_a_new_flow_from_the_same_port_is_new() -> None:
    hearing = Hearing()
    assert hearing.hear(packet(HELLO[:50], 100), packet(HELLO[60:], 160)) == []
    assert hearing.hear(packet(b"", 900, flags=SYN), packet(HELLO, 901)) == [NAME]


def test_of_what_was_copied_in_part_nothing_more_is_expected() -> None:
    hearing = Hearing()
    assert hearing.hear(packet(HELLO, 100, cut=40), packet(HELLO[-40:], 100 + len(HELLO) - 40)) == []


def test_what_has_a_name_by_now_is_not_listened_to_any_more() -> None:
    hearing = Hearing()
    hearing.directory.learn("known.example", [TARGET[4]])
    assert hearing.hear(packet(HELLO, 100)) == []
    assert {each.address for each in hearing.ruleset.heard} == {TARGET[6]}


def test_a_busy_address_is_left_alone_until_the_next_sweep() -> None:
    hearing = Hearing()
    for port in range(_FLOWS_AT_ONCE):
        hearing.hear(packet(b"", 1, flags=SYN, port=1000 + port))
    assert {each.address for each in hearing.ruleset.heard} == {TARGET[6]}
    hearing.claims.sweep()
    assert {each.address for each in hearing.ruleset.heard} == set(TARGET.values())


def test_names_and_flows_are_bounded() -> None:
    hearing = Hearing()
    for number in range(2 * _FLOWS_KEPT):
        request = b"GET / HTTP/1.1\r\nHost: n%d.example\r\n\r\n" % number
        hearing.hear(packet(request, 5, port=1024 + number))
    assert len(hearing.claims._flows) == _FLOWS_KEPT
    assert hearing.hear() == [f"n{number}.example" for number in range(CLAIMS_KEPT)]


@given(st.binary(max_size=200) | st.integers(1, 120).map(lambda size: bytes(packet(HELLO, 7))[:size]))
def test_a_torn_or_foreign_packet_is_none_or_nothing(data: bytes) -> None:
    segment(memoryview(data))
    Hearing().hear(memoryview(data))
