"""In containers, too: what calls to a raw address say of it, and a group that is no dependency."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from images import CHECKOUT, WORLD
from jarred import Headless, headless
from project import NETWORK
from target import UP_DEADLINE_S, attached, checkout

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]
Shop = dict[str, Container]
CALLS = """
import http.client, socket, time
while True:
    call = http.client.HTTPConnection("{address}", 8000, timeout=5)
    call.request("GET", "/", headers={{"Host": "updates.example"}})
    call.getresponse().read()
    call.close()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.sendto(b"x", ("239.1.2.3", 5000))
    time.sleep(0.3)
"""


SERVER = """
import fcntl, http.server, socket, struct
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
    for what, value in ((0x8916, "{address}"), (0x891C, "{mask}")):  # SIOCSIFADDR, SIOCSIFNETMASK
        wanted = struct.pack("16sHH4s8x", b"eth0:1", socket.AF_INET, 0, socket.inet_aton(value))
        fcntl.ioctl(control, what, wanted)
http.server.ThreadingHTTPServer(("{address}", 8000), http.server.SimpleHTTPRequestHandler).serve_forever()
"""


@pytest.fixture(scope="module")
def stranger(engine: docker.DockerClient, shop: Shop) -> Iterator[str]:
    """A server at an address of the network that the engine does not know of."""
    subnet = ipaddress.ip_network(engine.networks.get(NETWORK).attrs["IPAM"]["Config"][0]["Subnet"])
    address = str(subnet[-2])
    serve = SERVER.format(address=address, mask=subnet.netmask)
    command = ["python3", "-c", serve]
    server = engine.containers.run(WORLD, command, network=NETWORK, detach=True, cap_add=["NET_ADMIN"])
    try:
        probe = ["python3", "-c", f"import socket; socket.create_connection(('{address}', 8000), 1)"]
        end = time.monotonic() + UP_DEADLINE_S
        while server.exec_run(probe)[0] != 0:
            assert time.monotonic() < end, server.logs().decode()
            time.sleep(0.1)
        yield address
    finally:
        server.remove(force=True)


def told(running: Headless, address: str) -> None:
    claimed, group = running.wait_for_each("name_claimed", "group_called")
    assert (claimed["dependency"], claimed["name"]) == (f"tcp://{address}:8000", "updates.example")
    assert (group["dependency"], group["reach"]) == ("udp://239.1.2.3:5000", "multicast")


def test_a_container_s_call_to_an_address_says_whom_it_calls(stranger: str, tmp_path: Path) -> None:
    calls = CALLS.format(address=stranger)
    words = ("run", "--headless", "--image", CHECKOUT, "--network", NETWORK, "--", "python3", "-c", calls)
    with headless(tmp_path, *words) as running:
        told(running, stranger)


def test_attached_it_is_heard_as_well(engine: docker.DockerClient, stranger: str, tmp_path: Path) -> None:
    with checkout(engine) as target:
        target.exec_run(["python3", "-c", CALLS.format(address=stranger)], detach=True)
        with attached(tmp_path, target.name or "", "--via", "sidecar") as running:
            told(running, stranger)
