"""Which dependency a call belongs to: several addresses, addresses that change, aliases, shared addresses."""

from __future__ import annotations

from belljar_tui.agent.directory import Directory
from belljar_tui.core.model import Dependency, Endpoint, Protocol


def web(address: str) -> Endpoint:
    return Endpoint(address, Protocol.TCP, 443)


def name_of(directory: Directory, address: str) -> str:
    return directory.dependency_of(web(address)).host


def test_all_addresses_of_a_name_are_one_dependency_in_both_families() -> None:
    directory = Directory()
    directory.learn("a.test", ["10.5.0.1", "10.5.0.2"])
    directory.learn("a.test", ["fd05::1"])
    dependency = Dependency(Protocol.TCP, "a.test", 443)
    every = {web("10.5.0.1"), web("10.5.0.2"), web("fd05::1")}
    assert directory.endpoints_of(dependency) == every
    assert {directory.note(endpoint) for endpoint in every} == {dependency}


def test_an_address_that_was_called_stays_the_names_when_the_name_moves() -> None:
    directory = Directory()
    directory.learn("a.test", ["10.5.0.1", "fd05::1"])
    dependency = directory.note(web("10.5.0.1"))
    directory.learn("a.test", ["10.5.0.7"])
    assert directory.endpoints_of(dependency) == {web("10.5.0.1"), web("10.5.0.7"), web("fd05::1")}
    assert name_of(directory, "10.5.0.1") == "a.test"


def test_an_address_that_was_never_called_goes_to_the_next_name() -> None:
    directory = Directory()
    directory.learn("a.test", ["10.5.0.1"])
    directory.learn("a.test", ["10.5.0.7"])
    assert name_of(directory, "10.5.0.1") == "10.5.0.1"
    directory.learn("b.test", ["10.5.0.1"])
    assert name_of(directory, "10.5.0.1") == "b.test"


def test_a_second_name_on_an_address_falls_with_the_first() -> None:
    directory = Directory()
    directory.learn("a.test", ["10.5.0.1"])
    directory.learn("b.test", ["10.5.0.1", "10.5.0.2"])
    assert name_of(directory, "10.5.0.1") == "a.test"
    assert directory.endpoints_of(Dependency(Protocol.TCP, "b.test", 443)) == {web("10.5.0.2")}
