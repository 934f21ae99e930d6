"""An agent in a container: upstreams, clocks, and names that the engine knows."""

from __future__ import annotations

from pathlib import Path

from belljar_tui.agent.contained import clock_zero, nameservers
from belljar_tui.agent.directory import Directory
from belljar_tui.core.model import Dependency, Endpoint, Protocol
from belljar_tui.wire.messages import Prepare

DB = Endpoint("172.19.0.2", Protocol.TCP, 5432)


def name_of(directory: Directory, endpoint: Endpoint = DB) -> str:
    return str(directory.dependency_of(endpoint))


def test_upstreams_are_what_the_engine_wrote(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("search lab\nnameserver 127.0.0.11\nnameserver fe80::1%eth0\noptions ndots:0\n")
    assert nameservers(file) == ("127.0.0.11",)
    assert nameservers(tmp_path / "none") == ()


def test_the_clock_is_the_callers_on_its_own_kernel_and_ours_on_another() -> None:
    here = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert clock_zero(Prepare(service=(), clock_zero=7.0, boot_id=here, sent_at_s=3.0), 100.0) == 7.0
    assert clock_zero(Prepare(service=(), clock_zero=7.0, boot_id="another", sent_at_s=3.0), 100.0) == 97.0
    assert clock_zero(Prepare(service=(), clock_zero=7.0), 100.0) == 7.0


def test_a_container_called_by_address_has_the_engines_name() -> None:
    directory = Directory()
    assert name_of(directory) == "tcp://172.19.0.2:5432"
    assert directory.hint(("db", "shop-db-1"), ("172.19.0.2",))
    assert not directory.hint(("db", "shop-db-1"), ("172.19.0.2",))
    assert name_of(directory) == "tcp://db:5432"


def test_a_name_the_service_resolved_is_worth_more() -> None:
    directory = Directory()
    directory.hint(("db",), ("172.19.0.2",))
    directory.learn("orders-db", ["172.19.0.2"])
    assert name_of(directory) == "tcp://orders-db:5432"
    assert directory.endpoints_of(Dependency.parse("tcp://orders-db:5432")) == {DB}
    assert directory.endpoints_of(Dependency.parse("tcp://db:5432")) == set()


def test_a_cut_by_name_stands_before_the_first_call() -> None:
    directory = Directory()
    directory.hint(("db",), ("172.19.0.2",))
    assert directory.endpoints_of(Dependency.parse("tcp://db:5432")) == {DB}


def test_a_container_that_comes_again_elsewhere_takes_its_name_along() -> None:
    directory = Directory()
    directory.hint(("db",), ("172.19.0.2",))
    directory.hint(("db",), ("172.19.0.9",))
    assert name_of(directory) == "tcp://172.19.0.2:5432"
    assert name_of(directory, Endpoint("172.19.0.9", Protocol.TCP, 5432)) == "tcp://db:5432"
